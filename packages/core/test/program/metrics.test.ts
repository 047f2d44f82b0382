// What programs count: each outcome once, under labels that are closed sets.
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Metric } from "effect"
import { TestClock } from "effect/testing"
import { ReleaseId } from "../../src/domain/App.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { cancel } from "../../src/program/cancel.ts"
import { deploy } from "../../src/program/deploy.ts"
import { expire } from "../../src/program/expire.ts"
import { reap } from "../../src/program/reap.ts"
import { beginRollback } from "../../src/program/rollback.ts"
import { asked, begun, claimed, registered, unknownDeployment } from "../../src/testing/Fixture.ts"
import { fails, loses } from "../../src/testing/Reaction.ts"
import { whileTimePasses } from "./invariants.ts"
import { crashes, startReplica, world } from "./scripted.ts"

const all = Effect.map(Metric.snapshot, (metrics) =>
  Object.fromEntries(
    metrics.flatMap(({ attributes, id, state }) =>
      "count" in state ? [[[id, ...Object.values(attributes ?? {})].join(" "), Number(state.count)] as const] : []
    )
  )
)

/** What an effect adds to the counters of this name, by their labels. */
const countedBy = Effect.fnUntraced(function* <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) {
  const before = yield* all
  yield* Effect.exit(effect)
  const after = yield* all
  const added = Object.entries(after).map(([key, count]) => [key, count - (before[key] ?? 0)] as const)
  return Object.fromEntries(
    added.flatMap(([key, count]) =>
      key.startsWith(`${name} `) && count > 0 ? [[key.slice(name.length + 1), count]] : []
    )
  )
})

const past = DateTime.makeUnsafe(0)

describe("R8: what programs count", () => {
  it.effect("is the end of each Deployment that a replica ended, once, with the code of its error", () =>
    Effect.gen(function* () {
      const name = "lockkeeper_deployments_ended_total"
      const app = yield* registered({ healthCheck: { intervalMillis: 500, timeoutSeconds: 2 } })
      const one = yield* startReplica("one")
      const deployed = whileTimePasses(one.run(deploy(asked(app))))
      expect(yield* countedBy(name, deployed)).toStrictEqual({ "healthy none": 1 })
      one.script.reactions.set("DeploymentStore.finish#2", loses)
      expect(yield* countedBy(name, deployed)).toStrictEqual({ "healthy none": 1 })
      one.script.reactions.set("HealthProbe.probe", fails)
      expect(yield* countedBy(name, deployed)).toStrictEqual({ "failed unhealthy": 1 })

      const dying = yield* startReplica("dying")
      dying.script.reactions.set("ContainerRuntime.start#1", crashes(dying.script))
      yield* Effect.forkDetach(dying.run(deploy(asked(app))))
      yield* TestClock.adjust("1 minute")
      const two = yield* startReplica("two")
      expect(yield* countedBy(name, two.run(reap()))).toStrictEqual({ "failed lease_lost": 1 })
      expect(yield* countedBy(name, two.run(reap()))).toStrictEqual({})
    }).pipe(Effect.provide(world))
  )

  it.effect("is what came of each request to cancel", () =>
    Effect.gen(function* () {
      const name = "lockkeeper_stop_requests_total"
      const replica = yield* startReplica("one")
      const queued = yield* begun(yield* registered())
      const running = yield* claimed(yield* registered())
      const healthy = yield* replica.run(deploy(asked(yield* registered())))
      const asking = (id: typeof queued.id) => whileTimePasses(replica.run(cancel(id)), 6)
      expect(yield* countedBy(name, asking(queued.id))).toStrictEqual({ cancelled: 1 })
      expect(yield* countedBy(name, asking(running.deployment.id))).toStrictEqual({ cancelling: 1 })
      expect(yield* countedBy(name, asking(healthy.id))).toStrictEqual({ ended_otherwise: 1 })
      expect(yield* countedBy(name, asking(yield* unknownDeployment))).toStrictEqual({ not_found: 1 })
      replica.script.reactions.set("DeploymentStore.requestCancel", fails)
      expect(yield* countedBy(name, asking(queued.id))).toStrictEqual({ store_failed: 1 })
    }).pipe(Effect.provide(world))
  )

  it.effect("is what came of each request to go back", () =>
    Effect.gen(function* () {
      const name = "lockkeeper_rollbacks_total"
      const [replica, state] = [yield* startReplica("one"), yield* MemoryState]
      const app = yield* registered()
      const { release } = yield* replica.run(deploy(asked(app)))
      if (release === null) return expect.unreachable("it is healthy")
      const back = (id = release) => replica.run(beginRollback({ app: app.id, release: id }))
      expect(yield* countedBy(name, back())).toStrictEqual({ begun: 1 })
      expect(yield* countedBy(name, back())).toStrictEqual({ refused: 1 })
      expect(yield* countedBy(name, back(ReleaseId.make("rel_none")))).toStrictEqual({ release_not_found: 1 })
      replica.script.reactions.set("DeploymentStore.release", fails)
      expect(yield* countedBy(name, back())).toStrictEqual({ store_failed: 1 })
      replica.script.reactions.delete("DeploymentStore.release")
      replica.script.reactions.set("ContainerRuntime.keepImage", fails)
      expect(yield* countedBy(name, back())).toStrictEqual({ engine_failed: 1 })
      replica.script.reactions.delete("ContainerRuntime.keepImage")
      state.images.clear()
      expect(yield* countedBy(name, back())).toStrictEqual({ image_gone: 1 })
    }).pipe(Effect.provide(world))
  )

  it.effect("is each App that expired, that is settled, and each try to take one down that failed", () =>
    Effect.gen(function* () {
      const name = "lockkeeper_apps_ended_total"
      const replica = yield* startReplica("one")
      yield* registered({ expiresAt: past })
      yield* registered({ expiresAt: past })
      yield* (yield* AppStore).mark((yield* registered()).id, "stopped")
      replica.script.reactions.set("Router.remove", fails)
      expect(yield* countedBy(name, replica.run(expire()))).toStrictEqual({ expired: 2, failed: 3 })
      replica.script.reactions.delete("Router.remove")
      expect(yield* countedBy(name, replica.run(expire()))).toStrictEqual({ settled: 3 })
      expect(yield* countedBy(name, replica.run(expire()))).toStrictEqual({})
    }).pipe(Effect.provide(world))
  )
})
