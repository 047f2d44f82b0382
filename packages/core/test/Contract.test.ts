// What a law makes of whatever its check comes to.

import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Redacted } from "effect"
import { equal, eventually, law, Mismatch } from "../src/testing/Contract.ts"

const violationOf = (check: Effect.Effect<unknown, unknown>) =>
  Effect.map(Effect.flip(law("X18", "something holds", check).run), ({ actual, expected, id, law }) => ({
    id,
    law,
    expected,
    actual
  }))

describe("a law", () => {
  it.effect("X18 is kept by a check that succeeds, whatever it answers", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* law("X18", "something holds", Effect.succeed(1)).run)
    })
  )

  it.effect.each([
    { comes: "an assertion", check: equal("the answer", 1, 2), expected: "the answer to be 2", actual: "it is 1" },
    {
      comes: "an error of a port",
      check: Effect.fail({ _tag: "StoreError" }),
      expected: "no failure",
      actual: 'it failed with {"_tag":"StoreError"}'
    },
    {
      comes: "a defect",
      check: Effect.die("a bug"),
      expected: "no failure",
      actual: 'it died with "a bug"'
    },
    {
      comes: "a throw",
      check: Effect.sync(() => JSON.parse("{")),
      expected: "no failure",
      actual: "it died with SyntaxError"
    },
    {
      comes: "its own interruption",
      check: Effect.interrupt,
      expected: "no failure",
      actual: "it was interrupted by itself"
    },
    {
      comes: "the interruption of what it waits for",
      check: Effect.flatMap(Effect.forkChild(Effect.never), (fiber) =>
        Effect.andThen(Fiber.interrupt(fiber), Fiber.join(fiber))
      ),
      expected: "no failure",
      actual: "it was interrupted by itself"
    }
  ])("X18 is violated by $comes", ({ actual, check, expected }) =>
    Effect.gen(function* () {
      const seen = yield* violationOf(check)
      assert.deepInclude(seen, { id: "X18", law: "something holds", expected })
      assert.include(seen.actual, actual)
    })
  )

  it.effect("X18 names itself by its id and its sentence in what it says", () =>
    Effect.gen(function* () {
      const broken = law("X18", "no line is lost", Effect.fail(new Mismatch({ expected: "two lines", actual: "one" })))
      const { message } = yield* Effect.flip(broken.run)
      assert.strictEqual(message, "X18 no line is lost: expected two lines, but one")
    })
  )

  it.effect("INV-11 shows no secret of what it compares", () =>
    Effect.gen(function* () {
      const { actual, expected } = yield* violationOf(equal("it", Redacted.make("canary"), Redacted.make("other")))
      assert.notMatch(`${actual} ${expected}`, /canary|other/)
    })
  )

  it.effect("X18 that is interrupted from outside ends what it began first, and violates nothing", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const released: Array<string> = []
      const check = Effect.onInterrupt(Effect.andThen(Deferred.succeed(begun, undefined), Effect.never), () =>
        Effect.sync(() => void released.push("check"))
      )
      const running = yield* Effect.forkChild(
        Effect.ensuring(
          law("X18", "something holds", check).run,
          Effect.sync(() => void released.push("runner"))
        )
      )
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(running)
      const exit = yield* Fiber.await(running)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.deepStrictEqual(released, ["check", "runner"])
    })
  )
})

describe("a reading that is waited for", () => {
  it.live("X18 is answered once it is as wanted", () =>
    Effect.gen(function* () {
      let count = 0
      const reading = Effect.sync(() => ++count)
      assert.strictEqual(yield* eventually("three", reading, (value) => value === 3), 3)
    })
  )
})
