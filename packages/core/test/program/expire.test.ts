// What becomes of Apps that are over: whoever fails meanwhile, each ends, and none before everything of it is gone.
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { AppStatus, appTransitions } from "../../src/domain/App.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { expire } from "../../src/program/expire.ts"
import { asked, begun, claimed, registered } from "../../src/testing/Fixture.ts"
import { dies, fails, loses } from "../../src/testing/Reaction.ts"
import { heldBy, servingOf } from "./invariants.ts"
import { startReplica, world } from "./scripted.ts"

const past = DateTime.makeUnsafe(0)

const deployed = Effect.gen(function* () {
  const app = yield* registered()
  const replica = yield* startReplica("one")
  yield* replica.run(deploy(asked(app)))
  const [apps, state] = [yield* AppStore, yield* MemoryState]
  const status = () => state.apps.get(app.id)?.app.status
  return { app, apps, replica, state, status }
})

const nothing = { intents: [], workloads: [] }

describe("expire", () => {
  it.effect("B8: takes a deleting App down, route and Workload, and deletes it in the same pass", () =>
    Effect.gen(function* () {
      const { app, apps, replica, state, status } = yield* deployed
      expect(servingOf(state, app.id).address).toBeDefined()
      yield* apps.mark(app.id, "deleting")
      expect(yield* replica.run(expire())).toStrictEqual({ expired: 0, settled: 1 })
      expect(status()).toBe("deleted")
      expect(heldBy(state, app.id)).toStrictEqual(nothing)
      expect(servingOf(state, app.id).address).toBeUndefined()
      expect(yield* replica.run(expire())).toStrictEqual({ expired: 0, settled: 0 })
    }).pipe(Effect.provide(world))
  )

  it.effect("R4: a stopped App has neither route nor Workload, and keeps its Release", () =>
    Effect.gen(function* () {
      const { app, apps, replica, state, status } = yield* deployed
      const { currentRelease } = yield* apps.mark(app.id, "stopped")
      yield* replica.run(expire())
      expect(status()).toBe("stopped")
      expect(heldBy(state, app.id)).toStrictEqual(nothing)
      expect(state.routes.get(app.id)?.address).toBeUndefined()
      expect((yield* apps.get(app.id)).currentRelease).toBe(currentRelease)
      const before = replica.script.calls.length
      yield* replica.run(expire())
      expect(replica.script.calls.slice(before)).toStrictEqual(["AppStore.claimExpired#2", "AppStore.ending#2"])
    }).pipe(Effect.provide(world))
  )

  it.effect.each([
    ["ContainerRuntime.stop", fails],
    ["ContainerRuntime.stop", dies],
    ["Router.remove", fails],
    ["Journal.held", fails],
    ["AppStore.settle", fails],
    ["ContainerRuntime.stop", loses]
  ] as const)("R5 B8: an App whose %s goes wrong twice is deleting until it does not", ([call, reaction]) =>
    Effect.gen(function* () {
      const { app, apps, replica, state, status } = yield* deployed
      yield* apps.mark(app.id, "deleting")
      const used = replica.script.calls.filter((each) => each.startsWith(`${call}#`)).length
      for (const nth of [1, 2]) replica.script.reactions.set(`${call}#${used + nth}`, reaction)
      for (const _ of [1, 2]) {
        yield* replica.run(expire())
        expect(status()).toBe("deleting")
      }
      yield* replica.run(expire())
      expect(status()).toBe("deleted")
      expect(heldBy(state, app.id)).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect("R5: what fails for one App holds up no other", () =>
    Effect.gen(function* () {
      const { app, apps, replica, status } = yield* deployed
      const other = yield* registered()
      yield* apps.mark(app.id, "deleting")
      yield* apps.mark(other.id, "deleting")
      replica.script.reactions.set("ContainerRuntime.stop", fails)
      expect((yield* replica.run(expire())).settled).toBe(1)
      expect(status()).toBe("deleting")
    }).pipe(Effect.provide(world))
  )

  it.effect("R9 B8: an App whose Deployment is in progress is deleted when that is over", () =>
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const app = yield* registered({ expiresAt: past })
      const claim = yield* claimed(app)
      const { run } = yield* startReplica("one")
      expect(yield* run(expire())).toStrictEqual({ expired: 1, settled: 0 })
      yield* run(expire())
      expect((yield* apps.get(app.id)).status).toBe("deleting")
      yield* deployments.finish(claim, { status: "cancelled" })
      yield* run(expire())
      expect((yield* Effect.flip(apps.get(app.id)))._tag).toBe("AppGone")
    }).pipe(Effect.provide(world))
  )

  it.effect.each(AppStatus.literals)("B6: an App that is %s and over its time is on its way to its end", (status) =>
    Effect.gen(function* () {
      const [apps, state] = [yield* AppStore, yield* MemoryState]
      const app = yield* registered({ expiresAt: past })
      yield* begun(app)
      const { run } = yield* startReplica("one")
      const row = state.apps.get(app.id)
      if (status === "stopped" || status === "deleting") yield* apps.mark(app.id, status)
      if (status === "expired") yield* apps.claimExpired(10)
      if (status === "deleted" && row !== undefined) row.app = { ...row.app, status }
      for (const _ of [1, 2, 3]) yield* run(expire())
      expect(row?.app.status).toBe("deleted")
      expect(appTransitions.deleted).toStrictEqual([])
    }).pipe(Effect.provide(world))
  )
})
