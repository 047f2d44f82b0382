// What the store of Runs does that waited for somebody else, or is done by many at once: it is decided by what others have
// committed, not by what was read before the wait.

import { assert, layer } from "@effect/vitest"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import type { RunClaim } from "@lockkeeper/core/port/RunRequest"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import * as Runs from "@lockkeeper/core/testing/RunFixture"
import { DateTime, Effect, Result } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import { answers, overtaken, raced, refusals, stores, unique } from "./support/stores.ts"

const tagOf = <A, E extends { readonly _tag: string }>(result: Result.Result<A, E>): string =>
  Result.isSuccess(result) ? "Success" : result.failure._tag

/** Changes a row of Runs by plain SQL. */
const set = ({ run }: RunClaim, columns: (sql: SqlClient.SqlClient) => Statement.Fragment) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`update runs set ${columns(sql)} where id = ${run.id}`)

const after = ({ fence }: RunClaim, by: number) => Fence.make(fence + by)

layer(stores(), { excludeTestServices: true })("a Run", (it) => {
  it.effect(
    "H31: that was taken while an older holder waited for it is that one's no more, nor to be taken by it",
    () =>
      Effect.gen(function* () {
        const runs = yield* RunStore
        const writes: ReadonlyArray<(claim: RunClaim) => Effect.Effect<unknown, { readonly _tag: string }>> = [
          (claim) => runs.record(claim, { nodes: [Runs.ready(Runs.names.web)] }),
          (claim) => runs.running(claim),
          (claim) => runs.settle(claim, Runs.passed),
          (claim) => runs.tearDown(claim),
          (claim) => runs.take(claim.job, after(claim, 1))
        ]
        for (const write of writes) {
          const claim = yield* Runs.begun()
          const result = yield* overtaken(
            set(claim, (sql) => sql`fence = fence + 2`),
            write(claim)
          )
          assert.strictEqual(tagOf(result), "LeaseLost")
          assert.deepStrictEqual(yield* runs.get(claim.run.id), claim.run)
        }
        const torn = yield* Runs.begun()
        yield* Runs.tornDown(torn)
        const result = yield* overtaken(
          set(torn, (sql) => sql`fence = fence + 1`),
          runs.finish(torn, "done")
        )
        assert.deepStrictEqual([tagOf(result), (yield* runs.get(torn.run.id)).status], ["LeaseLost", "teardown"])
      })
  )

  it.effect("H31: is in the hands of the newest of many who take it at once", () =>
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      const taken = yield* raced(12, (index) =>
        Effect.flatMap(RunStore, (store) => store.take(claim.job, after(claim, 12 - index)))
      )
      const fences = answers(taken).map((each) => each?.fence)
      assert.isTrue(fences.includes(after(claim, 12)))
      assert.deepStrictEqual(unique(fences), fences.length)
      assert.strictEqual(fences.length + refusals(taken).length, 12)
      assert.strictEqual(tagOf(yield* Effect.result(runs.take(claim.job, after(claim, 11)))), "LeaseLost")
      yield* runs.running({ ...claim, fence: after(claim, 12) })
    })
  )

  it.effect("B30: that was asked to end while its holder waited to say how it ends is cancelled", () =>
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      yield* overtaken(
        set(claim, (sql) => sql`cancel_requested_at = now()`),
        runs.settle(claim, Runs.failed)
      )
      yield* runs.tearDown(claim)
      const run = yield* runs.finish(claim, "done")
      assert.deepStrictEqual([run.status, run.error], ["cancelled", null])
    })
  )

  it.effect("B30: of which it was decided how it ends while somebody waited to cancel it ends so", () =>
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      yield* overtaken(
        set(claim, (sql) => sql`outcome = 'succeeded', verdict = 'pass'`),
        runs.requestCancel(claim.run.id)
      )
      assert.isTrue(yield* runs.stopRequested(claim.run.id))
      assert.strictEqual((yield* Runs.ended(claim)).status, "succeeded")
    })
  )

  it.effect("B30 H39: is cancelled or not, as all see it who ask and say so at once", () =>
    Effect.gen(function* () {
      const runs = yield* RunStore
      for (let round = 0; round < 8; round++) {
        const claim = yield* Runs.begun()
        const { id } = claim.run
        const results = yield* raced(6, (index) =>
          Effect.flatMap(RunStore, (store): Effect.Effect<unknown, { readonly _tag: string }> =>
            index === round % 6
              ? store.requestCancel(id)
              : store.settle(claim, index % 2 === 0 ? Runs.passed : Runs.failed)
          )
        )
        assert.deepStrictEqual(refusals(results), [])
        const settled = yield* runs.settle(claim, Runs.passed)
        yield* runs.tearDown(claim)
        const run = yield* runs.finish(claim, "done")
        assert.deepStrictEqual([run.verdict, run.error], [settled.verdict, settled.error])
        const first = run.verdict === "pass" ? "succeeded" : "failed"
        assert.include([first, "cancelled"], run.status)
        assert.strictEqual(run.error === null, run.status !== "failed")
      }
    })
  )

  it.effect("H40: that is torn down while somebody waited to keep it is kept no more", () =>
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      const result = yield* overtaken(
        set(claim, (sql) => sql`status = 'teardown', cleanup = 'pending', outcome = 'succeeded'`),
        Effect.flatMap(DateTime.now, (now) => runs.keep(claim.run.id, now))
      )
      assert.strictEqual(tagOf(result), "RunEnded")
      assert.strictEqual((yield* runs.finish(claim, "done")).keepUntil, null)
    })
  )

  it.effect("H40: that somebody kept while its holder waited to tear it down, or to say how it ends, is kept", () =>
    Effect.gen(function* () {
      const runs = yield* RunStore
      for (const write of ["settle", "tearDown"] as const) {
        const claim = yield* Runs.begun()
        yield* runs.running(claim)
        const seen = yield* runs.settle(claim, Runs.passed)
        const result = yield* overtaken(
          set(claim, (sql) => sql`keep_until = now() + interval '1 hour'`),
          write === "settle" ? runs.settle(claim, Runs.passed) : runs.tearDown(claim, seen)
        )
        const run = yield* runs.get(claim.run.id)
        assert.deepStrictEqual([run.status, run.keepUntil !== null], ["running", true])
        assert.deepStrictEqual(Result.getOrThrow(result), run)
      }
    })
  )

  it.effect("H40: is torn down when its time was set by hand, between two milliseconds", () =>
    Effect.gen(function* () {
      const [runs, sql] = [yield* RunStore, yield* SqlClient.SqlClient]
      for (const micros of ["000001", "123456", "999999"]) {
        const claim = yield* Runs.begun()
        yield* sql`update runs set keep_until = ${`2001-02-03T04:05:06.${micros}Z`} where id = ${claim.run.id}`
        const seen = yield* runs.settle(claim, Runs.passed)
        assert.strictEqual((yield* runs.tearDown(claim, seen)).status, "teardown", micros)
      }
    })
  )

  it.effect("H40: is kept no more by who waited for somebody that asked for its end, or for its last holder", () =>
    Effect.gen(function* () {
      const runs = yield* RunStore
      const before: ReadonlyArray<(sql: SqlClient.SqlClient) => Statement.Fragment> = [
        (sql) => sql`cancel_requested_at = now()`,
        (sql) => sql`outcome = 'cancelled'`,
        (sql) => sql`outcome = 'failed', error_code = 'server_lost', error_detail = 'it is gone'`
      ]
      for (const change of before) {
        const claim = yield* Runs.begun()
        const result = yield* overtaken(
          set(claim, change),
          Effect.flatMap(DateTime.now, (now) => runs.keep(claim.run.id, now))
        )
        assert.strictEqual(tagOf(result), "RunEnded")
        assert.strictEqual((yield* runs.get(claim.run.id)).keepUntil, null)
      }
    })
  )

  it.effect(
    "H40: is kept by those who are told so, or torn down, whoever keeps it and whoever removes it at once",
    () =>
      Effect.gen(function* () {
        const runs = yield* RunStore
        const now = yield* DateTime.now
        for (let round = 0; round < 24; round++) {
          const claim = yield* Runs.begun()
          const { id } = claim.run
          yield* runs.running(claim)
          const seen = yield* runs.settle(claim, Runs.passed)
          const until = (index: number) => DateTime.add(now, { minutes: 1 + index })
          const results = yield* raced(4, (index) =>
            Effect.flatMap(RunStore, (store): Effect.Effect<unknown, { readonly _tag: string }> =>
              index === round % 4 ? store.tearDown(claim, seen) : store.keep(id, until(index))
            )
          )
          const refused = refusals(results)
          const { keepUntil, status } = yield* runs.get(id)
          assert.deepStrictEqual(unique(refused.concat("RunEnded")), 1)
          assert.include([0, 3], refused.length)
          assert.deepStrictEqual(
            [status, keepUntil !== null],
            refused.length === 0 ? ["running", true] : ["teardown", false]
          )
        }
      })
  )

  it.effect("H40: ends once, and is not kept, whoever ends and keeps it at once", () =>
    Effect.gen(function* () {
      const runs = yield* RunStore
      const claim = yield* Runs.begun()
      yield* Runs.tornDown(claim)
      const now = yield* DateTime.now
      const results = yield* raced(12, (index) =>
        Effect.flatMap(RunStore, (store): Effect.Effect<unknown, { readonly _tag: string }> =>
          index % 3 === 0 ? store.keep(claim.run.id, now) : store.finish(claim, "done")
        )
      )
      assert.lengthOf(answers(results), 1)
      const { keepUntil, status } = yield* runs.get(claim.run.id)
      assert.deepStrictEqual([status, keepUntil], ["succeeded", null])
      const events = (yield* Given.eventsOf(claim.run.tenant)).filter(({ type }) => type === "run.succeeded")
      assert.lengthOf(events, 1)
    })
  )

  it.effect("INV-1: is not made in the Slot of a Job that was abandoned while its holder waited to make it", () =>
    Effect.gen(function* () {
      const [runs, sql] = [yield* RunStore, yield* SqlClient.SqlClient]
      const held = yield* Jobs.running({ tenant: yield* Given.freshTenant })
      const request = yield* Runs.requested(held)
      const result = yield* overtaken(
        sql`update jobs set fence = fence + 1 where id = ${held.job.id}`,
        runs.create(request)
      )
      assert.strictEqual(tagOf(result), "LeaseLost")
      assert.strictEqual(tagOf(yield* Effect.result(runs.get(request.id))), "RunNotFound")
    })
  )

  it.effect("INV-1 H29: is made before its Job is taken over, and then taken too, or not at all", () =>
    Effect.gen(function* () {
      const [jobs, runs] = [yield* JobStore, yield* RunStore]
      for (let round = 0; round < 10; round++) {
        const held = yield* Jobs.running({ tenant: yield* Given.freshTenant })
        const request = yield* Runs.requested(held)
        yield* jobs.abandon(held.replica)
        const take = Effect.gen(function* () {
          const claims = yield* (yield* JobStore).claimAbandoned(yield* Jobs.freshWorker(), 100)
          const claim = claims.find(({ job }) => job.id === held.job.id)
          return claim === undefined ? "not claimed" : yield* (yield* RunStore).take(claim.job.id, claim.fence)
        })
        const create = Effect.flatMap(RunStore, (store) => store.create(request))
        const [created, taken] = yield* raced(
          2,
          (index): Effect.Effect<unknown, { readonly _tag: string }, RunStore | JobStore> =>
            index === 0 ? create : take
        )
        if (created === undefined || taken === undefined) return assert.fail("two results")
        const isThere = Result.isSuccess(yield* Effect.result(runs.get(request.id)))
        assert.strictEqual(isThere, Result.isSuccess(created))
        assert.strictEqual(Result.isSuccess(taken) && taken.success !== undefined, isThere)
        assert.notStrictEqual(Result.getOrThrow(taken), "not claimed")
      }
    })
  )
})
