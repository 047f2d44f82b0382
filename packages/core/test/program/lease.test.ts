// Losing a lease stops its holder before it does anything more outside; what somebody else wrote meanwhile stays.
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { ReplicaId } from "../../src/domain/Lease.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { carryOut, deploy } from "../../src/program/deploy.ts"
import { reap } from "../../src/program/reap.ts"
import { Replica } from "../../src/program/Replica.ts"
import { asked, claimed, registered } from "../../src/testing/Fixture.ts"
import { driven, expectSettled, newest, reapedLater, servingOf, statusesOf, whileTimePasses } from "./invariants.ts"
import { fails, hangs, makeHold, type Reaction } from "../../src/testing/Reaction.ts"
import { startReplica, world } from "./scripted.ts"

const steps = [
  "SourceFetcher.fetch#1",
  "ContainerRuntime.build#1",
  "DeploymentStore.built#1",
  "EnvStore.readAt#1",
  "Journal.intend#1",
  "ContainerRuntime.start#1",
  "Journal.confirm#1",
  "HealthProbe.probe#1",
  "ContainerRuntime.inspect#1",
  "Router.current#1",
  "DeploymentStore.activate#1"
]

const outside = /fetch|build#|start|swap|probe/

/** An App with a Release, and a second Deployment of it that waits in one of its calls. */
const heldAt = Effect.fnUntraced(function* (call: string, at: "before" | "after" = "before") {
  const app = yield* registered()
  yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
  const before = servingOf(yield* MemoryState, app.id)
  const replica = yield* startReplica("one")
  const hold = yield* makeHold
  replica.script.reactions.set(call, hold[at])
  const fiber = yield* Effect.forkDetach(replica.run(deploy(asked(app))))
  yield* hold.reached
  return { app, before, fiber, hold, replica }
})

