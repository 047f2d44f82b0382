// Deployments that are asked to stop: by whom they are noticed, how they end, and that nothing of them is left.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { cancel } from "../../src/program/cancel.ts"
import { deploy } from "../../src/program/deploy.ts"
import { reap } from "../../src/program/reap.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { hangs, loses, makeHold } from "../../src/testing/Reaction.ts"
import { driven, expectSettled, newest, statusesOf } from "./invariants.ts"
import { crashes, startReplica, world } from "./scripted.ts"

/** What a program comes to while time passes. */
const endOf = <A, E>(fiber: Fiber.Fiber<A, E>, maxSeconds?: number) => Effect.flatten(driven(fiber, maxSeconds))

describe("cancel", () => {
  it.effect.each([
    "SourceFetcher.fetch#1",
    "ContainerRuntime.build#1",
    "ContainerRuntime.start#1",
    "HealthProbe.probe#1",
    "ContainerRuntime.inspect#1",
    "Router.current#1"
  ])("U3 X5: from another replica, it ends a Deployment that hangs in %s within five seconds", (point) =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const [one, other] = [yield* startReplica("one"), yield* startReplica("other")]
      one.script.reactions.set(point, hangs)
      const deploying = yield* Effect.forkDetach(one.run(deploy(asked(app))))
      yield* TestClock.adjust("1 second")
      const { deployment } = yield* newest(app)

      const ended = yield* endOf(yield* Effect.forkDetach(other.run(cancel(deployment.id))), 5)
      expect(ended.status).toBe("cancelled")
      expect((yield* Fiber.join(deploying)).status).toBe("cancelled")
      expect(state.workloads.size).toBe(0)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("X5: does not wait longer than it is told, answers it as it stands then, and the request stands", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const one = yield* startReplica("one")
      const hold = yield* makeHold
      const built = yield* makeHold
      one.script.reactions.set("ContainerRuntime.start#1", hangs)
      one.script.reactions.set("DeploymentStore.built#1", built.before)
      one.script.reactions.set("DeploymentStore.finish#1", hold.before)
      const deploying = yield* Effect.forkDetach(one.run(deploy(asked(app))))
      yield* TestClock.adjust("1 second")
      const { deployment } = yield* newest(app)
      expect(deployment.status).toBe("building")
      const asking = yield* Effect.forkDetach(one.run(cancel(deployment.id)))
      yield* TestClock.adjust("100 millis")
      yield* built.release
      yield* TestClock.adjust("5 seconds")
      const answer = yield* Fiber.join(asking)
      expect([answer.status, answer.cancelling]).toStrictEqual(["deploying", true])
      yield* hold.release
      expect((yield* endOf(deploying)).status).toBe("cancelled")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("B30: a request outlives the holder, and whoever takes over ends the Deployment so", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const [one, other] = [yield* startReplica("one"), yield* startReplica("other")]
      one.script.reactions.set("ContainerRuntime.start#1", crashes(one.script))
      yield* Effect.forkDetach(one.run(deploy(asked(app))))
      yield* TestClock.adjust("1 second")
      const { deployment } = yield* newest(app)
      yield* other.run(Effect.flatMap(DeploymentStore, (store) => store.requestCancel(deployment.id)))
      yield* TestClock.adjust("20 seconds")
      yield* endOf(yield* Effect.forkDetach(other.run(reap())))
      expect(state.deployments.get(deployment.id)?.deployment.status).toBe("cancelled")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("E9: an end whose answer was lost is found again, also when the request had changed it", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const one = yield* startReplica("one")
      const hold = yield* makeHold
      one.script.reactions.set("ContainerRuntime.build#1", (_, refuse) => refuse ?? Effect.never)
      one.script.reactions.set("LogStore.end#1", hold.before)
      one.script.reactions.set("DeploymentStore.finish#1", loses)
      const deploying = yield* Effect.forkDetach(one.run(deploy(asked(app))))
      yield* hold.reached
      const { deployment } = yield* newest(app)
      yield* one.run(Effect.flatMap(DeploymentStore, (store) => store.requestCancel(deployment.id)))
      yield* hold.release
      const ended = yield* endOf(deploying)
      expect([ended.status, ended.error]).toStrictEqual(["cancelled", null])
      expect(statusesOf(state, deployment.id)).toStrictEqual(["queued", "building", "cancelled"])
    }).pipe(Effect.provide(world))
  )
})

describe("supersede", () => {
  it.effect("U5: the older one is released and has ended before the newer one does anything", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const [one, other] = [yield* startReplica("one"), yield* startReplica("other")]
      one.script.reactions.set("HealthProbe.probe#1", hangs)
      const older = yield* Effect.forkDetach(one.run(deploy(asked(app))))
      yield* TestClock.adjust("1 second")
      expect(state.workloads.size).toBe(1)
      const newer = yield* Effect.forkDetach(other.run(deploy(asked(app, { policy: "supersede" }))))
      const healthy = yield* endOf(newer)
      const superseded = yield* endOf(older)
      expect([superseded.status, healthy.status]).toStrictEqual(["superseded", "healthy"])
      const types = state.events.map(({ subject, type }) => `${type} ${subject}`)
      const ended = types.indexOf(`deployment.superseded ${superseded.id}`)
      expect(ended).toBeGreaterThan(0)
      expect(types.indexOf(`deployment.building ${healthy.id}`)).toBeGreaterThan(ended)
      expect(state.workloads.size).toBe(1)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})
