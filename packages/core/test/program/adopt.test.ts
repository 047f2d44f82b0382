// What outlives the process that started it: adopted by the next one of its replica if it serves, released if nobody knows it.
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Fiber, Stream } from "effect"
import type { LogCursor } from "../../src/domain/LogLine.ts"
import { WorkloadName } from "../../src/domain/Workload.ts"
import { ContainerRuntime } from "../../src/port/ContainerRuntime.ts"
import { LogName, LogStore } from "../../src/port/LogStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { adopt } from "../../src/program/adopt.ts"
import { deploy } from "../../src/program/deploy.ts"
import { reap } from "../../src/program/reap.ts"
import { asked, registered } from "../../src/testing/Fixture.ts"
import { expectSettled, heldBy, servingOf } from "./invariants.ts"
import { fails } from "../../src/testing/Reaction.ts"
import { startReplica, world } from "./scripted.ts"

/** A serving App of an earlier process of the replica, which had stored this much of what it said. */
const left = Effect.gen(function* () {
  const app = yield* registered()
  const state = yield* MemoryState
  const { deployment, workload } = yield* Effect.andThen(
    Effect.flatMap(startReplica("one"), ({ run }) => run(deploy(asked(app)))),
    Effect.sync(() => servingOf(state, app.id))
  )
  const at = DateTime.makeUnsafe(1_700_000_000_000)
  const log = LogName.make(`workload/${deployment}`)
  yield* (yield* LogStore).append(log, [{ stream: "stdout", line: "stored", at }])
  return { app, state, workload, log, at }
})

/** A replica whose runtime answers, behind a cursor, what follows it. */
const listening = Effect.fnUntraced(function* () {
  const asked: Array<LogCursor | undefined> = []
  const replica = yield* startReplica("one")
  const runtime = yield* ContainerRuntime
  const logs: typeof runtime.logs = (_, after) => {
    asked.push(after)
    return Stream.make({ stream: "stdout", line: "next" })
  }
  const run = <A, E, R>(program: Effect.Effect<A, E, R>) =>
    replica.run(Effect.provideService(program, ContainerRuntime, { ...runtime, logs }))
  return { ...replica, asked, run }
})

describe("adopt", () => {
  it.effect("X14 goes on storing what running workloads of the replica say, from where it was stored to", () =>
    Effect.gen(function* () {
      const { at, log, state } = yield* left
      const { asked, run } = yield* listening()
      expect(yield* run(adopt())).toBe(1)
      while ((state.logs.get(log)?.lines.length ?? 0) < 2) yield* Effect.yieldNow
      expect(asked).toStrictEqual([{ at, lines: 1 }])
      expect(state.logs.get(log)?.lines.map(({ line }) => line)).toStrictEqual(["stored", "next"])
    }).pipe(Effect.provide(world))
  )

  it.effect("leaves out what does not run, what cannot be seen, and what is another replica's", () =>
    Effect.gen(function* () {
      const { state, workload } = yield* left
      const other = yield* startReplica("two")
      expect(yield* other.run(adopt())).toBe(0)
      const blind = yield* startReplica("one")
      blind.script.reactions.set("ContainerRuntime.inspect", fails)
      expect(yield* blind.run(adopt())).toBe(0)
      if (workload !== undefined) state.workloads.delete(workload.name)
      const { asked, run } = yield* listening()
      expect(yield* run(adopt())).toBe(0)
      expect(asked).toStrictEqual([])
    }).pipe(Effect.provide(world))
  )
})

describe("a workload that no intent knows", () => {
  const stray = WorkloadName.make("dep_stray-1")

  it.effect("INV-7 is released by the next pass of any replica, and what is known stays", () =>
    Effect.gen(function* () {
      const { app, state, workload } = yield* left
      if (workload === undefined) return expect(workload).toBeDefined()
      state.workloads.set(stray, { ...workload, name: stray })
      const { run } = yield* startReplica("two")
      expect(yield* run(reap())).toStrictEqual({ deployments: 0, jobs: 0, workloads: 1 })
      expect([...state.workloads.keys()]).toStrictEqual(heldBy(state, app.id).workloads)
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-7 that was just intended is no stray, whenever the runtime is asked", () =>
    Effect.gen(function* () {
      const app = yield* registered()
      const state = yield* MemoryState
      const [deploying, reaping] = [yield* startReplica("one"), yield* startReplica("two")]
      const fiber = yield* Effect.forkChild(deploying.run(deploy(asked(app))))
      while (fiber.pollUnsafe() === undefined) {
        yield* reaping.run(reap())
        yield* Effect.yieldNow
      }
      expect((yield* Fiber.join(fiber)).status).toBe("healthy")
      expectSettled(state, app.id)
    }).pipe(Effect.provide(world))
  )

  it.effect("is left to a later pass while the runtime is away, and holds up nothing", () =>
    Effect.gen(function* () {
      const { state, workload } = yield* left
      if (workload === undefined) return expect(workload).toBeDefined()
      state.workloads.set(stray, { ...workload, name: stray })
      const blind = yield* startReplica("two")
      blind.script.reactions.set("ContainerRuntime.owned#1", fails)
      expect((yield* blind.run(reap())).workloads).toBe(0)
      expect((yield* blind.run(reap())).workloads).toBe(1)
    }).pipe(Effect.provide(world))
  )
})
