// Runs that outlast their steps or their server: kept for somebody to look at, left half removed, taken over, handed on.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { beginRun } from "../../src/program/beginRun.ts"
import { cancelRun } from "../../src/program/cancelRun.ts"
import { Dispatcher } from "../../src/program/Dispatcher.ts"
import { keepRun } from "../../src/program/keepRun.ts"
import { reap } from "../../src/program/reap.ts"
import { reapRuns } from "../../src/program/reapRuns.ts"
import { runTopology } from "../../src/program/runTopology.ts"
import { fails } from "../../src/testing/Reaction.ts"
import type { Declared } from "../support/topologies.ts"
import { whileTimePasses } from "./invariants.ts"
import { asked, begunRun, inMinutes, kept, left, nothing, present, statusesOf, twoNodes } from "./runWorld.ts"
import { hintedWorld, type ScriptedReplica, startReplica, world } from "./scripted.ts"

const held: Declared = { ...twoNodes, steps: [{ name: "holds", node: "db", command: ["hold", "on"] }] }

const server = Effect.fnUntraced(function* (replica: ScriptedReplica) {
  const scope = yield* Scope.make()
  const layer = Layer.provide(Dispatcher.layer(), Layer.succeedContext(replica.context))
  const context = yield* Scope.provide(Layer.build(layer), scope)
  return { scope, dispatcher: yield* Effect.provideContext(Dispatcher, context) }
})

describe("a run that is kept", () => {
  it.effect("H40: is there until its time is over, and then it is gone", () =>
    Effect.gen(function* () {
      const { fiber, run } = yield* kept(yield* startReplica("one"))
      yield* TestClock.adjust("58 minutes")
      expect((yield* left).places).toBe(1)
      yield* TestClock.adjust("2 minutes")
      expect(yield* Fiber.join(fiber)).toMatchObject({ id: run, status: "succeeded", keepUntil: null })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H40: is kept for longer, and for shorter, when somebody says so", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const { fiber, run } = yield* kept(replica)
      yield* replica.run(keepRun(run, yield* inMinutes(120)))
      yield* TestClock.adjust("110 minutes")
      expect((yield* left).places).toBe(1)
      yield* replica.run(keepRun(run, yield* inMinutes(-1)))
      yield* TestClock.adjust("31 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "succeeded" })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H40: is kept at most a day at a time", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const tooLong = yield* asked(twoNodes, { keepUntil: yield* inMinutes(24 * 60 + 1) })
      const error = yield* Effect.flip(replica.run(runTopology(tooLong)))
      expect(error).toMatchObject({ _tag: "RunRefused", reason: { _tag: "KeepTooLong", limitHours: 24 } })
      const { fiber, run } = yield* kept(replica)
      expect(yield* Effect.flip(replica.run(keepRun(run, yield* inMinutes(24 * 60 + 1))))).toMatchObject({
        _tag: "KeepTooLong"
      })
      yield* whileTimePasses(Fiber.await(fiber), 4_000)
    }).pipe(Effect.provide(world))
  )

  it.effect("H40: is gone at once when it is cancelled, and has ended as was decided", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const { fiber, run } = yield* kept(replica)
      yield* replica.run(cancelRun(run))
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "succeeded", cleanup: "done" })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(hintedWorld))
  )

  it.effect("H40 H31: keeps its time when its server is killed, with whoever takes it over", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const { run } = yield* kept(one, 5)
      one.script.crashed = true
      const other = yield* server(two)
      yield* TestClock.adjust("3 minutes")
      expect(yield* present(run)).toMatchObject({ status: "running" })
      expect((yield* left).places).toBe(1)
      yield* TestClock.adjust("61 seconds")
      expect(yield* present(run)).toMatchObject({ status: "succeeded", cleanup: "done" })
      expect(yield* left).toStrictEqual(nothing)
      yield* whileTimePasses(Scope.close(other.scope, Exit.void))
    }).pipe(Effect.provide(world))
  )

  it.effect("H40 H45: is left to another server by one that stops", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const { dispatcher, scope } = yield* server(one)
      const hand = yield* one.run(beginRun(yield* asked(twoNodes, { keepUntil: yield* inMinutes(5) })))
      yield* dispatcher.takeRun(hand)
      yield* TestClock.adjust("1 minute")
      yield* whileTimePasses(Scope.close(scope, Exit.void))
      expect((yield* left).places).toBe(1)
      const other = yield* server(two)
      yield* TestClock.adjust("2 minutes")
      expect((yield* left).places).toBe(1)
      yield* TestClock.adjust("121 seconds")
      expect(yield* present(hand.run.run.id)).toMatchObject({ status: "succeeded", cleanup: "done" })
      expect(yield* left).toStrictEqual(nothing)
      yield* whileTimePasses(Scope.close(other.scope, Exit.void))
    }).pipe(Effect.provide(world))
  )
})

