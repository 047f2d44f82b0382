// A Batch of an embedder's own work: every Item is done or its error is said, in their order, and what is done is never done
// again, however often whoever works on it fails, is interrupted, or is killed.
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { Job } from "../../src/domain/Job.ts"
import { maxItems } from "../../src/domain/Job.ts"
import type { TenantName } from "../../src/domain/Tenant.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { JobKey } from "../../src/port/JobRequest.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import { reap } from "../../src/program/reap.ts"
import { type BatchItem, type BatchRequest, runBatch } from "../../src/program/runBatch.ts"
import { freshTenant } from "../../src/testing/Fixture.ts"
import { crashesAfter, startReplica, world } from "./scripted.ts"
import { hangs } from "../../src/testing/Reaction.ts"

const key = JobKey.make("nightly/2026-11-27")

const request = (
  tenant: TenantName,
  items: ReadonlyArray<string>,
  more: Partial<BatchRequest<string>> = {}
): BatchRequest<string> => ({ tenant, key, items, result: Schema.String, ...more })

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `item ${index + 1}`)

/** Counts how often each Item is performed, and answers it in capitals. */
const counting = () => {
  const performed: Array<string> = []
  const perform = ({ item }: BatchItem) =>
    Effect.sync(() => {
      performed.push(item)
      return item.toUpperCase()
    })
  return { performed, perform }
}

/** Every Item as done, in capitals. */
const allDone = (items: ReadonlyArray<string>) =>
  items.map((item) => ({ item, status: "done" as const, value: item.toUpperCase() }))

const jobsOf = Effect.fnUntraced(function* (
  tenant: TenantName
): Effect.fn.Return<ReadonlyArray<Job>, unknown, JobStore> {
  return (yield* (yield* JobStore).list({ tenant }, { limit: 10 })).items
})

const slotsOf = (tenant: TenantName) =>
  Effect.flatMap(DeploymentStore, (store) => Effect.map(store.usage(tenant), ({ running }) => running))

