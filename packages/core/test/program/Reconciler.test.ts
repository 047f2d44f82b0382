// Starting again what should be serving and is not, without getting in the way of anything newer.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { App } from "../../src/domain/App.ts"
import { ContainerRuntime, type WorkloadSpec } from "../../src/port/ContainerRuntime.ts"
import { MemoryState, type MemoryTables } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { defaultDeadlines } from "../../src/program/deadlines.ts"
import { reap } from "../../src/program/reap.ts"
import { makeReconcile } from "../../src/program/Reconciler.ts"
import { asked, plain, registered, revised } from "../../src/testing/Fixture.ts"
import { driven, expectSettled, heldBy, newest, servingOf, whileTimePasses } from "./invariants.ts"
import { dies, diesAfter, fails, hangs, loses, makeHold } from "../../src/testing/Reaction.ts"
import { startReplica, world } from "./scripted.ts"

/** An App that serves, the replica that started it, and that replica's Reconciler. */
const serving = Effect.gen(function* () {
  const state = yield* MemoryState
  const app = yield* registered()
  const replica = yield* startReplica("one")
  yield* replica.run(deploy(asked(app)))
  const reconcile = yield* makeReconcile
  return { state, app, replica, pass: Effect.suspend(() => replica.run(reconcile())) }
})

/** Runs a program and keeps what Workloads are started from. */
const spying = <A, E, R>(program: Effect.Effect<A, E, R>, specs: Array<WorkloadSpec>) =>
  Effect.gen(function* () {
    const runtime = yield* ContainerRuntime
    const start = (spec: WorkloadSpec) => Effect.suspend(() => (specs.push(spec), runtime.start(spec)))
    return yield* Effect.provideService(program, ContainerRuntime, { ...runtime, start })
  })

const kill = (state: MemoryTables, app: App): void => {
  for (const name of heldBy(state, app.id).workloads) state.workloads.delete(name)
}

