// What a Deployment knows and must not say: no log of it and no error holds that, whoever said it and whenever.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { App } from "../../src/domain/App.ts"
import type { LogEntry } from "../../src/domain/LogLine.ts"
import { GitSource, GitUrl } from "../../src/domain/Source.ts"
import { RuntimeError } from "../../src/port/ContainerRuntime.ts"
import { MemoryState, type MemoryTables } from "../../src/port/MemoryState.ts"
import { adopt } from "../../src/program/adopt.ts"
import { deploy } from "../../src/program/deploy.ts"
import { makeReconcile } from "../../src/program/Reconciler.ts"
import { asked, registered, revised } from "../../src/testing/Fixture.ts"
import { fails } from "../../src/testing/Reaction.ts"
import { expectSettled, heldBy, newest, servingOf, whileTimePasses } from "./invariants.ts"
import { startReplica, world } from "./scripted.ts"

const old = "an old secret"
const current = "the current one"
const keyLine = "c2VjcmV0IGxpbmUgb2YgYSBrZXk="

const source = GitSource.make({
  type: "git",
  url: GitUrl.make("https://example.com/a/b"),
  deployKey: Redacted.make(`-----BEGIN PRIVATE KEY-----\n${keyLine}\n-----END PRIVATE KEY-----\n`)
})

const stdout = (line: string): LogEntry => ({ stream: "stdout", line })

const linesOf = (state: MemoryTables, log: string): ReadonlyArray<string> =>
  state.logs.get(log)?.lines.map(({ line }) => line) ?? []

/** An App with a secret, and a replica whose Workloads say both the old and the current value of it. */
const telling = Effect.gen(function* () {
  const state = yield* MemoryState
  const app = yield* registered({ source })
  yield* revised(app, { SECRET: old })
  const replica = yield* startReplica("one")
  replica.script.saying = () => Stream.make(stdout(`old: ${old}`), stdout(`current: ${current}`))
  return { state, app, replica }
})

const kill = (state: MemoryTables, app: App): void => {
  for (const name of heldBy(state, app.id).workloads) state.workloads.delete(name)
}

describe("the log of a Deployment", () => {
  it.effect("INV-11: holds no secret in what is built, in Lockkeeper's own words, and in what failed", () =>
    Effect.gen(function* () {
      const { app, replica, state } = yield* telling
      replica.script.building = (say) =>
        Effect.gen(function* () {
          yield* say({ stream: "build", line: `$ login ${old} ${keyLine}` })
          yield* say({ stream: "build", line: `${"x".repeat(100)}an old s`, isCut: true })
          yield* say({ stream: "build", line: "ecret, and the rest" })
          return yield* new RuntimeError({
            reason: "build_failed",
            detail: `login ${old} failed for ${old.slice(0, 9)}`
          })
        })
      const { error, id } = yield* whileTimePasses(replica.run(deploy(asked(app))))
      expect(error).toStrictEqual({ code: "build_failed", detail: "login *** failed for ***" })
      expect(linesOf(state, `deployment/${id}`).slice(-4)).toStrictEqual([
        "$ login *** ***",
        `${"x".repeat(100)}***`,
        ", and the rest",
        "login *** failed for ***"
      ])
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-11: holds no secret in the last words of what did not become healthy", () =>
    Effect.gen(function* () {
      const { app, replica, state } = yield* telling
      replica.script.reactions.set("HealthProbe.probe", fails)
      const { id, status } = yield* whileTimePasses(replica.run(deploy(asked(app))))
      expect(status).toBe("failed")
      expect(linesOf(state, `deployment/${id}`)).toContain("old: ***")
      expect(linesOf(state, `workload/${id}`)).toStrictEqual(["old: ***", `current: ${current}`])
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-11: is not begun without knowing what it must not say", () =>
    Effect.gen(function* () {
      const { app, replica, state } = yield* telling
      replica.script.reactions.set("EnvStore.readAt", fails)
      replica.script.building = (say) => say({ stream: "build", line: old })
      const { error, id } = yield* whileTimePasses(replica.run(deploy(asked(app))))
      expect(error?.code).toBe("store_unavailable")
      expect(linesOf(state, `deployment/${id}`).join()).not.toContain(old)
    }).pipe(Effect.provide(world))
  )
})

describe("the log of a Workload", () => {
  it.effect("INV-11: holds no value of the Env that it runs with, also when that was replaced meanwhile", () =>
    Effect.gen(function* () {
      const { app, replica, state } = yield* telling
      const { id } = yield* whileTimePasses(replica.run(deploy(asked(app))))
      yield* revised(app, { SECRET: current })
      const log = `workload/${id}`
      const said = ["old: ***", `current: ${current}`]
      expect(linesOf(state, log)).toStrictEqual(said)

      expect(yield* replica.run(adopt())).toBe(1)
      yield* TestClock.adjust("1 second")
      expect(linesOf(state, log)).toStrictEqual([...said, ...said])

      kill(state, app)
      expect(yield* replica.run(yield* Effect.map(makeReconcile, (pass) => pass()))).toBe(1)
      yield* TestClock.adjust("1 second")
      expect(linesOf(state, log).slice(4)).toStrictEqual(["the app does not run; starting it again", ...said])

      const next = yield* whileTimePasses(replica.run(deploy(asked(app))))
      yield* TestClock.adjust("1 second")
      expect(linesOf(state, `workload/${next.id}`)).toStrictEqual([`old: ${old}`, "current: ***"])
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-11: is not read on when the Env that it runs with is gone", () =>
    Effect.gen(function* () {
      const { app, replica, state } = yield* telling
      const { id } = yield* whileTimePasses(replica.run(deploy(asked(app))))
      const before = linesOf(state, `workload/${id}`).length
      const row = state.apps.get(app.id)
      if (row !== undefined) row.app = { ...row.app, status: "deleted" }
      expect(yield* replica.run(adopt())).toBe(0)
      yield* TestClock.adjust("1 second")
      expect(linesOf(state, `workload/${id}`)).toHaveLength(before)
    }).pipe(Effect.provide(world))
  )
})

describe("a Workload whose words cannot be read", () => {
  it.effect.each(["healthy", "failed"] as const)(
    "U6: changes nothing of a Deployment that is %s, and is noted once",
    (status) =>
      Effect.gen(function* () {
        const { app, replica, state } = yield* telling
        replica.script.saying = () => Stream.fail(new RuntimeError({ reason: "engine_unavailable", detail: "no logs" }))
        if (status === "failed") replica.script.reactions.set("HealthProbe.probe", fails)
        const deployment = yield* whileTimePasses(replica.run(deploy(asked(app))))
        yield* TestClock.adjust("5 seconds")
        expect([deployment.status, deployment.error?.code]).toStrictEqual([
          status,
          status === "failed" ? "unhealthy" : undefined
        ])
        const noted = linesOf(state, `workload/${deployment.id}`).filter((line) => line.includes("no logs"))
        expect(noted).toHaveLength(1)
        if (status === "failed") {
          const said = linesOf(state, `deployment/${deployment.id}`).filter((line) => line.includes("no logs"))
          expect(said).toHaveLength(1)
          expect(servingOf(state, app.id).release).toBeUndefined()
        }
        expect((yield* newest(app)).deployment.status).toBe(status)
      }).pipe(Effect.provide(world))
  )
})
