// Turns within one process: one at a time per key, in order, bounded, and nothing is kept afterwards.

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { turns } from "../src/internal/turns.ts"

const late = Effect.fail("late")

describe("turns", () => {
  it.effect("those of one key come one after the other in the order of asking, those of another do not wait", () =>
    Effect.gen(function* () {
      const inTurn = turns("1 second")
      const [gate, seen] = [yield* Latch.make(), new Array<string>()]
      const say = (word: string) => Effect.sync(() => void seen.push(word))
      const first = Effect.andThen(say("first begins"), Effect.andThen(gate.await, say("first ends")))
      const fibers = [
        yield* Effect.forkChild(inTurn("a", first, late), { startImmediately: true }),
        yield* Effect.forkChild(inTurn("a", say("second"), late), { startImmediately: true }),
        yield* Effect.forkChild(inTurn("a", say("third"), late), { startImmediately: true })
      ]
      yield* inTurn("b", say("other"), late)
      yield* gate.open
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(seen, ["first begins", "other", "first ends", "second", "third"])
    })
  )

  it.effect("who waits too long is told, who has begun is not, and the next turn comes also after a failure", () =>
    Effect.gen(function* () {
      const inTurn = turns("1 second")
      const gate = yield* Latch.make()
      const first = yield* Effect.forkChild(inTurn("a", Effect.andThen(gate.await, Effect.fail("failed")), late))
      const second = yield* Effect.forkChild(inTurn("a", Effect.void, late))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Effect.exit(Fiber.join(second)), Exit.fail("late"))
      yield* gate.open
      assert.deepStrictEqual(yield* Effect.exit(Fiber.join(first)), Exit.fail("failed"))
      assert.strictEqual(yield* inTurn("a", Effect.succeed("third"), late), "third")
    })
  )

  it.effect("who is interrupted while it waits or works leaves the turn to the next", () =>
    Effect.gen(function* () {
      const inTurn = turns("1 second")
      const [working, waiting] = [
        yield* Effect.forkChild(inTurn("a", Effect.never, late), { startImmediately: true }),
        yield* Effect.forkChild(inTurn("a", Effect.never, late), { startImmediately: true })
      ]
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(working)
      assert.strictEqual(yield* inTurn("a", Effect.succeed("next"), late), "next")
    })
  )
})
