// Sweeping: in batches, class by class, each for itself, with gauges of what is there. What a Batch resumes from outlives it all.
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Layer, Metric } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import {
  isRetentionSetting,
  retention,
  retentionKinds,
  retentionTerms,
  sweepKinds
} from "../../src/domain/Retention.ts"
import { gauge, sweep } from "../../src/program/sweep.ts"
import { freshReservation, freshTenant, registered } from "../../src/testing/Fixture.ts"
import { IdempotencyStore } from "../../src/port/IdempotencyStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { dies, fails } from "../../src/testing/Reaction.ts"
import { endedJob } from "../../src/testing/RetentionFixture.ts"
import { layerMemory } from "../support/layerMemory.ts"
import { startReplica, world } from "./scripted.ts"
import { sweptBatch, sweptBatches } from "../../../../test/harness/sweptBatch.ts"

const gauged = Effect.map(Metric.snapshot, (metrics) =>
  Object.fromEntries(
    metrics.flatMap(({ attributes, id, state }) =>
      id === "lockkeeper_retained_rows" && "value" in state ? [[attributes?.["class"] ?? "", state.value] as const] : []
    )
  )
)

describe("the table of retention", () => {
  it("K7: every class says what it is and what holds it; what is swept has an age of a day and more, and since when", () => {
    for (const kind of retentionKinds) {
      const { age, holds, since, what } = retention[kind]
      expect(`${what}; ${holds}`).toMatch(/^\w.*; \w/)
      expect([kind, since === ""]).toStrictEqual([kind, age === null])
      if (age !== null) expect(Duration.toDays(age)).toBeGreaterThanOrEqual(1)
    }
    expect(sweepKinds).toStrictEqual(retentionKinds.filter((kind) => retention[kind].age !== null))
  })

  it("K7: an operator's age stands in the place of the table's, where it may", () => {
    const ages = { logs: Duration.days(3) }
    expect(retentionTerms("logs", { ages }).age).toStrictEqual(Duration.days(3))
    expect(retentionTerms("events", { ages }).age).toStrictEqual(retention.events.age)
    expect(retentionTerms("releases", { releases: 9 }).newest).toBe(9)
    expect(retentionTerms("deployments", { releases: 9 }).newest).toBe(retention.deployments.newest)
    expect(["logs", "intents", "slots", "toString"].map(isRetentionSetting)).toStrictEqual([true, false, false, false])
  })
})

describe("a sweep", () => {
  it.effect("K7: removes what is old of every class, a thousand at a time, until nothing is left", () =>
    Effect.gen(function* () {
      const { run, script } = yield* startReplica("one")
      const tenant = yield* freshTenant
      yield* Effect.replicateEffect(endedJob(tenant, "succeeded"), 1_200)
      yield* TestClock.adjust("91 days")
      const swept = yield* run(sweep())
      expect([...swept.keys()]).toStrictEqual(sweepKinds)
      expect(swept.get("jobs")).toBe(1_200)
      expect(script.calls.length).toBe(
        [...swept.values()].reduce((calls, count) => calls + Math.ceil(count / 1_000) + 1, 0)
      )
      expect([...(yield* run(sweep())).values()].every((count) => count === 0)).toBe(true)
    }).pipe(Effect.provide(world))
  )

  it.effect.each([
    { what: "fails", reaction: fails },
    { what: "dies", reaction: dies }
  ])("K7: of one class that $what holds up no other one, and is made good by the next", ({ reaction }) =>
    Effect.gen(function* () {
      const { run, script } = yield* startReplica("one")
      const tenant = yield* freshTenant
      yield* endedJob(tenant, "succeeded")
      yield* TestClock.adjust("91 days")
      script.reactions.set("RetentionStore.sweep#2", reaction)
      const swept = yield* run(sweep())
      expect(swept.get("jobs")).toBe(1)
      script.reactions.clear()
      yield* run(sweep())
    }).pipe(Effect.provide(world))
  )

  it.effect("K8: gauges how much there is of each class", () =>
    Effect.gen(function* () {
      const state = yield* MemoryState
      yield* Effect.replicateEffect(registered(), 3)
      const tenant = yield* freshTenant
      yield* Effect.replicateEffect(endedJob(tenant, "succeeded"), 2)
      const { reserve } = yield* IdempotencyStore
      yield* reserve(yield* freshReservation())
      yield* gauge()
      const rows = yield* gauged
      expect(Object.keys(rows).toSorted()).toStrictEqual(retentionKinds.toSorted())
      expect([rows["apps"], rows["jobs"], rows["reservations"], rows["events"]]).toStrictEqual([
        3,
        2,
        1,
        state.events.length
      ])
      yield* TestClock.adjust("91 days")
      yield* sweep()
      yield* gauge()
      const left = yield* gauged
      expect([left["apps"], left["jobs"], left["reservations"], left["events"]]).toStrictEqual([3, 0, 0, 0])
    }).pipe(Effect.provide(layerMemory))
  )
})

describe("a batch that did not come to its end", () => {
  it("K4: is carried on a year later, whatever was swept under any settings: what was done is not done again", async () => {
    await fc.assert(
      fc.asyncProperty(sweptBatches, (batch) =>
        Effect.gen(function* () {
          const { run } = yield* startReplica("one")
          const outcome = yield* run(sweptBatch(batch, TestClock.adjust("365 days")))
          expect(outcome.isDone).toBe(true)
          const all = Array.from({ length: batch.items }, (_, index) => index + 1)
          expect([...outcome.first, ...outcome.again].toSorted((a, b) => a - b)).toStrictEqual(all)
        }).pipe(Effect.provide(Layer.provideMerge(world, TestClock.layer())), Effect.runPromise)
      ),
      { numRuns: 100 }
    )
  })
})
