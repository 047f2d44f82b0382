// Where traffic goes is read back before anything is stopped to which it might go: after a switch whose answer was lost, and
// before the Workload is retired that served.
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { App } from "../../src/domain/App.ts"
import { Fence } from "../../src/domain/Lease.ts"
import { IpAddress } from "../../src/domain/Workload.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import type { DeploymentRequest } from "../../src/port/DeploymentRequest.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { Router, RouterError } from "../../src/port/Router.ts"
import { deploy } from "../../src/program/deploy.ts"
import { expire } from "../../src/program/expire.ts"
import { makeReconcile } from "../../src/program/Reconciler.ts"
import { reap } from "../../src/program/reap.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { fails, hangs, loses, makeHold } from "../../src/testing/Reaction.ts"
import { driven, expectSettled, heldBy, newest, reapedLater, servingOf, whileTimePasses } from "./invariants.ts"
import { crashes, startReplica, world } from "./scripted.ts"

/** An App with a Release that serves. */
const deployed = Effect.gen(function* () {
  const app = yield* registered()
  yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
  return app
})

/** An App that was stopped: it has a Release, and its traffic goes nowhere. */
const stopped = Effect.gen(function* () {
  const app = yield* deployed
  yield* (yield* AppStore).mark(app.id, "stopped")
  yield* (yield* startReplica("stopping")).run(expire())
  return app
})

const started = (app: App): DeploymentRequest => ({ app: app.id, trigger: { kind: "start" }, release: "current" })

