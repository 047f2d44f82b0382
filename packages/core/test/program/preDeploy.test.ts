// The command before a deploy: whatever becomes of it, it ran at most once, nothing of it is left, and what served still
// serves when it failed.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { Command } from "../../src/domain/Workload.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { RuntimeError } from "../../src/port/ContainerRuntime.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { cancel } from "../../src/program/cancel.ts"
import { deploy } from "../../src/program/deploy.ts"
import { asked, registered, revised } from "../../src/testing/Fixture.ts"
import { hangs } from "../../src/testing/Reaction.ts"
import { driven, expectSettled, newest, servingOf, whileTimePasses } from "./invariants.ts"
import { startReplica, world } from "./scripted.ts"

/** An App with a Release and a command, and the replica that is about to deploy it again. */
const prepared = Effect.fnUntraced(function* (preDeploy: Command) {
  const state = yield* MemoryState
  const app = yield* registered({ preDeploy })
  yield* revised(app, { PASSWORD: "pass phrase" })
  const replica = yield* startReplica("one")
  yield* replica.run(deploy(asked(app)))
  const before = servingOf(state, app.id)
  replica.script.calls.length = 0
  const { calls } = replica.script
  const runs = () => calls.filter((call) => call.startsWith("ContainerRuntime.run#")).length
  return { state, app, before, runs, ...replica }
})

describe("the command before a deploy", () => {
  it.effect("X9: runs once, after the build and before the new version is started, and its words are in the log", () =>
    Effect.gen(function* () {
      const { app, run, runs, script, state } = yield* prepared(["migrate", "--password", "pass phrase"])
      const { id, status } = yield* whileTimePasses(run(deploy(asked(app))))
      expect([status, runs()]).toStrictEqual(["healthy", 1])
      const at = (call: string) => script.calls.findIndex((made) => made.startsWith(`${call}#`))
      const order = ["ContainerRuntime.build", "ContainerRuntime.run", "ContainerRuntime.start"].map(at)
      expect(order).toStrictEqual([...order].sort((a, b) => a - b))
      const lines = state.logs.get(`deployment/${id}`)?.lines.map(({ line }) => line) ?? []
      expect(lines).toContain("running migrate --password ***")
      expect(lines).toContain("migrate --password ***")
      expect(lines.join("\n")).not.toContain("pass phrase")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("X9 INV-8: that fails fails the deployment, and what served still serves", () =>
    Effect.gen(function* () {
      const { app, before, run, runs, state } = yield* prepared(["true"])
      yield* (yield* AppStore).change(app.id, { preDeploy: ["false"] })
      const deployment = yield* whileTimePasses(run(deploy(asked(app))))
      expect(deployment).toMatchObject({
        status: "failed",
        error: { code: "pre_deploy_failed", detail: "the command before the deploy exited with code 1" }
      })
      expect(runs()).toBe(1)
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("X9: that cannot be started is told from an engine that is away", () =>
    Effect.gen(function* () {
      const { app, run, script, state } = yield* prepared(["migrate"])
      for (const [reason, code] of [
        ["start_failed", "pre_deploy_failed"],
        ["engine_unavailable", "engine_unavailable"]
      ] as const) {
        script.running = Effect.fail(new RuntimeError({ reason, detail: "no such program" }))
        const deployment = yield* whileTimePasses(run(deploy(asked(app))))
        expect(deployment.error).toStrictEqual({ code, detail: "no such program" })
        expectSettled(state, app.id)
      }
    }).pipe(Effect.provide(world))
  )

  it.effect("X5: that hangs is given up after twenty minutes", () =>
    Effect.gen(function* () {
      const { app, run, script, state } = yield* prepared(["migrate"])
      script.reactions.set("ContainerRuntime.run", hangs)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* TestClock.adjust("1199 seconds")
      expect(fiber.pollUnsafe()).toBeUndefined()
      const { error } = yield* yield* driven(fiber, 2)
      expect(error).toStrictEqual({
        code: "deadline_exceeded",
        detail: "the command before the deploy took longer than 20m"
      })
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-4: is reached by a cancel", () =>
    Effect.gen(function* () {
      const { app, run, script, state } = yield* prepared(["migrate"])
      script.reactions.set("ContainerRuntime.run", hangs)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* TestClock.adjust("5 seconds")
      const { deployment } = yield* newest(app)
      const { status } = yield* whileTimePasses(run(cancel(deployment.id)))
      expect(status).toBe("cancelled")
      yield* Fiber.await(fiber)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("X9: has run in the image of an earlier release and does not run there again", () =>
    Effect.gen(function* () {
      const { app, run, runs, state } = yield* prepared(["migrate"])
      const { items } = yield* (yield* DeploymentStore).releases(app.id, { limit: 1 })
      const [release] = items
      expect(release).toBeDefined()
      if (release === undefined) return
      const request = { app: app.id, trigger: { kind: "rollback" }, release: release.id } as const
      const { status } = yield* whileTimePasses(run(deploy(request)))
      expect([status, runs()]).toStrictEqual(["healthy", 0])
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})
