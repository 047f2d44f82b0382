// Deployments whose version does not come to serve, and steps that do not come to an end.
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { LogEntry } from "../../src/domain/LogLine.ts"
import { ImageDigest } from "../../src/domain/Workload.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { deploy } from "../../src/program/deploy.ts"
import { Deadlines, defaultDeadlines } from "../../src/program/deadlines.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { driven, expectSettled, newest, servingOf, whileTimePasses } from "./invariants.ts"
import { fails, hangs, makeHold, times } from "../../src/testing/Reaction.ts"
import { startReplica, world } from "./scripted.ts"

const check = { healthCheck: { intervalMillis: 500, timeoutSeconds: 7 } }

/** An App with a Release, and the replica that is about to deploy it again. */
const prepared = Effect.gen(function* () {
  const state = yield* MemoryState
  const app = yield* registered(check)
  yield* (yield* startReplica("earlier")).run(deploy(asked(app)))
  return { state, app, before: servingOf(state, app.id), ...(yield* startReplica("one")) }
})

describe("awaiting health", () => {
  it.effect(
    "INV-8: what never answers is unhealthy when its time is over, not before, and the old release serves",
    () =>
      Effect.gen(function* () {
        const { app, before, run, script, state } = yield* prepared
        script.reactions.set("HealthProbe.probe", fails)
        const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
        yield* TestClock.adjust("6999 millis")
        expect((yield* newest(app)).deployment.status).toBe("deploying")
        yield* TestClock.adjust("1 millis")
        yield* driven(fiber, 0)
        expect((yield* newest(app)).deployment).toMatchObject({
          status: "failed",
          error: { code: "unhealthy", detail: "not healthy within 7 s: nothing answered" }
        })
        expect(servingOf(state, app.id)).toStrictEqual(before)
        expectSettled(state, app.id)
      }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: a probe that hangs is given up when its time is over", () =>
    Effect.gen(function* () {
      const { app, run, script, state } = yield* prepared
      script.reactions.set("HealthProbe.probe", hangs)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* TestClock.adjust("7 seconds")
      yield* driven(fiber, 0)
      expect((yield* newest(app)).deployment.error?.code).toBe("unhealthy")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("U1: what the app says while it is stopped gets into the log of its deployment", () =>
    Effect.gen(function* () {
      const { app, run, script, state } = yield* prepared
      script.reactions.set("HealthProbe.probe", fails)
      script.saying = ({ name }) =>
        Effect.sync(() => state.workloads.has(name)).pipe(
          Effect.repeat({ while: (runs) => runs, schedule: Schedule.spaced("100 millis") }),
          Effect.as<LogEntry>({ stream: "stdout", line: "goodbye" }),
          Stream.fromEffect
        )
      const { id } = yield* whileTimePasses(run(deploy(asked(app))))
      expect(state.logs.get(`deployment/${id}`)?.lines.map(({ line }) => line)).toContain("goodbye")
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: what answers after a while is healthy", () =>
    Effect.gen(function* () {
      const { app, run, script, state } = yield* prepared
      script.reactions.set("HealthProbe.probe", times(5, fails))
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* TestClock.adjust("2500 millis")
      yield* driven(fiber, 0)
      expect((yield* newest(app)).deployment.status).toBe("healthy")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: a workload that exits while it is waited for has failed to start, at once", () =>
    Effect.gen(function* () {
      const { app, before, run, script, state } = yield* prepared
      script.reactions.set("HealthProbe.probe", fails)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* TestClock.adjust("1 second")
      const held = [...state.intents.values()].at(-1)
      if (held !== undefined) script.exited.set(held.name, "exit code 3")
      yield* TestClock.adjust("500 millis")
      yield* driven(fiber, 0)
      expect((yield* newest(app)).deployment.error).toStrictEqual({
        code: "start_failed",
        detail: "the app ended before it was healthy: exit code 3"
      })
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-8: another image than the one asked for is not healthy, even when it answers", () =>
    Effect.gen(function* () {
      const { app, before, run, script, state } = yield* prepared
      const hold = yield* makeHold
      script.reactions.set("Journal.confirm#1", hold.before)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* hold.reached
      const started = [...state.workloads.values()].at(-1)
      const image = ImageDigest.make(`sha256:${"f".repeat(64)}`)
      if (started !== undefined) state.workloads.set(started.name, { ...started, image })
      yield* hold.release
      yield* TestClock.adjust("7 seconds")
      yield* driven(fiber, 0)
      expect((yield* newest(app)).deployment.error).toStrictEqual({
        code: "unhealthy",
        detail: "not healthy within 7 s: another image runs than the one that was asked for"
      })
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})

/** Says one line then, and no other. */
const silentAfter = (duration: Duration.Input) => (say: (entry: LogEntry) => Effect.Effect<void>) =>
  Effect.andThen(Effect.sleep(duration), Effect.andThen(say({ stream: "stdout", line: "a line" }), Effect.never))

describe("deadlines", () => {
  it.effect.each([
    ["fetch", "SourceFetcher.fetch#1"],
    ["build", "ContainerRuntime.build#1"],
    ["start", "ContainerRuntime.start#1"]
  ] as const)("U3 H8: a %s that hangs ends when its time is over, with nothing left", ([step, call]) =>
    Effect.gen(function* () {
      const { app, before, run, script, state } = yield* prepared
      script.reactions.set(call, hangs)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* TestClock.adjust("1 second")
      expect(script.calls).toContain(call)
      yield* TestClock.adjust(defaultDeadlines[step])
      yield* driven(fiber, 0)
      expect((yield* newest(app)).deployment).toMatchObject({ status: "failed", error: { code: "deadline_exceeded" } })
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  const speaking = (every: Duration.Input) => (say: (entry: LogEntry) => Effect.Effect<void>) =>
    Effect.forever(Effect.andThen(Effect.sleep(every), say({ stream: "stdout", line: "still building" })))

  it.effect.each([
    ["takes too long as a whole, though it gets on", speaking("1 minute"), 9, "the deployment took longer than 9m"],
    ["says nothing for too long", () => Effect.never, 4, "nothing was heard of it for 4m"],
    ["falls silent after a while", silentAfter("2 minutes"), 6, "nothing was heard of it for 4m"]
  ] as const)("X5: a Deployment that %s ends, and what served goes on", ([, building, minutes, detail]) =>
    Effect.gen(function* () {
      const { app, before, run, script, state } = yield* prepared
      script.building = building
      const limits = { ...defaultDeadlines, overall: Duration.minutes(9), progress: Duration.minutes(4) }
      const deployed = Effect.provideService(deploy(asked(app)), Deadlines, limits)
      const fiber = yield* Effect.forkDetach(run(deployed))
      yield* TestClock.adjust(Duration.seconds(minutes * 60 - 1))
      expect(fiber.pollUnsafe(), "not before its time").toBeUndefined()
      const { error, status } = yield* yield* driven(fiber, 2)
      expect([status, error]).toStrictEqual(["failed", { code: "deadline_exceeded", detail }])
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("H8: a start that took effect before its time was over leaves nothing either", () =>
    Effect.gen(function* () {
      const { app, before, run, script, state } = yield* prepared
      const hold = yield* makeHold
      script.reactions.set("ContainerRuntime.start#1", hold.after)
      const fiber = yield* Effect.forkDetach(run(deploy(asked(app))))
      yield* TestClock.adjust(defaultDeadlines.start)
      yield* driven(fiber, 0)
      expect((yield* newest(app)).deployment.error?.code).toBe("deadline_exceeded")
      expect(servingOf(state, app.id)).toStrictEqual(before)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )
})