describe("traffic", () => {
  it.effect("INV-8: a switch that is refused is read back before its Workload is stopped, and the reason is told", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run, script } = yield* startReplica("one")
      script.reactions.set("Router.swap", fails)
      const deployment = yield* run(deploy(asked(app)))
      expect(deployment).toMatchObject({ status: "failed", error: { detail: "a failpoint" } })
      const routed = script.calls.filter((call) => /Router|stop/.test(call))
      expect(routed.slice(0, 4)).toStrictEqual([
        "Router.current#1",
        "Router.swap#1",
        "Router.remove#1",
        "Router.current#2"
      ])
      expect(routed[4]).toMatch(/stop/)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect(
    "INV-8: a switch whose answer is lost, and that cannot be undone, is the Reaper's: nothing is stopped",
    () =>
      Effect.gen(function* () {
        const state = yield* MemoryState
        const app = yield* registered()
        const one = yield* startReplica("one")
        yield* one.run(deploy(asked(app)))
        const before = servingOf(state, app.id)
        const two = yield* startReplica("two")
        two.script.reactions.set("Router.swap#1", loses)
        for (let nth = 2; nth < 20; nth++) two.script.reactions.set(`Router.swap#${nth}`, fails)
        yield* driven(yield* Effect.forkDetach(two.run(deploy(asked(app)))))
        expect(two.script.misled).toStrictEqual([])
        expect(servingOf(state, app.id).workload, "the traffic leads to what is there").toBeDefined()
        yield* reapedLater(one)
        expect(servingOf(state, app.id)).toStrictEqual(before)
        expect(one.script.misled).toStrictEqual([])
        expectSettled(state, app.id)
      }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: a switch that comes late, when it was undone already, is noticed: nothing is stopped", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const one = yield* startReplica("one")
      yield* one.run(deploy(asked(app)))
      const before = servingOf(state, app.id)
      let switched = state.routes.get(app.id)
      one.script.reactions.set("Router.swap#2", (call, refuse) =>
        Effect.andThen(
          Effect.tap(call, () => Effect.sync(() => (switched = state.routes.get(app.id)))),
          refuse ?? Effect.die("it cannot fail")
        )
      )
      one.script.reactions.set("Router.swap#3", (call) =>
        Effect.tap(call, () => Effect.sync(() => switched !== undefined && state.routes.set(app.id, switched)))
      )
      yield* Effect.exit(one.run(deploy(asked(app))))
      expect(one.script.misled).toStrictEqual([])
      expect(servingOf(state, app.id).workload, "the traffic leads to what is there").toBeDefined()
      yield* reapedLater(yield* startReplica("two"))
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect.each([
    ["over a serving release", deployed, asked],
    ["of an App that served nothing", registered(), asked],
    ["of an App that was stopped", stopped, started]
  ] as const)(
    "INV-8 H22 R9: a holder %s that is frozen before its switch and goes on after its lease switches nothing",
    ([, made, request]) =>
      Effect.gen(function* () {
        const state = yield* MemoryState
        const app = yield* made
        const before = servingOf(state, app.id)
        const one = yield* startReplica("one")
        const hold = yield* makeHold
        let isSwitched = false
        one.script.reactions.set("Router.swap#1", (call, refuse) =>
          Effect.tap(hold.before(call, refuse), () => Effect.sync(() => (isSwitched = true)))
        )
        const zombie = yield* Effect.forkDetach(one.run(deploy(request(app))))
        yield* hold.reached
        one.script.reactions.set("DeploymentStore.renew", hangs)
        const two = yield* startReplica("two")
        yield* reapedLater(two)
        expect(servingOf(state, app.id)).toStrictEqual(before)
        expect((yield* newest(app)).deployment.status).toBe("failed")
        yield* hold.release
        yield* driven(zombie)
        expect(isSwitched, "traffic was switched").toBe(false)
        expect(servingOf(state, app.id)).toStrictEqual(before)
        yield* reapedLater(two)
        if (made !== stopped) expectSettled(state, app.id)
      }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: an abandoned Deployment of an App whose port somebody else uses is ended all the same", () =>
    Effect.gen(function* () {
      const app = yield* deployed
      const one = yield* startReplica("one")
      one.script.reactions.set("HealthProbe.probe", crashes(one.script))
      yield* Effect.forkDetach(one.run(deploy(asked(app))))
      while (!one.script.crashed) yield* Effect.yieldNow
      const two = yield* startReplica("two")
      const conflict = new RouterError({ reason: "port_conflict", detail: "somebody listens there" })
      const conflicting = Router.of({
        ...Context.get(two.context, Router),
        current: () => Effect.succeed(undefined),
        swap: () => Effect.fail(conflict)
      })
      yield* TestClock.adjust("1 minute")
      yield* whileTimePasses(Effect.provideContext(reap(), Context.add(two.context, Router, conflicting)))
      expect((yield* newest(app)).deployment).toMatchObject({ status: "failed", error: { code: "lease_lost" } })
      expectSettled(yield* MemoryState, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: a switch is undone to what took the place of the Workload that served before it", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const one = yield* startReplica("one")
      yield* one.run(deploy(asked(app)))
      const before = servingOf(state, app.id)
      const two = yield* startReplica("two")
      const reconcile = yield* makeReconcile
      two.script.reactions.set("DeploymentStore.activate#1", (call) =>
        Effect.gen(function* () {
          if (before.workload !== undefined) one.script.exited.set(before.workload.name, "it ended")
          expect(yield* Effect.orDie(one.run(reconcile()))).toBe(1)
          return yield* call
        })
      )
      two.script.reactions.set("Router.swap#1", loses)
      expect(yield* two.run(deploy(asked(app)))).toMatchObject({ status: "failed" })
      expect(servingOf(state, app.id).workload, "the traffic leads to what is there").toBeDefined()
      expect(servingOf(state, app.id).release).toStrictEqual(before.release)
      expect([...one.script.misled, ...two.script.misled]).toStrictEqual([])
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: a switch that somebody with a newer Fence has overtaken is left as it is", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run, script } = yield* startReplica("one")
      const newer = { fence: Fence.make(99), address: { host: IpAddress.make("127.0.0.1"), port: 1 } }
      script.reactions.set("Router.swap#1", (call) =>
        Effect.andThen(
          Effect.sync(() => state.routes.set(app.id, newer)),
          call
        )
      )
      expect(yield* run(deploy(asked(app)))).toMatchObject({ status: "failed" })
      expect(state.routes.get(app.id)).toStrictEqual(newer)
      expect(script.calls).not.toContain("Router.remove#1")
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: an older Workload to which the traffic goes is not stopped before it was led away", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run, script } = yield* startReplica("one")
      yield* run(deploy(asked(app)))
      const before = state.routes.get(app.id)
      script.reactions.set("Router.drain#1", (call) =>
        Effect.andThen(
          Effect.sync(() => before !== undefined && state.routes.set(app.id, before)),
          call
        )
      )
      const second = yield* run(deploy(asked(app)))
      expect(heldBy(state, app.id).workloads).toHaveLength(2)
      yield* run(reap())
      expect(script.misled).toStrictEqual([])
      expect(servingOf(state, app.id).deployment).toBe(second.id)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})
