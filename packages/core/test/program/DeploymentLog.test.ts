// What is said from many fibers, and what becomes of a Deployment whose log cannot be stored.
import { describe, expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { isTerminal } from "../../src/domain/Deployment.ts"
import type { LogEntry } from "../../src/domain/LogLine.ts"
import { makeRedactor } from "../../src/domain/Redactor.ts"
import { RuntimeError } from "../../src/port/ContainerRuntime.ts"
import { LogName } from "../../src/port/LogStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { noRedactor, openLog } from "../../src/program/DeploymentLog.ts"
import { reap } from "../../src/program/reap.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { driven, expectSettled, newest, whileTimePasses } from "./invariants.ts"
import { dies, diesAfter, fails, hangs, loses, makeHold, type Reaction, times } from "../../src/testing/Reaction.ts"
import { crashes, startReplica, world } from "./scripted.ts"

const fibers = 8
const linesEach = 625

const lineOf = (fiber: number, index: number): string => `${fiber}/${index}/${"é".repeat(index % 80)}`

/** Says 5,000 lines from eight fibers, each of its own in order. */
const sayAll = (say: (entry: LogEntry) => Effect.Effect<void>) =>
  Effect.forEach(
    Array.from({ length: fibers }, (_, fiber) => fiber),
    (fiber) =>
      Effect.forEach(
        Array.from({ length: linesEach }, (_, index) => index),
        (index) =>
          Effect.andThen(
            say({ stream: "build", line: lineOf(fiber, index) }),
            index % (fiber + 3) === 0 ? Effect.yieldNow : Effect.void
          ),
        { discard: true }
      ),
    { concurrency: "unbounded", discard: true }
  )

const expectWhole = (lines: ReadonlyArray<string>): void => {
  const said = lines.filter((line) => /^\d\//.test(line))
  for (let fiber = 0; fiber < fibers; fiber++) {
    const own = said.filter((line) => line.startsWith(`${fiber}/`))
    expect(own).toStrictEqual(Array.from({ length: linesEach }, (_, index) => lineOf(fiber, index)))
  }
  expect(said).toHaveLength(fibers * linesEach)
}

const failing = Effect.fail(new RuntimeError({ reason: "build_failed", detail: "line 17 is wrong" }))

describe("a log that is closed", () => {
  it.effect("X2: holds up nobody who goes on saying something", () =>
    Effect.gen(function* () {
      const { say } = yield* Effect.scoped(openLog(LogName.make("run/run_a"), noRedactor))
      const lines = Array.from({ length: 20_000 }, (_, index) => index)
      for (const line of lines) yield* say({ stream: "stdout", line: `line ${line}` })
      const { logs } = yield* MemoryState
      expect(logs.get("run/run_a")?.lines ?? []).toStrictEqual([])
    }).pipe(Effect.provide(world))
  )
})

describe("a deployment's log", () => {
  it.effect("U1: 5,000 lines from eight fibers are there once, whole and in order when it fails midway", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run, script } = yield* startReplica("one")
      script.building = (say) => Effect.andThen(sayAll(say), failing)
      const hold = yield* makeHold
      script.reactions.set("DeploymentStore.finish#1", hold.after)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* hold.reached

      const { deployment } = yield* newest(app)
      expect(isTerminal(deployment.status)).toBe(true)
      const log = state.logs.get(`deployment/${deployment.id}`)
      expectWhole(log?.lines.map(({ line }) => line) ?? [])
      expect(log?.lines.map(({ seq }) => seq)).toStrictEqual(log?.lines.map((_, index) => index + 1))
      expect(log?.lines.at(-1)?.line).toBe("line 17 is wrong")
      expect(log?.ended).toBe(true)
      const count = log?.lines.length
      yield* hold.release
      yield* driven(fiber)
      expect(log?.lines).toHaveLength(count ?? 0)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect.each([
    ["healthy", Effect.void],
    ["failed", failing]
  ] as const)(
    "U1: its last line is stored before anybody sees %s, however slowly lines are stored",
    ([status, building]) =>
      Effect.gen(function* () {
        const state = yield* MemoryState
        const app = yield* registered()
        const { run, script } = yield* startReplica("one")
        script.building = (say) => Effect.andThen(sayAll(say), building)
        const slowly: Reaction = (call) => Effect.andThen(Effect.sleep("100 millis"), call)
        script.reactions.set("LogStore.append", slowly)
        let linesAtEnd = 0
        const counted: Reaction = (call) =>
          Effect.suspend(() => {
            linesAtEnd = [...state.logs.values()][0]?.lines.length ?? 0
            return call
          })
        script.reactions.set("DeploymentStore.finish#1", counted)
        const deployment = yield* whileTimePasses(run(deploy(asked(app))))
        const lines = state.logs.get(`deployment/${deployment.id}`)?.lines.map(({ line }) => line) ?? []
        expect(deployment.status).toBe(status)
        expectWhole(lines)
        expect(linesAtEnd).toBe(lines.length)
      }).pipe(Effect.provide(world))
  )

  it.effect("U1: a store that is away for a moment loses no line", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run, script } = yield* startReplica("one")
      script.building = sayAll
      script.reactions.set("LogStore.append", times(4, fails))
      script.reactions.set("LogStore.end", times(4, fails))
      const deployment = yield* whileTimePasses(run(deploy(asked(app))))
      const log = state.logs.get(`deployment/${deployment.id}`)
      expectWhole(log?.lines.map(({ line }) => line) ?? [])
      expect([deployment.status, log?.ended]).toStrictEqual(["healthy", true])
    }).pipe(Effect.provide(world))
  )

  it.effect("U1: an answer that is lost stores no line twice", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const { run, script } = yield* startReplica("one")
      script.building = sayAll
      script.reactions.set("LogStore.append", times(4, loses))
      const deployment = yield* whileTimePasses(run(deploy(asked(app))))
      expectWhole(state.logs.get(`deployment/${deployment.id}`)?.lines.map(({ line }) => line) ?? [])
      expect(script.calls.filter((call) => call.startsWith("LogStore.append")).length).toBeGreaterThan(4)
    }).pipe(Effect.provide(world))
  )

  it.effect("U1: many long lines are stored in several parts, in order", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const { run, script } = yield* startReplica("one")
      const log = LogName.make("workload/dep_1")
      const long = Array.from({ length: 200 }, (_, index) => `${index} ${"x".repeat(16_000)}`)
      const saying = Effect.flatMap(openLog(log, noRedactor), ({ say }) =>
        Effect.forEach(long, (line) => say({ stream: "stdout", line }), { discard: true })
      )
      yield* run(Effect.scoped(saying))
      expect(state.logs.get(log)?.lines.map(({ line }) => line)).toStrictEqual(long)
      expect(script.calls.filter((call) => call.startsWith("LogStore.append")).length).toBeGreaterThanOrEqual(4)
    }).pipe(Effect.provide(world))
  )

  it.effect("U1: its last line is stored, though it was cut and a secret may begin at its end", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const log = LogName.make("workload/dep_1")
      const redactor = makeRedactor([Redacted.make("hush, hush")])
      const cut = (line: string) => ({ stream: "stdout", line, isCut: true }) as const
      const saying = Effect.gen(function* () {
        const { flush, say } = yield* openLog(log, redactor)
        yield* say(cut("a hu"))
        yield* flush
        expect(state.logs.get(log)?.lines ?? []).toStrictEqual([])
        yield* say(cut("sh, hush"))
        yield* say(cut("it ends with hush"))
      })
      yield* Effect.scoped(saying)
      expect(state.logs.get(log)?.lines.map(({ line }) => line)).toStrictEqual(["a ***", "", "it ends with hush"])
    }).pipe(Effect.provide(world))
  )

  it.effect("U1: closing it stores what was said, however slowly lines are stored", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const { run, script } = yield* startReplica("one")
      script.reactions.set("LogStore.append", (call) => Effect.andThen(Effect.sleep("100 millis"), call))
      const log = LogName.make("deployment/dep_1")
      yield* whileTimePasses(run(Effect.scoped(Effect.flatMap(openLog(log, noRedactor), ({ say }) => sayAll(say)))))
      expectWhole(state.logs.get(log)?.lines.map(({ line }) => line) ?? [])
    }).pipe(Effect.provide(world))
  )
})

