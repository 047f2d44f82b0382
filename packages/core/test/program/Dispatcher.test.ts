// A replica that carries out queued Deployments: how many at once, what a stop leaves, and what it survives.
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { App } from "../../src/domain/App.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { MemoryState, type MemoryTables } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { Dispatcher, type DispatcherOptions } from "../../src/program/Dispatcher.ts"
import { asked, begun, registered, registeredTogether } from "../../src/testing/Fixture.ts"
import { driven, expectSettled, heldBy, newest, whileTimePasses } from "./invariants.ts"
import { dies, fails, hangs, makeHold, times } from "../../src/testing/Reaction.ts"
import { crashes, hintedWorld, type ScriptedReplica, startReplica, world } from "./scripted.ts"

/** A running Dispatcher, and how to stop it. */
const dispatching = Effect.fnUntraced(function* (replica: ScriptedReplica, options?: DispatcherOptions) {
  const scope = yield* Scope.make()
  const layer = Layer.provide(Dispatcher.layer(options), Layer.succeedContext(replica.context))
  const dispatcher = Context.get(yield* Layer.buildWithScope(layer, scope), Dispatcher)
  const close = Scope.close(scope, Exit.void)
  return { ready: dispatcher.ready, wake: dispatcher.wake, close, stop: whileTimePasses(close) }
})

const statuses = (state: MemoryTables): ReadonlyArray<string> =>
  [...state.deployments.values()].map(({ deployment }) => deployment.status)

const isActive = (status: string): boolean => status === "building" || status === "deploying"

