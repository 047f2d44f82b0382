// A Deployment to which nothing happens: what it says, what it leaves, and what a second one makes of the first.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { DeliveryId } from "../../src/domain/Deployment.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { carryOut, deploy } from "../../src/program/deploy.ts"
import { Replica } from "../../src/program/Replica.ts"
import { asked, begun, registered, registeredTogether, revised } from "../../src/testing/Fixture.ts"
import { driven, expectSettled, heldBy, newest, servingOf, statusesOf, whileTimePasses } from "./invariants.ts"
import { makeHold } from "../../src/testing/Reaction.ts"
import { startReplica, world } from "./scripted.ts"

const usageOf = Effect.fnUntraced(function* (app: Parameters<typeof asked>[0]) {
  const { deployments } = yield* MemoryState
  const rows = [...deployments.values()].filter(({ deployment }) => deployment.app === app.id)
  return rows.filter(({ deployment }) => ["queued", "building", "deploying"].includes(deployment.status)).length
})

describe("deploy", () => {
  it.effect("INV-8: goes through every status once, and then its image is what the route leads to", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run } = yield* startReplica("one")
      const deployment = yield* run(deploy(asked(app)))

      expect(deployment.status).toBe("healthy")
      expect(statusesOf(state, deployment.id)).toStrictEqual(["queued", "building", "deploying", "healthy"])
      const { release, workload, address } = servingOf(state, app.id)
      expect(release?.id).toBe(deployment.release)
      expect(workload?.image).toBe(deployment.image)
      expect(workload?.address).toStrictEqual(address)
      expect((yield* (yield* AppStore).get(app.id)).currentRelease).toBe(deployment.release)
      expect(heldBy(state, app.id).intents).toHaveLength(1)
      expect(yield* usageOf(app)).toBe(0)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("U1: its log has ended, with every line in order", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const { run } = yield* startReplica("one")
      const deployment = yield* run(deploy(asked(yield* registered())))
      const log = state.logs.get(`deployment/${deployment.id}`)

      expect(log?.ended).toBe(true)
      expect(log?.lines.map(({ seq }) => seq)).toStrictEqual(log?.lines.map((_, index) => index + 1))
      expect(log?.lines.map(({ line }) => line)).toStrictEqual([
        "fetching the archive source",
        "fetched",
        "building",
        `built ${deployment.image}`,
        `built ${deployment.image}`,
        `starting ${deployment.id}-1`,
        "waiting until its port answers",
        "healthy",
        "switching traffic",
        "serving"
      ])
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-7: a second one takes over the route, and only then the first one's workload is gone", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run, script } = yield* startReplica("one")
      const first = yield* run(deploy(asked(app)))
      yield* revised(app, { GREETING: "hello" })
      const hold = yield* makeHold
      script.reactions.set("Router.drain#1", hold.before)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* hold.reached

      const second = (yield* newest(app)).deployment
      expect(second.status).toBe("healthy")
      expect(heldBy(state, app.id).workloads).toStrictEqual([`${first.id}-1`, `${second.id}-2`])
      expect(servingOf(state, app.id).workload?.name).toBe(`${second.id}-2`)
      yield* hold.release
      yield* driven(fiber)
      expect(heldBy(state, app.id).workloads).toStrictEqual([`${second.id}-2`])
      expect(servingOf(state, app.id).release?.envRevision).toBe(1)
      expect(statusesOf(state, first.id).at(-1)).toBe("healthy")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-7: the older one is retired without the newer one that has begun meanwhile", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const slow = yield* makeHold
      one.script.reactions.set("LogStore.end#1", slow.before)
      const first = yield* Effect.forkDetach(one.run(deploy(asked(app))))
      yield* slow.reached

      const probing = yield* makeHold
      two.script.reactions.set("HealthProbe.probe#1", probing.before)
      const second = yield* Effect.forkDetach(two.run(deploy(asked(app))))
      yield* probing.reached
      yield* slow.release
      yield* driven(first)
      const { deployment } = yield* newest(app)
      expect(heldBy(state, app.id).workloads).toContain(`${deployment.id}-2`)
      yield* probing.release
      yield* driven(second)
      expect((yield* newest(app)).deployment.status).toBe("healthy")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("U9: the same delivery makes no second deployment", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run } = yield* startReplica("one")
      const request = asked(app, { trigger: { kind: "webhook", deliveryId: DeliveryId.make("delivery-1") } })
      const first = yield* run(deploy(request))
      expect(yield* run(deploy(request))).toStrictEqual(first)
      expect(state.deployments.size).toBe(1)
    }).pipe(Effect.provide(world))
  )

  it.effect("U8: one that is in progress is named to whoever asks for another", () =>
    Effect.gen(function* () {
      const app = yield* registered()
      const { run, script } = yield* startReplica("one")
      const hold = yield* makeHold
      script.reactions.set("ContainerRuntime.build#1", hold.before)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* hold.reached
      const { deployment } = yield* newest(app)
      const refused = yield* Effect.flip(run(deploy(asked(app))))
      expect(refused).toMatchObject({ reason: { _tag: "DeploymentInProgress", activeDeployment: deployment.id } })
      yield* hold.release
      yield* driven(fiber)
      expectSettled(yield* MemoryState, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-4: interrupted while it waits for a slot it is cancelled, and nothing was begun", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const { run, script } = yield* startReplica("one")
      const busy = yield* registeredTogether(4)
      const hold = yield* makeHold
      script.reactions.set("ContainerRuntime.build", hold.before)
      const fibers = yield* Effect.forEach(busy, (app) => Effect.forkDetach(run(deploy(asked(app)))))
      yield* TestClock.adjust("5 seconds")
      const queued = [...state.deployments.values()].filter(({ deployment }) => deployment.status === "queued")
      expect(queued).toHaveLength(1)
      const waiting = fibers[3]
      if (waiting !== undefined) yield* whileTimePasses(Fiber.interrupt(waiting))
      expect(queued.map(({ deployment }) => statusesOf(state, deployment.id))).toStrictEqual([["queued", "cancelled"]])
      yield* hold.release
      yield* Effect.forEach(fibers.slice(0, 3), (fiber) => driven(fiber))
      for (const app of busy) expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("waits behind what asked before it, and is carried out when that has a slot", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const { run } = yield* startReplica("one")
      const [earlier, later] = yield* registeredTogether(2)
      if (earlier === undefined || later === undefined) return expect.fail("two apps")
      const first = yield* begun(earlier)
      const waiting = yield* Effect.forkDetach(run(deploy(asked(later))))
      yield* TestClock.adjust("1 minute")
      expect((yield* newest(later)).deployment.status).toBe("queued")

      const { id, terms } = yield* run(Effect.service(Replica))
      const claim = yield* run(Effect.flatMap(DeploymentStore, (store) => store.admit({ replica: id, terms })))
      expect(claim?.deployment.id).toBe(first.id)
      if (claim !== undefined) yield* run(carryOut(claim))
      yield* driven(waiting)
      for (const app of [earlier, later]) {
        expect((yield* newest(app)).deployment.status).toBe("healthy")
        expectSettled(state, app.id)
      }
    }).pipe(Effect.provide(world))
  )
})
