// The driver of failpoints finds a planted leak and a planted lie at exactly the points where they are, and nothing in the
// same program without them.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { failpoint, Failpoints } from "../../src/port/failpoint.ts"
import { type Fault, faults, isPossible, type Point, pointsOf, runWithFault } from "../../src/testing/everyFailpoint.ts"

/** What a program has made and not released, and what it has written down. */
interface World {
  readonly open: Set<string>
  written: boolean
}

const away = Effect.fail("away" as const)

const opened = (world: World) =>
  failpoint(
    "door.open",
    Effect.sync(() => void world.open.add("door")),
    away
  )
const closed = (world: World) =>
  failpoint(
    "door.close",
    Effect.sync(() => void world.open.delete("door"))
  )
const written = (world: World) =>
  failpoint(
    "book.write",
    Effect.sync(() => void (world.written = true)),
    away
  )

/** Releases whatever it made, on every way out. */
const careful = (world: World) =>
  Effect.scoped(
    Effect.andThen(
      Effect.addFinalizer(() => Effect.ignoreCause(Effect.retry(Effect.sandbox(closed(world)), { times: 1 }))).pipe(
        Effect.andThen(Effect.uninterruptible(opened(world)))
      ),
      written(world)
    )
  )

/** Releases what it made when all went well. */
const careless = (world: World) =>
  opened(world).pipe(
    Effect.andThen(written(world)),
    Effect.tapError(() => closed(world)),
    Effect.andThen(closed(world))
  )

type Program = (world: World) => Effect.Effect<void, "away">

/** Where something is left open at the end, as `fault at point`. */
const leaks = Effect.fnUntraced(function* (program: Program, tried: ReadonlyArray<Fault>) {
  const points = yield* pointsOf(program({ open: new Set(), written: false }))
  const cases = points.flatMap((point) =>
    tried.filter((fault) => isPossible(point, fault)).map((fault) => ({ fault, point }))
  )
  const found = yield* Effect.forEach(cases, ({ fault, point }) =>
    Effect.gen(function* () {
      const world: World = { open: new Set(), written: false }
      yield* runWithFault(program(world), point, fault)
      return world.open.size === 0 ? [] : [`${fault} at ${point.name}#${point.nth}`]
    })
  )
  return found.flat()
})

const survived = faults.filter((fault) => !fault.startsWith("is cut off"))

describe("a failpoint", () => {
  it.effect("is nothing while nobody listens", () =>
    Effect.gen(function* () {
      const world: World = { open: new Set(), written: false }
      yield* written(world)
      expect(world.written).toBe(true)
      expect(yield* Failpoints).toBeUndefined()
    })
  )

  it.effect("is found as often as a program reaches it, in order, with whether it can fail", () =>
    Effect.gen(function* () {
      const world: World = { open: new Set(), written: false }
      const points = yield* pointsOf(Effect.andThen(careful(world), careful(world)))
      const point = (name: string, nth: number): Point => ({ name, nth, canFail: name !== "door.close" })
      expect(points).toStrictEqual([
        point("door.open", 1),
        point("book.write", 1),
        point("door.close", 1),
        point("door.open", 2),
        point("book.write", 2),
        point("door.close", 2)
      ])
    })
  )

  it.effect("leaves nothing of a careful program, whatever happens there", () =>
    Effect.gen(function* () {
      expect(yield* leaks(careful, survived)).toStrictEqual([])
    })
  )

  it.effect("shows exactly where a careless program leaks", () =>
    Effect.gen(function* () {
      expect(yield* leaks(careless, survived)).toStrictEqual([
        "dies after at door.open#1",
        "is interrupted after at door.open#1",
        "dies before at book.write#1",
        "dies after at book.write#1",
        "is interrupted before at book.write#1",
        "is interrupted after at book.write#1",
        "dies before at door.close#1",
        "is interrupted before at door.close#1"
      ])
    })
  )

  it.effect("cuts a program off: nothing that it does any more happens, its finalizers included", () =>
    Effect.gen(function* () {
      for (const [fault, wasWritten] of [
        ["is cut off before", false],
        ["is cut off after", true]
      ] as const) {
        const world: World = { open: new Set(), written: false }
        const { exit, reached } = yield* runWithFault(careful(world), { name: "book.write", nth: 1 }, fault)
        expect([exit, reached]).toStrictEqual([undefined, true])
        expect([world.written, [...world.open]]).toStrictEqual([wasWritten, ["door"]])
      }
    })
  )

  it.effect("says how the program ended, and whether the point was reached at all", () =>
    Effect.gen(function* () {
      const world: World = { open: new Set(), written: false }
      const failed = yield* runWithFault(careful(world), { name: "book.write", nth: 1 }, "fails")
      expect(failed).toStrictEqual({ reached: true, exit: Exit.fail("away") })
      const never = yield* runWithFault(careful(world), { name: "book.write", nth: 2 }, "fails")
      expect(never).toStrictEqual({ reached: false, exit: Exit.void })
      const interrupted = yield* runWithFault(careful(world), { name: "book.write", nth: 1 }, "is interrupted before")
      expect(interrupted.exit !== undefined && Exit.hasInterrupts(interrupted.exit)).toBe(true)
    })
  )

  it.effect("reaches the fibers that a program starts", () =>
    Effect.gen(function* () {
      const world: World = { open: new Set(), written: false }
      const points = yield* pointsOf(Effect.flatMap(Effect.forkChild(written(world)), Fiber.join))
      expect(points.map(({ name }) => name)).toStrictEqual(["book.write"])
    })
  )
})