const lines = (count: number) => (say: (entry: LogEntry) => Effect.Effect<void>) =>
  Effect.forEach(Array.from({ length: count }), () => say({ stream: "build", line: "a line" }), { discard: true })

describe("a log store that is broken", () => {
  const ways: ReadonlyArray<readonly [string, Reaction]> = [
    ["fails", fails],
    ["hangs", hangs],
    ["dies", dies],
    ["dies after storing", diesAfter]
  ]

  it.effect.each(ways)("U6: one that %s changes no outcome, however much is said", ([, reaction]) =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      for (const building of [Effect.void, failing]) {
        const app = yield* registered()
        const { run, script } = yield* startReplica("one")
        script.building = (say) => Effect.andThen(lines(20_000)(say), building)
        for (const call of ["LogStore.append", "LogStore.end"]) script.reactions.set(call, reaction)
        const deployment = yield* whileTimePasses(run(deploy(asked(app))))
        expect(deployment.status).toBe(building === failing ? "failed" : "healthy")
        if (building === failing) expect(deployment.error?.code).toBe("build_failed")
        expectSettled(state, app.id)
      }
    }).pipe(Effect.provide(world))
  )

  it.effect.each(ways)("U6: one that %s does not keep the reaper from ending what is abandoned", ([, reaction]) =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      const app = yield* registered()
      const one = yield* startReplica("one")
      one.script.reactions.set("HealthProbe.probe#1", crashes(one.script))
      yield* Effect.forkDetach(one.run(deploy(asked(app))))
      yield* TestClock.adjust("1 minute")
      const { run, script } = yield* startReplica("two")
      for (const call of ["LogStore.append", "LogStore.end"]) script.reactions.set(call, reaction)
      yield* whileTimePasses(run(reap()), 60)
      expect((yield* newest(app)).deployment.error?.code).toBe("lease_lost")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})
