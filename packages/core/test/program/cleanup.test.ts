// Cleaning up when cleaning up itself goes wrong: the first error is told, and what could not be released is tried again.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { reap } from "../../src/program/reap.ts"
import { releaseWorkload } from "../../src/program/retire.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { driven, expectSettled, heldBy, newest, reapedLater, servingOf, whileTimePasses } from "./invariants.ts"
import { dies, fails, hangs, makeHold, times } from "../../src/testing/Reaction.ts"
import { startReplica, world } from "./scripted.ts"

const quick = { healthCheck: { intervalMillis: 500, timeoutSeconds: 2 } }

describe("cleaning up", () => {
  it.effect("U4 H38: a release that fails three times is tried until nothing is left, and masks no error", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered(quick)
      const { run, script } = yield* startReplica("one")
      script.reactions.set("HealthProbe.probe", fails)
      script.reactions.set("ContainerRuntime.stop", times(3, fails))
      const deployment = yield* whileTimePasses(run(deploy(asked(app))))

      expect(deployment).toMatchObject({ status: "failed", error: { code: "unhealthy" } })
      const held = [`${deployment.id}-1`]
      expect(heldBy(state, app.id)).toStrictEqual({ intents: held, workloads: held })
      for (const left of [held, held, []]) {
        expect((yield* run(reap())).workloads).toBe(1)
        expect(heldBy(state, app.id).workloads).toStrictEqual(left)
      }
      expect(yield* run(reap())).toStrictEqual({ deployments: 0, jobs: 0, workloads: 0 })
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("U4: a defect while cleaning up does not turn a cancelled deployment into a failed one", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run, script } = yield* startReplica("one")
      const hold = yield* makeHold
      script.reactions.set("HealthProbe.probe", hold.before)
      script.reactions.set("ContainerRuntime.stop#1", dies)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* hold.reached
      yield* whileTimePasses(Fiber.interrupt(fiber))

      expect((yield* newest(app)).deployment.status).toBe("cancelled")
      yield* run(reap())
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("U4: what retires an older release never decides how the newer one ended", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
      for (const call of [
        "Journal.held#1",
        "Router.drain#1",
        "ContainerRuntime.stop#1",
        "Journal.released#1",
        "LogStore.end#2"
      ]) {
        const { run, script } = yield* startReplica("one")
        script.reactions.set(call, dies)
        expect((yield* whileTimePasses(run(deploy(asked(app))))).status, call).toBe("healthy")
        yield* run(reap())
        expectSettled(state, app.id)
      }
    }).pipe(Effect.provide(world))
  )

  it.effect("H24 INV-4: a stop that hangs is given up after a minute; the lease is kept, so nobody else ends it", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const hold = yield* makeHold
      one.script.reactions.set("HealthProbe.probe", hold.before)
      one.script.reactions.set("ContainerRuntime.stop#1", hangs)
      const fiber = yield* Effect.forkDetach(one.run(deploy(asked(app))))
      yield* hold.reached
      const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
      for (let second = 0; second < 59; second++) {
        yield* TestClock.adjust("1 second")
        expect((yield* two.run(reap())).deployments, `after ${second} s`).toBe(0)
      }
      yield* driven(interrupting)
      expect((yield* newest(app)).deployment.status).toBe("cancelled")
      yield* two.run(reap())
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8 H38: switching traffic back is tried again while the router is away", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
      const before = servingOf(state, app.id)
      const { run, script } = yield* startReplica("one")
      const hold = yield* makeHold
      script.reactions.set("Router.swap#1", hold.after)
      for (const call of ["Router.swap#2", "Router.swap#3", "Router.swap#4"]) script.reactions.set(call, fails)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* hold.reached
      const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
      yield* Effect.yieldNow
      yield* hold.release
      yield* driven(interrupting)

      expect((yield* newest(app)).deployment.status).toBe("cancelled")
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8 H38: while traffic cannot be switched back, what it goes to stays, until a reaper has done it", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
      const before = servingOf(state, app.id)
      const { run, script } = yield* startReplica("one")
      const hold = yield* makeHold
      script.reactions.set("Router.swap", fails)
      script.reactions.set("Router.swap#1", hold.after)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* hold.reached
      const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
      yield* Effect.yieldNow
      yield* hold.release
      yield* driven(interrupting)
      expect(servingOf(state, app.id).workload).toBeDefined()

      const away = yield* startReplica("two")
      away.script.reactions.set("Router.swap", fails)
      yield* reapedLater(away)
      expect(servingOf(state, app.id).workload).toBeDefined()
      expect((yield* newest(app)).deployment.status).toBe("deploying")

      yield* reapedLater(yield* startReplica("three"))
      expect((yield* newest(app)).deployment.status).toBe("failed")
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: an interruption waits for a switch that is under way, and then undoes it", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
      const before = servingOf(state, app.id)
      const { run, script } = yield* startReplica("one")
      const hold = yield* makeHold
      script.reactions.set("Router.swap#1", hold.before)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* hold.reached
      const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
      yield* TestClock.adjust("5 seconds")
      expect(script.calls).not.toContain("Router.swap#2")
      yield* hold.release
      yield* driven(interrupting)
      expect(script.calls).toContain("Router.swap#2")
      expect((yield* newest(app)).deployment.status).toBe("cancelled")
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("H14: releasing what is gone, or was never there, changes nothing", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run } = yield* startReplica("one")
      const first = yield* run(deploy(asked(app)))
      const second = yield* run(deploy(asked(app)))
      const before = servingOf(state, app.id)
      for (const { name, workload } of [...state.intents.values()].filter((row) => row.released)) {
        yield* run(releaseWorkload(name, workload?.id))
        yield* run(releaseWorkload(name, undefined))
      }
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expect([first.status, second.status]).toStrictEqual(["healthy", "healthy"])
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("H14 H37: several reapers at the same time release the same things without harm", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const apps = [yield* registered(), yield* registered()]
      const one = yield* startReplica("one")
      const holds = yield* Effect.forEach(apps, () => makeHold)
      for (const [index, app] of apps.entries()) {
        const hold = holds[index] ?? (yield* makeHold)
        one.script.reactions.set(`HealthProbe.probe#${index + 1}`, hold.before)
        yield* Effect.forkDetach(one.run(deploy(asked(app))))
        yield* hold.reached
      }
      one.script.crashed = true
      yield* TestClock.adjust("1 minute")
      const replicas = yield* Effect.forEach(["two", "three", "four"], (name) => startReplica(name))
      const passes = yield* Effect.all(
        replicas.map(({ run }) => run(reap())),
        { concurrency: "unbounded" }
      )

      expect(passes.reduce((sum, pass) => sum + pass.deployments, 0)).toBe(2)
      for (const app of apps) expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})