describe("the reconciler", () => {
  it.effect("INV-8: a serving workload that is gone is started again, and the route leads to the new one", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      yield* revised(app, { A: "1" })
      const { run, script, context } = yield* startReplica("one")
      yield* run(deploy(asked(app)))
      yield* revised(app, { A: "2" })
      const before = servingOf(state, app.id)
      kill(state, app)

      const specs: Array<WorkloadSpec> = []
      const reconcile = yield* makeReconcile
      expect(yield* Effect.provideContext(spying(reconcile(), specs), context)).toBe(1)
      const after = servingOf(state, app.id)
      expect(after.release).toStrictEqual(before.release)
      expect(after.workload?.image).toBe(before.workload?.image)
      expect(after.workload?.name).not.toBe(before.workload?.name)
      expect(specs.map(({ env }) => plain(env))).toStrictEqual([{ A: "1" }])
      expect(script.calls.filter((call) => call.includes("build#"))).toHaveLength(1)
      expectSettled(state, app.id)
      expect(yield* run(reconcile())).toBe(0)
    }).pipe(Effect.provide(world))
  )

  it.effect("what runs, or is another replica's, is left alone", () =>
    Effect.gen(function* () {
      const { app, pass, state } = yield* serving
      expect(yield* pass).toBe(0)
      kill(state, app)
      const { run, script } = yield* startReplica("two")
      const reconcile = yield* makeReconcile
      expect(yield* run(reconcile())).toBe(0)
      expect(script.calls.filter((call) => call.includes("Runtime"))).toStrictEqual([])
      expect(yield* pass).toBe(1)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect(
    "an app that keeps ending is tried again after twice as long each time, and at once when it has settled",
    () =>
      Effect.gen(function* () {
        const { app, pass, state } = yield* serving
        const gaps: Array<number> = []
        let last = 0
        for (let millis = 0; millis < 260_000; millis += 100) {
          kill(state, app)
          if ((yield* pass) === 1) {
            gaps.push(millis - last)
            last = millis
          }
          yield* TestClock.adjust("100 millis")
        }
        expect(gaps.slice(0, 9)).toStrictEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000])
        expect(new Set(gaps.slice(9))).toStrictEqual(new Set([60_000]))

        yield* TestClock.adjust("3 minutes")
        yield* pass
        yield* TestClock.adjust("3 minutes")
        kill(state, app)
        expect(yield* pass).toBe(1)
        kill(state, app)
        yield* TestClock.adjust("500 millis")
        expect(yield* pass).toBe(1)
        expectSettled(state, app.id)
      }).pipe(Effect.provide(world))
  )

  it.effect("an app that cannot be started is tried again after twice as long each time", () =>
    Effect.gen(function* () {
      const { app, pass, replica, state } = yield* serving
      kill(state, app)
      replica.script.reactions.set("ContainerRuntime.start", fails)
      const tries: Array<number> = []
      for (let millis = 0; millis <= 8_000; millis += 100) {
        const from = replica.script.calls.length
        yield* pass
        if (replica.script.calls.slice(from).some((call) => call.includes("start#"))) tries.push(millis)
        yield* TestClock.adjust("100 millis")
      }
      expect(tries).toStrictEqual([0, 500, 1_500, 3_500, 7_500])
    }).pipe(Effect.provide(world))
  )

  it.effect("passes that come late do not make an app that keeps ending look settled", () =>
    Effect.gen(function* () {
      const { app, pass, state } = yield* serving
      const tries: Array<number> = []
      for (let second = 0; second < 1_200; second += 7) {
        kill(state, app)
        if ((yield* pass) === 1) tries.push(second)
        yield* TestClock.adjust("7 seconds")
      }
      const gaps = tries.slice(1).map((second, index) => second - (tries[index] ?? 0))
      expect(gaps.slice(8).every((gap) => gap >= 60)).toBe(true)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: a newer deployment that is current meanwhile wins, and nothing of ours is left", () =>
    Effect.gen(function* () {
      const { app, pass, replica, state } = yield* serving
      kill(state, app)
      const hold = yield* makeHold
      replica.script.reactions.set("HealthProbe.probe#2", hold.before)
      const fiber = yield* Effect.forkDetach(pass)
      yield* hold.reached
      const newer = yield* (yield* startReplica("two")).run(deploy(asked(app)))
      yield* hold.release
      yield* driven(fiber)
      expect(servingOf(state, app.id).deployment).toBe(newer.id)
      yield* replica.run(reap())
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: a newer deployment that switches at the same moment wins", () =>
    Effect.gen(function* () {
      const { app, pass, replica, state } = yield* serving
      kill(state, app)
      const hold = yield* makeHold
      replica.script.reactions.set("Router.swap#2", hold.before)
      const fiber = yield* Effect.forkDetach(pass)
      yield* hold.reached
      const newer = yield* (yield* startReplica("two")).run(deploy(asked(app)))
      yield* hold.release
      yield* driven(fiber)
      expect(servingOf(state, app.id).deployment).toBe(newer.id)
      yield* replica.run(reap())
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("H8: a start that hangs is given up when its time is over", () =>
    Effect.gen(function* () {
      const { app, pass, replica, state } = yield* serving
      kill(state, app)
      replica.script.reactions.set("ContainerRuntime.start#2", hangs)
      const fiber = yield* Effect.forkDetach(pass)
      yield* TestClock.adjust(defaultDeadlines.start)
      yield* driven(fiber, 0)
      yield* TestClock.adjust("1 second")
      expect(yield* pass).toBe(1)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect.each([
    ["ContainerRuntime.inspect#3", dies],
    ["EnvStore.readAt#3", fails],
    ["EnvStore.readAt#3", dies]
  ] as const)("H37: a pass in which %s goes wrong goes on with the other apps", ([call, reaction]) =>
    Effect.gen(function* () {
      const { app, pass, replica, state } = yield* serving
      const other = yield* registered()
      yield* replica.run(deploy(asked(other)))
      for (const dead of [app, other]) kill(state, dead)
      replica.script.reactions.set(call, reaction)
      expect(yield* pass).toBe(1)
      yield* TestClock.adjust("1 second")
      expect(yield* pass).toBe(1)
      expectSettled(state, app.id)
      expectSettled(state, other.id)
    }).pipe(Effect.provide(world))
  )

  it.effect.each([
    ["fails before its effect", fails],
    ["loses its answer", loses],
    ["dies before its effect", dies],
    ["dies after its effect", diesAfter]
  ] as const)("INV-7 H37: when any one call of a restart %s, a later pass makes the app whole", ([, reaction]) =>
    Effect.gen(function* () {
      const calls = yield* Effect.provide(callsOfPass, world)
      expect(calls.length).toBeGreaterThan(8)
      for (const call of calls) {
        if (reaction === loses && !/Store|Journal|Router/.test(call)) continue
        yield* Effect.gen(function* () {
          const { app, pass, replica, state } = yield* serving
          kill(state, app)
          replica.script.reactions.set(call, reaction)
          yield* Effect.exit(whileTimePasses(pass))
          yield* TestClock.adjust("1 second")
          yield* pass
          yield* TestClock.adjust("1 second")
          yield* pass
          expect(servingOf(state, app.id).workload, call).toBeDefined()
          expect(servingOf(state, app.id).deployment, call).toBe((yield* newest(app)).deployment.id)
        }).pipe(Effect.provide(world))
      }
    })
  )

  it.effect(
    "INV-7: interrupted at any call of a restart, nothing of it is left, and a later pass makes the app whole",
    () =>
      Effect.gen(function* () {
        const calls = yield* Effect.provide(callsOfPass, world)
        for (const call of calls) {
          for (const at of ["before", "after"] as const) {
            yield* Effect.gen(function* () {
              const { app, pass, replica, state } = yield* serving
              kill(state, app)
              const hold = yield* makeHold
              replica.script.reactions.set(call, hold[at])
              const fiber = yield* Effect.forkDetach(pass)
              yield* Effect.raceFirst(hold.reached, Fiber.await(fiber))
              const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
              yield* Effect.yieldNow
              yield* hold.release
              yield* driven(interrupting)
              yield* TestClock.adjust("1 second")
              yield* pass
              expect(servingOf(state, app.id).workload, `${call} ${at}`).toBeDefined()
            }).pipe(Effect.provide(world))
          }
        }
      })
  )

  it.effect("INV-8: an app is started again after a deployment of it was cancelled when traffic had moved", () =>
    Effect.gen(function* () {
      const { app, pass, replica, state } = yield* serving
      const hold = yield* makeHold
      replica.script.reactions.set("Router.swap#2", hold.after)
      const fiber = yield* Effect.forkDetach(replica.run(deploy(asked(app))))
      yield* hold.reached
      const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
      yield* Effect.yieldNow
      yield* hold.release
      yield* driven(interrupting)
      expectSettled(state, app.id)

      kill(state, app)
      yield* pass
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})

/** The calls of a pass that starts one App again and to which nothing happens. */
const callsOfPass = Effect.gen(function* () {
  const { app, pass, replica, state } = yield* serving
  kill(state, app)
  const from = replica.script.calls.length
  yield* pass
  return replica.script.calls.slice(from)
})