describe("the dispatcher", () => {
  it.effect("INV-1: ten queued apps of a tenant are carried out three at a time, and another tenant at once", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const apps = yield* registeredTogether(10)
      yield* Effect.forEach(apps, (app) => begun(app))
      const other = yield* registered()
      yield* begun(other)
      const replica = yield* startReplica("one")
      replica.script.building = () => Effect.sleep("10 seconds")
      const { stop } = yield* dispatching(replica)
      yield* TestClock.adjust("1 second")
      expect((yield* newest(other)).deployment.status).toBe("building")
      let most = 0
      const seen = new Set<string>()
      for (let second = 0; second < 60; second++) {
        const active = apps.filter((app) => statusOf(state, app).some(isActive))
        for (const app of active) seen.add(app.id)
        most = Math.max(most, active.length)
        expect(active.length).toBeLessThanOrEqual(3)
        yield* TestClock.adjust("1 second")
      }
      expect([most, seen.size]).toStrictEqual([3, 10])
      expect(statuses(state)).toStrictEqual(Array.from({ length: 11 }, () => "healthy"))
      for (const app of [...apps, other]) expectSettled(state, app.id)
      yield* stop
    }).pipe(Effect.provide(world))
  )

  it.effect("H25: while the stores are away nothing is asked of them more often than it is otherwise", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      replica.script.reactions.set("AppStore.claimExpired", fails)
      replica.script.reactions.set("DeploymentStore.claimAbandoned", fails)
      const { stop } = yield* dispatching(replica)
      yield* TestClock.adjust("10 seconds")
      const asked = (point: string) => replica.script.calls.filter((call) => call.startsWith(`${point}#`)).length
      expect(asked("AppStore.claimExpired")).toBeLessThanOrEqual(11)
      expect(asked("AppStore.claimExpired")).toBeGreaterThan(5)
      expect(asked("DeploymentStore.claimAbandoned")).toBeLessThanOrEqual(24)
      expect(asked("DeploymentStore.claimAbandoned")).toBeGreaterThan(10)
      yield* stop
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-4 H14: stopping cancels what is in progress, releases everything, and leaves the queue as it is", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const apps = yield* registeredTogether(5)
      yield* Effect.forEach(apps, (app) => begun(app))
      const replica = yield* startReplica("one")
      replica.script.reactions.set("HealthProbe.probe", hangs)
      const { stop } = yield* dispatching(replica)
      yield* TestClock.adjust("3 seconds")
      expect(statuses(state)).toStrictEqual(["deploying", "deploying", "deploying", "queued", "queued"])
      expect(state.workloads.size).toBe(3)

      yield* stop
      expect(statuses(state)).toStrictEqual(["cancelled", "cancelled", "cancelled", "queued", "queued"])
      expect(state.workloads.size).toBe(0)
      expect([...state.intents.values()].every((intent) => intent.released)).toBe(true)
      for (const app of apps.slice(0, 3)) expectSettled(state, app.id)

      const successor = yield* dispatching(yield* startReplica("one"))
      yield* TestClock.adjust("3 seconds")
      expect(statuses(state).slice(3)).toStrictEqual(["healthy", "healthy"])
      yield* successor.stop
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-4: one that is being admitted when it stops is cancelled too", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      yield* begun(app)
      const replica = yield* startReplica("one")
      const hold = yield* makeHold
      replica.script.reactions.set("DeploymentStore.admit#1", hold.after)
      const { close } = yield* dispatching(replica)
      yield* hold.reached
      const closing = yield* Effect.forkDetach(close)
      yield* TestClock.adjust("1 second")
      yield* hold.release
      yield* driven(closing)
      expect((yield* newest(app)).deployment.status).toBe("cancelled")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("looks for work at once when it is woken, and else when it is time", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const replica = yield* startReplica("one")
      const { stop, wake } = yield* dispatching(replica, { pollEvery: "1 hour" })
      yield* TestClock.adjust("1 second")
      const [first, second] = [yield* registered(), yield* registered()]
      yield* begun(first)
      yield* TestClock.adjust("1 minute")
      expect((yield* newest(first)).deployment.status).toBe("queued")
      yield* wake
      yield* TestClock.adjust("1 second")
      expect((yield* newest(first)).deployment.status).toBe("healthy")

      yield* begun(second)
      yield* TestClock.adjust("1 hour")
      expect(statuses(state)).toStrictEqual(["healthy", "healthy"])
      yield* stop
    }).pipe(Effect.provide(world))
  )

  it.effect("looks for work at once when a slot is free again", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      yield* Effect.forEach(yield* registeredTogether(4), (app) => begun(app))
      const { stop } = yield* dispatching(yield* startReplica("one"), { pollEvery: "1 hour" })
      for (let second = 0; second < 60; second++) yield* TestClock.adjust("1 second")
      expect(statuses(state)).toStrictEqual(["healthy", "healthy", "healthy", "healthy"])
      yield* stop
    }).pipe(Effect.provide(hintedWorld))
  )

  it.effect("every replica that hears the Hint of a Deployment looks for it at once", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { stop } = yield* dispatching(yield* startReplica("one"), { pollEvery: "1 hour" })
      yield* TestClock.adjust("1 second")
      yield* (yield* startReplica("other")).run(begun(app))
      yield* TestClock.adjust("1 second")
      expect(statuses(state)).toStrictEqual(["healthy"])
      yield* stop
    }).pipe(Effect.provide(hintedWorld))
  )

  it.effect("takes an app down at once when it hears that one is to be taken down", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const replica = yield* startReplica("one")
      const app = yield* registered()
      yield* replica.run(deploy(asked(app)))
      const { stop } = yield* dispatching(replica, { expireEvery: "1 hour" })
      yield* TestClock.adjust("1 second")
      yield* (yield* AppStore).mark(app.id, "deleting")
      yield* TestClock.adjust("1 second")
      expect(state.apps.get(app.id)?.app.status).toBe("deleted")
      yield* stop
    }).pipe(Effect.provide(hintedWorld))
  )

  it.effect("INV-13: a restarted replica ends at once what its dead predecessor held", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const [app, elsewhere] = [yield* registered(), yield* registered()]
      const [dead, alive] = [yield* startReplica("one"), yield* startReplica("two")]
      const hold = yield* makeHold
      dead.script.reactions.set("HealthProbe.probe#1", crashes(dead.script))
      alive.script.reactions.set("HealthProbe.probe#1", hold.before)
      yield* Effect.forkDetach(dead.run(deploy(asked(app))))
      yield* Effect.forkDetach(alive.run(deploy(asked(elsewhere))))
      yield* hold.reached

      const { stop } = yield* dispatching(yield* startReplica("one"))
      yield* TestClock.adjust("100 millis")
      expect((yield* newest(app)).deployment).toMatchObject({ status: "failed", error: { code: "lease_lost" } })
      expect((yield* newest(elsewhere)).deployment.status).toBe("deploying")
      expectSettled(state, app.id)
      yield* stop
      yield* hold.release
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13: takes nothing over before it has given up what its predecessor held, and is not ready then", () =>
    Effect.gen(function* () {
      const app = yield* registered()
      const [dead, replica] = [yield* startReplica("dead"), yield* startReplica("one")]
      const hold = yield* makeHold
      dead.script.reactions.set("HealthProbe.probe#1", crashes(dead.script))
      replica.script.reactions.set("JobStore.abandon#1", hold.before)
      yield* Effect.forkDetach(dead.run(deploy(asked(app))))
      const { ready, stop } = yield* dispatching(replica)
      const waiting = yield* Effect.forkChild(ready)
      yield* TestClock.adjust("1 minute")
      expect(replica.script.calls.filter((call) => call.includes("claimAbandoned"))).toStrictEqual([])
      expect(waiting.pollUnsafe()).toBeUndefined()
      yield* hold.release
      yield* Fiber.join(waiting)
      yield* TestClock.adjust("1 second")
      expect((yield* newest(app)).deployment).toMatchObject({ status: "failed", error: { code: "lease_lost" } })
      yield* stop
    }).pipe(Effect.provide(world))
  )

  it.effect.each([
    ["fail", fails],
    ["die", dies]
  ] as const)("H38: calls that %s for a while stop nothing for good", ([, reaction]) =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const [app, abandoned] = [yield* registered(), yield* registered()]
      const dead = yield* startReplica("dead")
      dead.script.reactions.set("HealthProbe.probe#1", crashes(dead.script))
      yield* Effect.forkDetach(dead.run(deploy(asked(abandoned))))
      yield* begun(app)
      const replica = yield* startReplica("one")
      for (const call of ["abandon", "admit", "claimAbandoned", "serving"]) {
        replica.script.reactions.set(`DeploymentStore.${call}`, times(3, reaction))
      }
      const { stop } = yield* dispatching(replica)
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 60 })
      expect((yield* newest(app)).deployment.status).toBe("healthy")
      expect((yield* newest(abandoned)).deployment.status).toBe("failed")

      state.workloads.clear()
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 10 })
      expectSettled(state, app.id)
      expectSettled(state, abandoned.id)
      yield* stop
    }).pipe(Effect.provide(world))
  )

  it.effect("X14: starts no app again before it has adopted what runs, so that no line is stored twice", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      yield* (yield* startReplica("one")).run(deploy(asked(app)))
      state.workloads.clear()

      const replica = yield* startReplica("one")
      replica.script.reactions.set("Journal.heldBy#1", fails)
      const heard: Array<string> = []
      replica.script.saying = ({ name }) => (heard.push(name), Stream.empty)
      const { stop } = yield* dispatching(replica)
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 10 })
      expect(heard).toStrictEqual(heldBy(state, app.id).workloads)
      expectSettled(state, app.id)
      yield* stop
    }).pipe(Effect.provide(world))
  )

  it.effect("one app that does not get healthy holds up the restart of no other", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const [stuck, app] = [yield* registered(), yield* registered()]
      const replica = yield* startReplica("one")
      yield* replica.run(deploy(asked(stuck)))
      yield* replica.run(deploy(asked(app)))
      const { stop } = yield* dispatching(replica)
      yield* TestClock.adjust("1 second")
      state.workloads.delete([...state.workloads.keys()][0] ?? expect.fail("a workload"))
      replica.script.reactions.set("HealthProbe.probe#3", hangs)
      yield* TestClock.adjust("4 seconds")
      const mine = [...state.intents.values()].find((intent) => intent.app === app.id)
      if (mine !== undefined) state.workloads.delete(mine.name)
      yield* TestClock.adjust("4 seconds")
      expectSettled(state, app.id)
      yield* stop
    }).pipe(Effect.provide(world))
  )
})

const statusOf = (state: MemoryTables, app: App): ReadonlyArray<string> =>
  [...state.deployments.values()].filter((row) => row.deployment.app === app.id).map((row) => row.deployment.status)