describe("a batch of an embedder", () => {
  it.effect(
    "H13 K5: of a hundred items with random delays, one failure keeps its error, and ninety-nine their place",
    () =>
      Effect.gen(function* () {
        const { run } = yield* startReplica("one")
        const tenant = yield* freshTenant
        const items = numbered(100)
        let atOnce = 0
        let most = 0
        const perform = Effect.fnUntraced(function* ({ item, number }: BatchItem) {
          most = Math.max(most, ++atOnce)
          yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 1_000)))
          atOnce--
          return number === 42 ? yield* Effect.fail("no answer to that") : item.toUpperCase()
        })
        const fiber = yield* Effect.forkDetach(run(runBatch(request(tenant, items, { concurrency: 8 }), perform)))
        yield* TestClock.adjust("2 minutes")
        const results = yield* Fiber.join(fiber)
        const expected = allDone(items).with(41, { item: "item 42", status: "done", value: "" })
        expect(results.toSpliced(41, 1)).toStrictEqual(expected.toSpliced(41, 1))
        expect(results[41]).toStrictEqual({ item: "item 42", status: "failed", error: "no answer to that" })
        expect(most).toBe(8)
        expect(yield* jobsOf(tenant)).toMatchObject([{ status: "failed", items: { total: 100, done: 99, failed: 1 } }])
        expect(yield* slotsOf(tenant)).toBe(0)
      }).pipe(Effect.provide(world))
  )

  it.effect("K5 K9: run again by its key does what failed, and nothing that is done", () =>
    Effect.gen(function* () {
      const { run } = yield* startReplica("one")
      const tenant = yield* freshTenant
      const items = numbered(5)
      const fail = ({ item, number }: BatchItem) => (number % 2 === 0 ? Effect.fail("odd only") : Effect.succeed(item))
      yield* run(runBatch(request(tenant, items), fail))
      const { perform, performed } = counting()
      const results = yield* run(runBatch(request(tenant, items), perform))
      expect(performed).toStrictEqual(["item 2", "item 4"])
      expect(results.map(({ status }) => status)).toStrictEqual(["done", "done", "done", "done", "done"])
      expect(yield* jobsOf(tenant)).toMatchObject([{ status: "succeeded", attempt: 2, items: { done: 5, failed: 0 } }])
    }).pipe(Effect.provide(world))
  )

  it.effect("K5: that has ended well answers its results and performs nothing", () =>
    Effect.gen(function* () {
      const { run } = yield* startReplica("one")
      const tenant = yield* freshTenant
      const items = numbered(3)
      yield* run(runBatch(request(tenant, items), counting().perform))
      const results = yield* run(runBatch(request(tenant, items), () => Effect.die("it was performed again")))
      expect(results).toStrictEqual(allDone(items))
      expect(
        yield* run(runBatch(request(tenant, [], { key: JobKey.make("empty") }), counting().perform))
      ).toStrictEqual([])
      expect((yield* jobsOf(tenant)).map(({ attempt }) => attempt)).toStrictEqual([1, 1])
    }).pipe(Effect.provide(world))
  )

  it.effect("H13: that stops at a failure says what was not tried", () =>
    Effect.gen(function* () {
      const { run } = yield* startReplica("one")
      const tenant = yield* freshTenant
      const perform = ({ item }: BatchItem) => (item === "item 2" ? Effect.die("a defect") : Effect.succeed(item))
      const results = yield* run(runBatch(request(tenant, numbered(4), { onItemFailure: "stop" }), perform))
      expect(results).toStrictEqual([
        { item: "item 1", status: "done", value: "item 1" },
        { item: "item 2", status: "failed", error: "a defect" },
        { item: "item 3", status: "pending" },
        { item: "item 4", status: "pending" }
      ])
      expect(yield* jobsOf(tenant)).toMatchObject([{ status: "failed", items: { total: 4, done: 1, failed: 1 } }])
    }).pipe(Effect.provide(world))
  )

  it.effect("K1 K5: of two at once one works, and the other is told that it does", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const tenant = yield* freshTenant
      const { perform, performed } = counting()
      const slow = (item: BatchItem) => Effect.andThen(Effect.sleep("1 second"), perform(item))
      const asking = [one, two, one].map(({ run }) => Effect.result(run(runBatch(request(tenant, numbered(3)), slow))))
      const fiber = yield* Effect.forkDetach(Effect.all(asking, { concurrency: "unbounded" }))
      yield* TestClock.adjust("10 seconds")
      const results = yield* Fiber.join(fiber)
      const refusals = results.flatMap((result) => (result._tag === "Failure" ? [result.failure] : []))
      expect(refusals).toMatchObject([
        { _tag: "JobRefused", reason: { _tag: "AlreadyRunning" } },
        { _tag: "JobRefused", reason: { _tag: "AlreadyRunning" } }
      ])
      expect(performed).toStrictEqual(numbered(3))
      expect((yield* jobsOf(tenant)).length).toBe(1)
    }).pipe(Effect.provide(world))
  )

  it.effect(
    "K5 INV-4: that is interrupted, or cancelled by anybody, is cancelled, and goes on when it is run again",
    () =>
      Effect.gen(function* () {
        const { run } = yield* startReplica("one")
        const tenant = yield* freshTenant
        const items = numbered(6)
        const { perform, performed } = counting()
        const slow = (item: BatchItem) => Effect.andThen(Effect.sleep("1 second"), perform(item))
        const first = yield* Effect.forkDetach(run(runBatch(request(tenant, items), slow)))
        yield* TestClock.adjust("2500 millis")
        yield* Fiber.interrupt(first)
        expect(yield* jobsOf(tenant)).toMatchObject([{ status: "cancelled", items: { done: 2, failed: 0 } }])
        expect(yield* slotsOf(tenant)).toBe(0)

        const second = yield* Effect.forkDetach(Effect.flip(run(runBatch(request(tenant, items), slow))))
        yield* TestClock.adjust("2500 millis")
        const [job] = yield* jobsOf(tenant)
        yield* (yield* JobStore).requestCancel(job?.id ?? expect.fail("no job"))
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(second)).toMatchObject({ _tag: "JobStopped" })
        expect(yield* jobsOf(tenant)).toMatchObject([{ status: "cancelled" }])

        expect(yield* run(runBatch(request(tenant, items), perform))).toStrictEqual(allDone(items))
        expect(performed).toStrictEqual(items)
        expect(yield* jobsOf(tenant)).toMatchObject([{ status: "succeeded", attempt: 3 }])
      }).pipe(Effect.provide(world))
  )

  it.effect("K5 INV-13: whose process is killed is failed by the reaper, and its items are not done twice", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* startReplica("one"), yield* startReplica("two")]
      const tenant = yield* freshTenant
      const items = numbered(5)
      const { perform, performed } = counting()
      one.script.reactions.set("CheckpointStore.record#3", crashesAfter(one.script))
      yield* Effect.forkDetach(one.run(runBatch(request(tenant, items), perform)))
      yield* TestClock.adjust("1 second")
      const refused = yield* Effect.flip(two.run(runBatch(request(tenant, items), perform)))
      expect(refused).toMatchObject({ reason: { _tag: "AlreadyRunning" } })
      yield* TestClock.adjust("20 seconds")
      yield* two.run(reap())
      expect(yield* jobsOf(tenant)).toMatchObject([{ status: "failed", items: { done: 3 } }])
      expect(yield* slotsOf(tenant)).toBe(0)
      expect(yield* two.run(runBatch(request(tenant, items), perform))).toStrictEqual(allDone(items))
      expect(performed).toStrictEqual(items)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-13 H22: whose lease is lost is interrupted, and says so", () =>
    Effect.gen(function* () {
      const one = yield* startReplica("one")
      const tenant = yield* freshTenant
      one.script.reactions.set("JobStore.renew", hangs)
      const endless = () => Effect.as(Effect.never, "")
      const fiber = yield* Effect.forkDetach(Effect.flip(one.run(runBatch(request(tenant, numbered(2)), endless))))
      yield* TestClock.adjust("14 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "LeaseLost" })
    }).pipe(Effect.provide(world))
  )

  it.effect("H13: a result that cannot be stored as its schema says is the failure of its item", () =>
    Effect.gen(function* () {
      const { run } = yield* startReplica("one")
      const tenant = yield* freshTenant
      const result = Schema.String.check(Schema.isMaxLength(6))
      const results = yield* run(
        runBatch({ ...request(tenant, ["short", "much longer", "again"]), result }, ({ item }) => Effect.succeed(item))
      )
      expect(results.map(({ status }) => status)).toStrictEqual(["done", "failed", "done"])
    }).pipe(Effect.provide(world))
  )

  const odd: ReadonlyArray<readonly [string, unknown, string]> = [
    ["an error without a text", Object.create(null), "it failed"],
    ["a text with NUL and half a character", "a\0b\ud800", "a\0b\ud800"],
    ["nothing", undefined, "undefined"]
  ]
  it.effect.each(odd)("H13: a failure with %s is kept as it can be", ([, error, expected]) =>
    Effect.gen(function* () {
      const { run } = yield* startReplica("one")
      const tenant = yield* freshTenant
      const results = yield* run(runBatch(request(tenant, ["a"]), () => Effect.fail(error)))
      expect(results).toStrictEqual([{ item: "a", status: "failed", error: expected }])
    }).pipe(Effect.provide(world))
  )

  const invalid: ReadonlyArray<{ readonly what: string; readonly more: Partial<BatchRequest<string>> }> = [
    { what: "an item with NUL", more: { items: ["good", "a\0secret"] } },
    { what: "an item with half a character", more: { items: ["\ud800"] } },
    { what: "an item that is too long", more: { items: ["x".repeat(4_097)] } },
    { what: "too many items", more: { items: numbered(maxItems + 1) } },
    { what: "no concurrency", more: { concurrency: 0 } },
    { what: "too much concurrency", more: { concurrency: 33 } },
    { what: "half a concurrency", more: { concurrency: 1.5 } }
  ]
  it.effect.each(invalid)("H13: with $what is refused, and nothing is made", ({ more }) =>
    Effect.gen(function* () {
      const { run } = yield* startReplica("one")
      const tenant = yield* freshTenant
      const error = yield* Effect.flip(run(runBatch(request(tenant, ["a"], more), counting().perform)))
      expect(error._tag).toBe("BatchInvalid")
      expect(error.message).not.toContain("secret")
      expect(yield* jobsOf(tenant)).toStrictEqual([])
    }).pipe(Effect.provide(world))
  )
})
