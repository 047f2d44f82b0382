// Keeping a Run for a day costs few looks, also where no Hint is heard, and ends when it is to.
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { JobStore } from "../../src/port/JobStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { cancelRun } from "../../src/program/cancelRun.ts"
import { fails } from "../../src/testing/Reaction.ts"
import { inMinutes, kept, left, nothing, present } from "./runWorld.ts"
import { hintedWorld, type ScriptedReplica, startReplica, world } from "./scripted.ts"
import { keepRun } from "../../src/program/keepRun.ts"

const asked = ["RunStore.get", "RunStore.stopRequested", "JobStore.stopRequested"] as const

const looks = ({ script }: ScriptedReplica) =>
  asked.map((call) => script.calls.filter((seen) => seen.startsWith(`${call}#`)).length)

describe("who keeps a Run for a day", () => {
  it.effect("H25 H40: looks at most 2,900 times, and no longer than it is kept", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one", { ttl: Duration.hours(2), renewEvery: Duration.minutes(30) })
      const { fiber } = yield* kept(replica, 24 * 60)
      for (let minute = 2; minute < 24 * 60; minute++) yield* TestClock.adjust("1 minute")
      expect(Math.min(...looks(replica).slice(0, 1))).toBeGreaterThan(1_000)
      for (const count of looks(replica)) expect(count).toBeLessThanOrEqual(2_900)
      expect((yield* left).places).toBe(1)
      yield* TestClock.adjust("61 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "succeeded" })
      expect(yield* left).toStrictEqual(nothing)
    }).pipe(Effect.provide(world))
  )

  it.effect(
    "B30 H25: sees within half a minute that its end was asked for, by its own name or by that of its Job",
    () =>
      Effect.gen(function* () {
        const replica = yield* startReplica("one")
        const { jobs } = yield* MemoryState
        for (const by of ["run", "job"]) {
          const { fiber, run } = yield* kept(replica)
          yield* TestClock.adjust("10 minutes")
          const job = [...jobs.values()].find((row) => row.job.status === "running")?.job ?? expect.fail("no job")
          yield* by === "run" ? replica.run(cancelRun(run)) : (yield* JobStore).requestCancel(job.id)
          yield* TestClock.adjust("31 seconds")
          expect(yield* Fiber.join(fiber)).toMatchObject({ status: "succeeded", cleanup: "done" })
        }
      }).pipe(Effect.provide(world))
  )

  it.effect("B30 H25: sees at once that its end was asked for when it hears of that, and until when it is kept", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const { fiber, run } = yield* kept(replica)
      yield* TestClock.adjust("10 minutes")
      yield* replica.run(keepRun(run, yield* inMinutes(30)))
      yield* TestClock.adjust("25 minutes")
      expect(yield* present(run)).toMatchObject({ status: "running" })
      yield* (yield* Effect.map(startReplica("two"), ({ run }) => run))(cancelRun(run))
      yield* TestClock.adjust("1 milli")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "succeeded", cleanup: "done" })
    }).pipe(Effect.provide(hintedWorld))
  )

  it.effect("H40: removes it when its time is over as it was known last, while nothing can be read of it", () =>
    Effect.gen(function* () {
      const replica = yield* startReplica("one")
      const { fiber } = yield* kept(replica, 5)
      replica.script.reactions.set("RunStore.get", fails)
      yield* TestClock.adjust("241 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ status: "succeeded", cleanup: "done" })
    }).pipe(Effect.provide(world))
  )
})
