// Finds the failpoints that a program reaches, and runs it with one thing gone wrong at one of them. What must hold
// afterwards is for the caller to say; the caller's test maps over points and faults.
import { Deferred, Effect, type Exit, Fiber } from "effect"
import { type FailpointReaction, Failpoints } from "../port/failpoint.ts"
import { dies, diesAfter, endsAfter, endsBefore, fails, loses, makeHold, type Reaction } from "./Reaction.ts"

/** A failpoint on a program's way: its name, and the how-manieth time it is reached, from 1. */
export interface Point {
  readonly name: string
  readonly nth: number
  /** Whether the effect there has a way of failing. */
  readonly canFail: boolean
}

/**
 * What goes wrong: the effect fails, is done and its answer lost, dies before or after it is done, is interrupted (with the
 * whole program) before or after it is done, or the program is cut off there: nothing that it does any more happens, as
 * if its process were killed.
 */
export const faults = [
  "fails",
  "loses its answer",
  "dies before",
  "dies after",
  "is interrupted before",
  "is interrupted after",
  "is cut off before",
  "is cut off after"
] as const

/** One of {@link faults}. */
export type Fault = (typeof faults)[number]

/** Whether a fault can happen at a point. */
export const isPossible = ({ canFail }: Point, fault: Fault): boolean =>
  canFail || (fault !== "fails" && fault !== "loses its answer")

/** How a program ended under a fault: undefined when it was cut off. `reached` is false when it never came to the point. */
export interface Attempt<A, E> {
  readonly reached: boolean
  readonly exit: Exit.Exit<A, E> | undefined
}

const counting = (at: (point: Point) => Reaction | undefined): FailpointReaction => {
  const counts = new Map<string, number>()
  return (name, effect, refuse) =>
    Effect.suspend(() => {
      const nth = (counts.get(name) ?? 0) + 1
      counts.set(name, nth)
      const reaction = at({ name, nth, canFail: refuse !== undefined })
      return reaction === undefined ? effect : reaction(effect, refuse)
    })
}

/** Runs a program as usual and answers the points that it reached, in their order. */
export const pointsOf = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<Point>, E, R> =>
  Effect.suspend(() => {
    const points: Array<Point> = []
    const record = counting((point) => void points.push(point))
    return Effect.as(Effect.provideService(program, Failpoints, record), points)
  })

/**
 * Runs a program with one fault at one point, and answers when it has ended or was cut off. `ended` waits for its fiber;
 * a test with a clock of its own lets time pass meanwhile.
 */
export const runWithFault = Effect.fnUntraced(function* <A, E, R>(
  program: Effect.Effect<A, E, R>,
  { name, nth }: Pick<Point, "name" | "nth">,
  fault: Fault,
  ended: (fiber: Fiber.Fiber<A, E>) => Effect.Effect<Exit.Exit<A, E>> = Fiber.await
): Effect.fn.Return<Attempt<A, E>, never, R> {
  const hold = yield* makeHold
  const cut = yield* Deferred.make<void>()
  let reached = false
  const reactions: Readonly<Record<Fault, Reaction>> = {
    fails,
    "loses its answer": loses,
    "dies before": dies,
    "dies after": diesAfter,
    "is interrupted before": hold.before,
    "is interrupted after": hold.after,
    "is cut off before": endsBefore(Deferred.succeed(cut, undefined)),
    "is cut off after": endsAfter(Deferred.succeed(cut, undefined))
  }
  const react = counting((point) => {
    if (Deferred.isDoneUnsafe(cut)) return () => Effect.never
    if (point.name !== name || point.nth !== nth) return undefined
    reached = true
    return reactions[fault]
  })

  const fiber = yield* Effect.forkDetach(Effect.provideService(program, Failpoints, react))
  if (fault.startsWith("is interrupted")) {
    yield* Effect.raceFirst(hold.reached, Fiber.await(fiber))
    const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
    yield* Effect.yieldNow
    yield* hold.release
    yield* Effect.raceFirst(Fiber.await(interrupting), ended(fiber))
  }
  const exit = yield* Effect.raceFirst(Effect.as(Deferred.await(cut), undefined), ended(fiber))
  return { reached, exit }
})
