// What is asked while the same is under way is sent together, and each who asks has an answer of its own.

import { assert, it } from "@effect/vitest"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import { type Gathered, gathering } from "../src/internal/gathering.ts"

const refused = new StoreError({
  operation: "test",
  reason: "unexpected",
  cause: new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause: { code: "23514" }, message: "refused" }) })
})

const reset = new StoreError({
  operation: "test",
  reason: "unexpected",
  cause: new SqlError.SqlError({ reason: new SqlError.ConnectionError({ cause: { code: "EPIPE" }, message: "reset" }) })
})

const cutOff = new StoreError({ operation: "test", reason: "unavailable", cause: new Error("cut off") })

/** What was sent, in order; each time it waits until it is let go. */
const world = Effect.fnUntraced(function* (more: Partial<Gathered<string, string, StoreError>> = {}) {
  const sent: Array<ReadonlyArray<string>> = []
  const gate = { open: Deferred.makeUnsafe<void>() }
  const of: Gathered<string, string, StoreError> = {
    operation: "test",
    most: 3,
    key: (input) => input.slice(0, 1),
    apart: (input) => (input.endsWith("!") ? input : undefined),
    send: (inputs) =>
      Effect.suspend(() => {
        sent.push(inputs)
        const { open } = gate
        return Effect.as(
          Deferred.await(open),
          inputs.map((input) => (input.endsWith("?") ? Effect.fail(cutOff) : Effect.succeed(`${input} done`)))
        )
      }),
    ...more
  }
  const scope = yield* Scope.make()
  const ask = yield* Scope.provide(gathering(of), scope)
  const asking = (input: string) => Effect.tap(Effect.forkChild(Effect.exit(ask(input))), () => Effect.yieldNow)
  const letGo = Effect.suspend(() => Deferred.succeed(gate.open, undefined))
  return { sent, asking, letGo, gate, scope }
})

const settled = Effect.forEach(Array.from({ length: 10 }), () => Effect.yieldNow)

it.effect("K1: is sent at once alone, and together with what came meanwhile after that", () =>
  Effect.gen(function* () {
    const { asking, letGo, sent } = yield* world()
    const fibers = yield* Effect.forEach(["a1", "a2", "b1", "a3", "a4?", "a5"], asking)
    yield* settled
    assert.deepStrictEqual(sent, [["a1"], ["b1"]])
    yield* letGo
    const exits = yield* Effect.forEach(fibers, Fiber.join)
    assert.deepStrictEqual(sent, [["a1"], ["b1"], ["a2", "a3", "a4?"], ["a5"]])
    assert.deepStrictEqual(
      exits.map((exit) => (Exit.isSuccess(exit) ? exit.value : "failed")),
      ["a1 done", "a2 done", "b1 done", "a3 done", "failed", "a5 done"]
    )
  })
)

it.effect("X10: never together with what has the same mark", () =>
  Effect.gen(function* () {
    const { asking, letGo, sent } = yield* world()
    const fibers = yield* Effect.forEach(["a", "a!", "ab", "a!", "ac"], asking)
    yield* letGo
    yield* Effect.forEach(fibers, Fiber.join)
    assert.deepStrictEqual(sent, [["a"], ["a!", "ab"], ["a!", "ac"]])
  })
)

it.effect("K1: hurts nobody beside it when the database refuses it", () =>
  Effect.gen(function* () {
    const [tried, open] = [new Array<ReadonlyArray<string>>(), yield* Deferred.make<void>()]
    const { asking } = yield* world({
      send: (inputs) =>
        Effect.suspend(() => {
          tried.push(inputs)
          const answers = Effect.succeed(inputs.map((input) => Effect.succeed(input)))
          return Effect.andThen(Deferred.await(open), inputs.includes("a bad one") ? Effect.fail(refused) : answers)
        })
    })
    const fibers = yield* Effect.forEach(["a", "ab", "a bad one", "ac"], asking)
    yield* Deferred.succeed(open, undefined)
    const exits = yield* Effect.forEach(fibers, Fiber.join)
    assert.deepStrictEqual(exits, [Exit.succeed("a"), Exit.succeed("ab"), Exit.fail(refused), Exit.succeed("ac")])
    assert.deepStrictEqual(tried, [["a"], ["ab", "a bad one", "ac"], ["ab"], ["a bad one"], ["ac"]])
  })
)

it.effect("INV-13: is let go by its caller also while it waits behind what it was answered", () =>
  Effect.gen(function* () {
    const ask = yield* gathering<string, string, StoreError>({
      operation: "test",
      most: 3,
      key: () => "",
      apart: () => undefined,
      send: (inputs) => Effect.succeed(inputs.map(() => Effect.never))
    })
    const fiber = yield* Effect.forkChild(ask("a"))
    yield* settled
    yield* Effect.timeout(Fiber.interrupt(fiber), "1 second").pipe(TestClock.withLive)
  }).pipe(Effect.scoped)
)

it.effect.each([cutOff, reset])("E2: is not sent again where nobody knows what became of it: $reason", (error) =>
  Effect.gen(function* () {
    const tried: Array<ReadonlyArray<string>> = []
    const { asking } = yield* world({
      send: (inputs) =>
        Effect.suspend(() => {
          tried.push(inputs)
          return Effect.andThen(settled, Effect.fail(error))
        })
    })
    const fibers = yield* Effect.forEach(["a", "ab", "ac"], asking)
    assert.deepStrictEqual(
      yield* Effect.forEach(fibers, Fiber.join),
      fibers.map(() => Exit.fail(error))
    )
    assert.deepStrictEqual(tried, [["a"], ["ab", "ac"]])
  })
)

it.effect("INV-8: is never sent when its caller goes before that, and waited for after that", () =>
  Effect.gen(function* () {
    const { asking, letGo, sent } = yield* world()
    const [first, second, third] = [yield* asking("a1"), yield* asking("a2"), yield* asking("a3")]
    yield* Fiber.interrupt(second)
    const interrupting = yield* Effect.forkChild(Fiber.interrupt(first))
    yield* settled
    assert.isUndefined(interrupting.pollUnsafe())
    yield* letGo
    yield* Fiber.join(interrupting)
    yield* Fiber.join(third)
    assert.deepStrictEqual(sent, [["a1"], ["a3"]])
  })
)

it.effect("X14: ends with its scope: what waits and what was sent is told so", () =>
  Effect.gen(function* () {
    const { asking, scope, sent } = yield* world()
    const fibers = yield* Effect.forEach(["a1", "a2", "b1"], asking)
    yield* settled
    yield* Scope.close(scope, Exit.void)
    const late = yield* asking("c1")
    const exits = yield* Effect.forEach([...fibers, late], Fiber.join)
    assert.isTrue(exits.every(Exit.isFailure))
    assert.deepStrictEqual(sent, [["a1"], ["b1"]])
  })
)
