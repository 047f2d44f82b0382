// The results of many members: all of them, in their order, whatever becomes of one.
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber, Random } from "effect"
import { TestClock } from "effect/testing"
import { collectResults, type MemberResult } from "../../src/program/collectResults.ts"

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

/** What of a result can be compared. */
const told = <A, E>(result: MemberResult<A, E>) =>
  result.status === "done" ? result.value : result.status === "failed" ? Cause.squash(result.cause) : result.status

const collect = <A, E>(
  count: number,
  perform: (member: number) => Effect.Effect<A, E>,
  terms: Partial<Parameters<typeof collectResults>[2]> = {}
) =>
  Effect.map(collectResults(numbers(count), perform, { concurrency: 10, onFailure: "continue", ...terms }), (results) =>
    results.map(told)
  )

const inAnyTime = (millis: number) => Effect.flatMap(Random.nextIntBetween(0, millis), (delay) => Effect.sleep(delay))

describe("the results of many members", () => {
  it.effect(
    "H13 H46 are in the order of the members, a hundred times, and one failure keeps the other ninety-nine",
    () =>
      Effect.gen(function* () {
        for (const [round] of numbers(100).entries()) {
          const perform = (member: number) =>
            Effect.andThen(inAnyTime(50), member === round ? Effect.fail(`no ${member}`) : Effect.succeed(member))
          const collecting = yield* Effect.forkChild(collect(100, perform))
          yield* TestClock.adjust("10 seconds")
          const results = yield* Fiber.join(collecting)
          assert.deepStrictEqual(
            results,
            numbers(100).map((member) => (member === round ? `no ${member}` : member))
          )
        }
      })
  )

  it.effect("B22 H46 of which one fails are all there, and with stop those that were not begun are pending", () =>
    Effect.gen(function* () {
      const perform = (member: number) =>
        member === 1 ? Effect.fail("no") : Effect.delay(Effect.succeed(member), `${100 * (member + 1)} millis`)
      const both = ["continue", "stop"] as const
      const collecting = yield* Effect.forkChild(
        Effect.forEach(both, (onFailure) => collect(5, perform, { onFailure, concurrency: 2 }))
      )
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* Fiber.join(collecting), [
        [0, "no", 2, 3, 4],
        [0, "no", "pending", "pending", "pending"]
      ])
    })
  )

  it.effect("H13 keep a defect as the result of its member", () =>
    Effect.gen(function* () {
      const results = yield* collect(3, (member) => (member === 1 ? Effect.die("broken") : Effect.succeed(member)))
      assert.deepStrictEqual(results, [0, "broken", 2])
    })
  )

  it.effect(
    "H46 keep what is done when all is given up: those at work are interrupted, and nothing more is begun",
    () =>
      Effect.gen(function* () {
        const begun: Array<number> = []
        const interrupted: Array<number> = []
        const cancelled = yield* Deferred.make<void>()
        const perform = (member: number) => {
          begun.push(member)
          const work = member === 0 ? Effect.succeed(member) : Effect.never
          return Effect.onInterrupt(work, () => Effect.sync(() => interrupted.push(member)))
        }
        const collecting = yield* Effect.forkChild(
          collect(5, perform, { concurrency: 2, cancelled: Deferred.await(cancelled) })
        )
        yield* TestClock.adjust("1 second")
        yield* Deferred.succeed(cancelled, undefined)
        assert.deepStrictEqual(yield* Fiber.join(collecting), [0, "cancelled", "cancelled", "pending", "pending"])
        assert.deepStrictEqual(
          [begun, interrupted.sort()],
          [
            [0, 1, 2],
            [1, 2]
          ]
        )
      })
  )

  it.effect("H46 are given up with whoever collects them", () =>
    Effect.gen(function* () {
      const interrupted: Array<number> = []
      const perform = (member: number) =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(member)))
      const collecting = yield* Effect.forkChild(collect(3, perform))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(collecting)
      assert.deepStrictEqual(interrupted.sort(), [0, 1, 2])
    })
  )

  it.effect("H46 are worked on as many at once as was said, and no more", () =>
    Effect.gen(function* () {
      let [now, most] = [0, 0]
      const perform = () =>
        Effect.gen(function* () {
          most = Math.max(most, ++now)
          yield* Effect.sleep("1 second")
          now--
        })
      const collecting = yield* Effect.forkChild(collect(20, perform, { concurrency: 4 }))
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(collecting)
      assert.strictEqual(most, 4)
    })
  )
})