describe("a run that did not come to its end", () => {
  it.effect("H39: is inconclusive, whatever the steps before have shown", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const [first] = twoNodes.steps ?? []
      const steps = [...(first === undefined ? [] : [first]), ...(held.steps ?? [])]
      const { fiber, run } = yield* begunRun(replica, yield* asked({ ...twoNodes, steps }))
      yield* TestClock.adjust("10 seconds")
      expect((yield* present(run)).steps).toMatchObject([{ exitCode: 0 }])
      yield* replica.run(cancelRun(run))
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "cancelled", verdict: "inconclusive" })
    }).pipe(Effect.provide(world))
  )

  it.effect("H40: is not kept when nothing of it was made", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      replica.script.reactions.set("Provider.resolve", fails)
      const { fiber } = yield* begunRun(replica, yield* asked(twoNodes, { keepUntil: yield* inMinutes(60) }))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "failed", verdict: "inconclusive", cleanup: "done" })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H40: is not kept on when nothing of it is there any more", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const { run } = yield* kept(one, 60)
      one.script.crashed = true
      ;(yield* MemoryState).provided.places.clear()
      const other = yield* server(two)
      yield* TestClock.adjust("1 minute")
      expect(yield* present(run)).toMatchObject({ status: "succeeded", verdict: "pass" })
      yield* whileTimePasses(Scope.close(other.scope, Exit.void))
    }).pipe(Effect.provide(world))
  )
})

describe("a run whose server", () => {
  it.effect("H45: stops has failed, and is gone first", () =>
    Effect.gen(function* () {
      const one = yield* startReplica("one")
      const { dispatcher, scope } = yield* server(one)
      const hand = yield* one.run(beginRun(yield* asked(held)))
      yield* dispatcher.takeRun(hand)
      yield* TestClock.adjust("10 seconds")
      yield* whileTimePasses(Scope.close(scope, Exit.void))
      expect(yield* present(hand.run.run.id)).toMatchObject({ status: "failed", error: { code: "server_lost" } })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H29 H31: is killed is removed by another one after its lease, and has failed with server_lost", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const { run } = yield* begunRun(one, yield* asked(held, { keepUntil: yield* inMinutes(60) }))
      yield* TestClock.adjust("10 seconds")
      one.script.crashed = true
      yield* TestClock.adjust("16 seconds")
      yield* whileTimePasses(two.run(reap()))
      expect(yield* present(run)).toMatchObject({ status: "failed", error: { code: "server_lost" } })
      expect(yield* statusesOf(run)).toStrictEqual(["provisioning", "running", "teardown", "failed"])
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H29 H45: is killed is removed to the end by another one that stops meanwhile", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const { run } = yield* begunRun(one, yield* asked(held))
      yield* TestClock.adjust("10 seconds")
      one.script.crashed = true
      two.script.reactions.set("Provider.remove#1", (effect) => Effect.delay(effect, "10 seconds"))
      const other = yield* server(two)
      yield* TestClock.adjust("18 seconds")
      expect(yield* present(run)).toMatchObject({ status: "teardown" })
      yield* whileTimePasses(Scope.close(other.scope, Exit.void))
      expect(yield* present(run)).toMatchObject({ status: "failed", cleanup: "done" })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("B30 H31: is killed after it was asked to end is cancelled by another one", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const { run } = yield* begunRun(one, yield* asked(held))
      yield* TestClock.adjust("10 seconds")
      one.script.crashed = true
      yield* two.run(cancelRun(run))
      yield* TestClock.adjust("16 seconds")
      yield* whileTimePasses(two.run(reap()))
      expect(yield* present(run)).toMatchObject({ status: "cancelled", error: null })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13 H22: loses its lease does nothing more, and what it made late is removed", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const { fiber, run } = yield* begunRun(one, yield* asked(held))
      yield* TestClock.adjust("10 seconds")
      one.script.reactions.set("JobStore.renew", fails)
      yield* TestClock.adjust("20 seconds")
      yield* whileTimePasses(two.run(reap()))
      expect(yield* Fiber.join(fiber)).toMatchObject({ id: run })
      expect(yield* present(run)).toMatchObject({ status: "failed", error: { code: "server_lost" } })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )
})

describe("a run that cannot be removed", () => {
  it.effect("H38: has ended with its cleanup pending, and is removed in the end", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      for (const nth of [1, 2, 3, 4]) replica.script.reactions.set(`Provider.remove#${nth}`, fails)
      const run = yield* whileTimePasses(replica.run(runTopology(yield* asked(twoNodes))))
      expect(run).toMatchObject({ status: "succeeded", cleanup: "pending" })
      expect(yield* left).toMatchObject({ places: 1, blocks: 1, slots: 0, runs: 1 })
      yield* replica.run(reapRuns())
      expect(yield* present(run.id)).toMatchObject({ cleanup: "pending" })
      yield* replica.run(reapRuns())
      expect(yield* present(run.id)).toMatchObject({ status: "succeeded", cleanup: "done" })
      expect(yield* left).toStrictEqual(nothing)
      expect(yield* replica.run(reapRuns())).toBe(0)
    }).pipe(Effect.provide(world))
  )

  it.effect("H38 B17: at the first tries is removed by the next, and nobody has to look", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      for (const nth of [1, 2]) replica.script.reactions.set(`Provider.remove#${nth}`, fails)
      const run = yield* whileTimePasses(replica.run(runTopology(yield* asked(twoNodes))))
      expect(run).toMatchObject({ status: "succeeded", cleanup: "done" })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("H38: holds up no other one", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      for (const nth of [1, 2, 3, 7]) replica.script.reactions.set(`Provider.remove#${nth}`, fails)
      for (const nth of [4, 5, 6]) replica.script.reactions.set(`Provider.remove#${nth}`, fails)
      const first = yield* whileTimePasses(replica.run(runTopology(yield* asked(twoNodes))))
      const second = yield* whileTimePasses(replica.run(runTopology(yield* asked(twoNodes))))
      yield* replica.run(reapRuns())
      const cleanups = [yield* present(first.id), yield* present(second.id)].map(({ cleanup }) => cleanup)
      expect(cleanups.toSorted()).toStrictEqual(["done", "pending"])
    }).pipe(Effect.provide(world))
  )
})