describe("a lost lease", () => {
  it.effect.each([
    ["fail", fails],
    ["hang", hangs]
  ] as const)("INV-13 H22: when renewals %s, nothing more is done outside, wherever the work stands", ([, reaction]) =>
    Effect.forEach(steps, (call) =>
      Effect.gen(function* () {
        const state = yield* MemoryState
        const { app, before, fiber, hold, replica } = yield* heldAt(call)
        replica.script.reactions.set("DeploymentStore.renew", reaction)
        yield* TestClock.adjust("13 seconds")
        expect(fiber.pollUnsafe(), `${call} goes on until the deadline`).toBeUndefined()
        yield* TestClock.adjust("2 seconds")
        const from = replica.script.calls.length
        yield* hold.release
        yield* driven(fiber)

        expect(
          replica.script.calls.slice(from).filter((later) => outside.test(later)),
          call
        ).toStrictEqual([])
        expect((yield* newest(app)).deployment).toMatchObject({ status: "failed", error: { code: "lease_lost" } })
        expect(servingOf(state, app.id)).toStrictEqual(before)
        expectSettled(state, app.id)
      }).pipe(Effect.provide(world))
    )
  )

  it.effect("INV-13 R9: what a second holder wrote stays, wherever the first one wakes up again", () =>
    Effect.forEach([...steps, "Router.swap#1", "DeploymentStore.finish#1"], (call) =>
      Effect.gen(function* () {
        const state = yield* MemoryState
        const { app, before, fiber, hold, replica } = yield* heldAt(call)
        const other = yield* startReplica("two")
        yield* other.run(Effect.flatMap(DeploymentStore, (store) => store.abandon(replica.id)))
        yield* other.run(reap())
        const row = yield* newest(app)
        const ended = row.deployment
        expect(ended, call).toMatchObject({ status: "failed", error: { code: "lease_lost" } })
        const events = state.events.length

        yield* TestClock.adjust("5 seconds")
        yield* hold.release
        yield* driven(fiber)
        expect(row.deployment, call).toStrictEqual(ended)
        expect(state.events, call).toHaveLength(events)
        expect(servingOf(state, app.id), call).toStrictEqual(before)
        yield* other.run(reap())
        expectSettled(state, app.id)
      }).pipe(Effect.provide(world))
    )
  )

  it.effect("H22: one whose end was written although its renewal was refused is healthy to its caller", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const { app, fiber, hold } = yield* heldAt("DeploymentStore.finish#1", "after")
      yield* TestClock.adjust("5 seconds")
      yield* hold.release
      const exit = yield* driven(fiber)
      expect(exit).toMatchObject({ _tag: "Success", value: { status: "healthy" } })
      expect(state.logs.get(`deployment/${(yield* newest(app)).deployment.id}`)?.ended).toBe(true)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})

describe("a lease that is kept", () => {
  it.effect("H22: work of ten times its length keeps it, and nobody takes it", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const { app, fiber, hold, replica } = yield* heldAt("ContainerRuntime.build#1")
      const other = yield* startReplica("two")
      for (let second = 0; second < 150; second++) {
        yield* TestClock.adjust("1 second")
        expect(yield* other.run(reap())).toStrictEqual({ deployments: 0, jobs: 0, workloads: 0 })
      }
      yield* hold.release
      yield* driven(fiber)
      expect((yield* newest(app)).deployment.status).toBe("healthy")
      expect(replica.script.calls.filter((call) => call.includes("renew")).length).toBeGreaterThan(30)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("H22: two renewals in a row may fail", () =>
    Effect.gen(function* () {
      const { app, fiber, hold, replica } = yield* heldAt("ContainerRuntime.build#1")
      const reactions: ReadonlyArray<readonly [string, Reaction]> = [
        ["DeploymentStore.renew#1", fails],
        ["DeploymentStore.renew#2", fails],
        ["DeploymentStore.renew#4", fails],
        ["DeploymentStore.renew#5", fails]
      ]
      for (const [call, reaction] of reactions) replica.script.reactions.set(call, reaction)
      yield* TestClock.adjust("1 minute")
      yield* hold.release
      yield* driven(fiber)
      expect((yield* newest(app)).deployment.status).toBe("healthy")
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-4: it is kept while an interrupted deployment is cleaned up and its end is written", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const { app, fiber, replica } = yield* heldAt("HealthProbe.probe#1")
      const slow = yield* makeHold
      const writing = yield* makeHold
      replica.script.reactions.set("ContainerRuntime.stop#1", slow.before)
      replica.script.reactions.set("DeploymentStore.finish#1", writing.before)
      const other = yield* startReplica("two")
      const interrupting = yield* Effect.forkDetach(Fiber.interrupt(fiber))
      for (const hold of [slow, writing]) {
        yield* hold.reached
        for (let second = 0; second < 30; second++) {
          yield* TestClock.adjust("1 second")
          expect((yield* other.run(reap())).deployments).toBe(0)
        }
        yield* hold.release
      }
      yield* driven(interrupting)
      expect((yield* newest(app)).deployment.status).toBe("cancelled")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13: a reaper keeps its own while it cleans up for longer than it lasts", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const { app, replica } = yield* heldAt("HealthProbe.probe#1")
      replica.script.crashed = true
      yield* TestClock.adjust("1 minute")
      const [two, three] = [yield* startReplica("two"), yield* startReplica("three")]
      two.script.reactions.set("ContainerRuntime.stop#1", hangs)
      const pass = yield* Effect.forkDetach(two.run(reap()))
      for (let second = 0; second < 59; second++) {
        yield* TestClock.adjust("1 second")
        expect((yield* three.run(reap())).deployments, `after ${second} s`).toBe(0)
      }
      yield* driven(pass)
      expect((yield* newest(app)).deployment.status).toBe("failed")
      yield* three.run(reap())
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13: a reaper that loses its own while it cleans up ends nothing", () =>
    Effect.gen(function* () {
      const { app, replica } = yield* heldAt("HealthProbe.probe#1")
      replica.script.crashed = true
      yield* TestClock.adjust("1 minute")
      const [two, slow] = [yield* startReplica("two"), yield* makeHold]
      two.script.reactions.set("ContainerRuntime.stop#1", slow.before)
      two.script.reactions.set("DeploymentStore.renew", fails)
      const pass = yield* Effect.forkDetach(two.run(reap()))
      yield* slow.reached
      yield* TestClock.adjust("15 seconds")
      yield* slow.release
      yield* driven(pass)
      expect(two.script.calls.filter((call) => call.includes("finish"))).toStrictEqual([])
      expect((yield* newest(app)).deployment.status).toBe("deploying")
      yield* reapedLater(yield* startReplica("three"))
      expectSettled(yield* MemoryState, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13: what a killed process held is another one's after its length, and not before", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const { app, replica } = yield* heldAt("HealthProbe.probe#1")
      replica.script.crashed = true
      const { run } = yield* startReplica("two")
      yield* TestClock.adjust("14 seconds")
      expect((yield* run(reap())).deployments).toBe(0)
      yield* TestClock.adjust("1 second")
      expect((yield* run(reap())).deployments).toBe(1)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})

describe("claims", () => {
  it.effect("INV-1: the same claim carried out again changes nothing", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const claim = yield* claimed(app)
      const { run } = yield* startReplica("one")
      const first = yield* run(carryOut(claim))
      const before = servingOf(state, app.id)
      const second = yield* whileTimePasses(run(carryOut(claim)))
      expect(second).toStrictEqual(first)
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expect(statusesOf(state, first.id)).toStrictEqual(["queued", "building", "deploying", "healthy"])
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-1: the same claim carried out twice at the same time ends once, and leaves nothing", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const claim = yield* claimed(app)
      const { run } = yield* startReplica("one")
      yield* whileTimePasses(Effect.all([run(carryOut(claim)), run(carryOut(claim))], { concurrency: "unbounded" }))
      yield* run(reap())
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13: an old claim changes nothing of what a newer deployment made", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const claim = yield* claimed(app, { ttl: Duration.seconds(15), renewEvery: Duration.seconds(4) })
      const { run } = yield* startReplica("one")
      yield* TestClock.adjust("1 minute")
      yield* run(reap())
      const newer = yield* run(deploy(asked(app)))
      const before = servingOf(state, app.id)
      const events = state.events.length

      const stale = yield* whileTimePasses(run(carryOut(claim)))
      expect(stale).toMatchObject({ status: "failed", error: { code: "lease_lost" } })
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expect(servingOf(state, app.id).deployment).toBe(newer.id)
      expect(state.events).toHaveLength(events)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("H22: terms that leave no room for missed renewals are refused", () =>
    Effect.gen(function* () {
      const terms = { ttl: Duration.seconds(10), renewEvery: Duration.seconds(4) }
      const layer = Replica.layer(ReplicaId.make("one"), terms)
      expect(yield* Effect.flip(Effect.provide(Effect.service(Replica), layer))).toMatchObject({
        _tag: "UnsoundLeaseTerms"
      })
    })
  )
})
