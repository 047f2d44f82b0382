// What one pass of the Reconciler makes of what an earlier one left, and of what another one is doing.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { App } from "../../src/domain/App.ts"
import { MemoryState, type MemoryTables } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { makeReconcile } from "../../src/program/Reconciler.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { fails, makeHold } from "../../src/testing/Reaction.ts"
import { expectSettled, heldBy, whileTimePasses } from "./invariants.ts"
import { startReplica, world } from "./scripted.ts"

/** An App that serves, the replica that started it, and that replica's Reconciler. */
const serving = Effect.gen(function* () {
  const state = yield* MemoryState
  const app = yield* registered()
  const { run, script } = yield* startReplica("one")
  yield* run(deploy(asked(app)))
  const reconcile = yield* makeReconcile
  return { state, app, script, pass: Effect.suspend(() => run(reconcile())) }
})

const kill = (state: MemoryTables, app: App): void => {
  for (const name of heldBy(state, app.id).workloads) state.workloads.delete(name)
}

describe("a pass of the reconciler", () => {
  it.effect("INV-7: releases what an earlier one started the app again in place of and could not release", () =>
    Effect.gen(function* () {
      const { app, pass, script, state } = yield* serving
      kill(state, app)
      script.reactions.set("ContainerRuntime.stop", fails)
      expect(yield* pass).toBe(1)
      expect(heldBy(state, app.id).intents).toHaveLength(2)

      script.reactions.clear()
      expect(yield* pass).toBe(0)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-7: releases what an earlier one wrote down and could neither start nor release", () =>
    Effect.gen(function* () {
      const { app, pass, script, state } = yield* serving
      kill(state, app)
      script.reactions.set("ContainerRuntime.start", fails)
      script.reactions.set("ContainerRuntime.stop", fails)
      expect(yield* pass).toBe(0)
      expect(heldBy(state, app.id).intents).toHaveLength(2)

      script.reactions.clear()
      yield* TestClock.adjust("1 second")
      expect(yield* pass).toBe(1)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: is not misled by one that an earlier one started and could neither switch to nor release", () =>
    Effect.gen(function* () {
      const { app, pass, script, state } = yield* serving
      kill(state, app)
      script.reactions.set("HealthProbe.probe", fails)
      script.reactions.set("ContainerRuntime.stop", fails)
      expect(yield* whileTimePasses(pass)).toBe(0)
      expect(heldBy(state, app.id)).toMatchObject({ intents: { length: 2 }, workloads: { length: 1 } })

      script.reactions.clear()
      yield* TestClock.adjust("1 second")
      expect(yield* pass).toBe(1)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-2: starts nothing that another one has started since it looked", () =>
    Effect.gen(function* () {
      const { app, pass, script, state } = yield* serving
      kill(state, app)
      const hold = yield* makeHold
      const reads = script.calls.filter((call) => call.startsWith("Journal.heldBy")).length
      script.reactions.set(`Journal.heldBy#${reads + 1}`, hold.after)
      const late = yield* Effect.forkChild(pass)
      yield* hold.reached
      expect(yield* pass).toBe(1)

      yield* TestClock.adjust("1 minute")
      yield* hold.release
      expect(yield* Fiber.join(late)).toBe(0)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})
