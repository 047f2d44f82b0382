// What any replica does for one that is dead: the release that served keeps serving, and one failure stops nothing else.
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { reap } from "../../src/program/reap.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { expectSettled, heldBy, newest, reapedLater, servingOf, statusesOf, whileTimePasses } from "./invariants.ts"
import { dies, diesAfter, fails, hangs, loses } from "../../src/testing/Reaction.ts"
import { crashes, crashesAfter, startReplica, world } from "./scripted.ts"

/** An App with a Release, and a Deployment whose process was killed after traffic had moved to it. */
const switchedAndDead = Effect.gen(function* () {
  const app = yield* registered({ healthCheck: { intervalMillis: 500, timeoutSeconds: 2 } })
  yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
  const state = yield* MemoryState
  const before = servingOf(state, app.id)
  return { app, before, state }
})

const killedAfterSwap = Effect.fnUntraced(function* (app: Parameters<typeof asked>[0]) {
  const { run, script } = yield* startReplica("one")
  script.reactions.set("Router.swap#1", crashesAfter(script))
  yield* Effect.forkDetach(run(deploy(asked(app))))
  while (!script.crashed) yield* Effect.yieldNow
})

describe("reap", () => {
  it.effect("INV-8: traffic that had moved goes back to the release that served, whatever failed before", () =>
    Effect.gen(function* () {
      const { app, before, state } = yield* switchedAndDead
      const failing = yield* startReplica("failing")
      failing.script.reactions.set("HealthProbe.probe", fails)
      failing.script.reactions.set("ContainerRuntime.stop", fails)
      expect((yield* whileTimePasses(failing.run(deploy(asked(app))))).error?.code).toBe("unhealthy")
      expect(heldBy(state, app.id).workloads).toHaveLength(2)

      yield* killedAfterSwap(app)
      expect(servingOf(state, app.id).address).not.toStrictEqual(before.address)
      yield* reapedLater(yield* startReplica("two"))
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: what serves stays while it is not told which release served before", () =>
    Effect.gen(function* () {
      const { app, before, state } = yield* switchedAndDead
      yield* killedAfterSwap(app)
      const switched = servingOf(state, app.id)
      expect(switched.address).not.toStrictEqual(before.address)
      const { context } = yield* startReplica("two")
      const untold = { ...Context.get(context, DeploymentStore), serving: Effect.succeed([]) }
      yield* TestClock.adjust("1 minute")
      yield* whileTimePasses(Effect.provideContext(reap(), Context.add(context, DeploymentStore, untold)))
      expect(servingOf(state, app.id)).toStrictEqual(switched)
      expect(heldBy(state, app.id).workloads).toHaveLength(2)

      yield* reapedLater(yield* startReplica("three"))
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect.each([
    ["fails", fails],
    ["dies", dies],
    ["hangs", hangs]
  ] as const)("H37: what %s for one app holds up no other", ([, reaction]) =>
    Effect.gen(function* () {
      for (const call of [
        "Journal.held#1",
        "Router.current#1",
        "ContainerRuntime.stop#1",
        "DeploymentStore.finish#1"
      ]) {
        if (reaction === hangs && !call.includes("stop")) continue
        yield* Effect.gen(function* () {
          const state = yield* MemoryState
          const apps = [yield* registered(), yield* registered(), yield* registered()]
          for (const app of apps) {
            const { run, script } = yield* startReplica("one")
            script.reactions.set("HealthProbe.probe#1", crashes(script))
            yield* Effect.forkDetach(run(deploy(asked(app))))
            while (!script.crashed) yield* Effect.yieldNow
          }
          yield* TestClock.adjust("1 minute")
          const { run, script } = yield* startReplica("two")
          script.reason = "unexpected"
          script.reactions.set(call, reaction)
          yield* whileTimePasses(run(reap()))
          for (const app of apps.slice(1)) expectSettled(state, app.id)
          yield* reapedLater(yield* startReplica("three"))
          for (const app of apps) expectSettled(state, app.id)
        }).pipe(Effect.provide(world))
      }
    })
  )

  it.effect.each([
    ["fails before its effect", fails],
    ["loses its answer", loses],
    ["dies before its effect", dies],
    ["dies after its effect", diesAfter],
    ["is where that process is killed as well", undefined]
  ] as const)("INV-7 H38: when any one call of a pass %s, another pass makes it whole", ([, reaction]) =>
    Effect.gen(function* () {
      const calls = yield* Effect.provide(callsOfPass, world)
      expect(calls.length).toBeGreaterThan(8)
      for (const call of calls) {
        if (reaction === loses && !/Store|Journal|Router/.test(call)) continue
        yield* Effect.gen(function* () {
          const { app, before, state } = yield* switchedAndDead
          yield* killedAfterSwap(app)
          yield* TestClock.adjust("1 minute")
          const { run, script } = yield* startReplica("two")
          script.reactions.set(call, reaction ?? crashes(script))
          const fiber = yield* Effect.forkDetach(run(reap()))
          yield* TestClock.adjust("2 minutes")
          if (!script.crashed) expect(fiber.pollUnsafe(), `${call} ends`).toBeDefined()
          const third = yield* startReplica("three")
          yield* reapedLater(third)
          expect([...script.misled, ...third.script.misled], `${call}: stopped while traffic went there`).toStrictEqual(
            []
          )
          expect(servingOf(state, app.id), call).toStrictEqual(before)
          const { deployment } = yield* newest(app)
          expect(statusesOf(state, deployment.id), call).toStrictEqual(["queued", "building", "deploying", "failed"])
          expectSettled(state, app.id)
        }).pipe(Effect.provide(world))
      }
    })
  )
})

/** The calls of a pass over one abandoned Deployment, to which nothing happens. */
const callsOfPass = Effect.gen(function* () {
  const { app } = yield* switchedAndDead
  yield* killedAfterSwap(app)
  yield* TestClock.adjust("1 minute")
  const { run, script } = yield* startReplica("two")
  yield* run(reap())
  return script.calls
})
