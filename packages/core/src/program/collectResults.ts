// What many members come to, each by its own answer and in their order: one that fails keeps the others.
import { type Cause, Deferred, Effect, Exit, Ref } from "effect"
import type { OnItemFailure } from "../domain/Job.ts"

/**
 * How a member ended. `cancelled`: it was interrupted when all was to be given up; `pending`: nothing was tried, since all
 * was given up before, or one before it failed and nothing more was to be started.
 */
export type MemberResult<A, E> =
  | { readonly status: "done"; readonly value: A }
  | { readonly status: "failed"; readonly cause: Cause.Cause<E> }
  | { readonly status: "cancelled" }
  | { readonly status: "pending" }

/** How members are worked on: how many at once, what becomes of the others when one fails, and when all are given up. */
export interface CollectTerms {
  readonly concurrency: number
  readonly onFailure: OnItemFailure
  /** Once it is over, those at work are interrupted, and nothing more is started. */
  readonly cancelled?: Effect.Effect<void> | undefined
}

/**
 * Performs all members, and answers how each ended, in their order. It does not fail: what a member failed with, a defect
 * too, is its result. With `stop` nothing is started after a failure; what is at work goes on.
 */
export const collectResults = Effect.fn("collectResults")(function* <M, A, E, R>(
  members: ReadonlyArray<M>,
  perform: (member: M, index: number) => Effect.Effect<A, E, R>,
  { cancelled = Effect.never, concurrency, onFailure }: CollectTerms
): Effect.fn.Return<ReadonlyArray<MemberResult<A, E>>, never, R> {
  const hasFailed = yield* Ref.make(false)
  const givenUp = yield* Deferred.make<void>()

  const performed = Effect.fnUntraced(function* (member: M, index: number) {
    const isOver = (yield* Deferred.isDone(givenUp)) || (onFailure === "stop" && (yield* Ref.get(hasFailed)))
    if (isOver) return { status: "pending" as const }
    const exit = yield* Effect.exit(untilDone(perform(member, index), givenUp))
    if (Exit.isFailure(exit)) yield* Ref.set(hasFailed, true)
    return resultOf(exit)
  })

  return yield* Effect.scoped(
    Effect.gen(function* () {
      yield* Effect.forkScoped(Effect.andThen(cancelled, Deferred.succeed(givenUp, undefined)))
      return yield* Effect.forEach(members, performed, { concurrency })
    })
  )
})

const untilDone = <A, E, R>(work: Effect.Effect<A, E, R>, givenUp: Deferred.Deferred<void>) =>
  Effect.raceFirst(
    Effect.map(work, (value) => ({ status: "done" as const, value })),
    Effect.as(Deferred.await(givenUp), { status: "cancelled" as const })
  )

const resultOf = <A, E>(
  exit: Exit.Exit<{ readonly status: "done"; readonly value: A } | { readonly status: "cancelled" }, E>
): MemberResult<A, E> => (Exit.isSuccess(exit) ? exit.value : { status: "failed", cause: exit.cause })
