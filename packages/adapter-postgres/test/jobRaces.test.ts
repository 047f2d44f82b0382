// What a Job's store does that waited for somebody else: it is decided by what that one has committed, not by what was read
// before the wait.

import { assert, layer } from "@effect/vitest"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { CheckpointStore } from "@lockkeeper/core/port/CheckpointStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import type { JobClaim } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { present } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import { Effect, Result } from "effect"
import { SqlClient } from "effect/sql"
import { answers, overtaken, putStatus, raced, refusals, stores } from "./support/stores.ts"

const tagOf = <A, E extends { readonly _tag: string }>(result: Result.Result<A, E>): string =>
  Result.isSuccess(result) ? "Success" : result.failure._tag

/** Ends a Job by plain SQL. */
const ended = ({ job }: JobClaim) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql`with ended as (
        update jobs set status = 'failed', finished_at = now(), lease_until = null, slot = null
        where id = ${job.id} returning id
      )
      delete from slots s using ended where s.job = ended.id`
  )

/** Gives a Job back by plain SQL. */
const waitsAgain = ({ job }: JobClaim) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql`with back as (
        update jobs set status = 'queued', started_at = null, lease_until = null, slot = null
        where id = ${job.id} returning id
      )
      delete from slots s using back where s.job = back.id`
  )

/** Cancels a Job that waits by plain SQL. */
const cancelled = (job: string) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql`update jobs set status = 'cancelled', finished_at = now() where id = ${job} and status = 'queued'`
  )

/** Lets a Job run by plain SQL, in the first Slot. */
const started = (job: string) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql`with run as (
        update jobs set status = 'running', fence = fence + 1, replica = 'r', started_at = now(), slot = 1,
          lease_until = now() + interval '1 hour'
        where id = ${job} returning tenant, id, fence
      )
      insert into slots (tenant, number, job, fence) select tenant, 1, id, fence from run`
  )

layer(stores(), { excludeTestServices: true })("a Job", (it) => {
  it.effect("INV-4: that was begun while somebody waited to cancel it is asked to stop", () =>
    Effect.gen(function* () {
      const [deployments, jobs] = [yield* DeploymentStore, yield* JobStore]
      const { app } = yield* Jobs.released()
      yield* deployments.setCap(app.tenant, 0)
      const { id } = yield* Jobs.waitingJob({ app: app.id })
      yield* deployments.setCap(app.tenant, 1)
      const result = Result.getOrThrow(yield* overtaken(started(id), jobs.requestCancel(id)))
      assert.strictEqual(result.status, "running")
      const sql = yield* SqlClient.SqlClient
      const asked = yield* sql`select stop_requested_at is not null as asked from jobs where id = ${id}`
      assert.deepStrictEqual(asked, [{ asked: true }])
    })
  )

  it.effect("INV-4: that was cancelled while somebody was about to admit it stays cancelled", () =>
    Effect.gen(function* () {
      const [deployments, jobs] = [yield* DeploymentStore, yield* JobStore]
      const { app } = yield* Jobs.released()
      yield* deployments.setCap(app.tenant, 0)
      const { id } = yield* Jobs.waitingJob({ app: app.id })
      yield* deployments.setCap(app.tenant, 1)
      const result = yield* overtaken(cancelled(id), jobs.admit(yield* Jobs.freshWorker(), 1))
      assert.strictEqual((yield* jobs.get(id)).status, "cancelled")
      assert.strictEqual(Result.getOrThrow(result).length, 0)
    })
  )

  it.effect("INV-6: of an App that was stopped meanwhile does not begin", () =>
    Effect.gen(function* () {
      const { app } = yield* Jobs.released()
      const result = yield* overtaken(putStatus(app.id, "stopped"), Jobs.begun({ app: app.id }, "queue"))
      assert.strictEqual(tagOf(result), "JobRefused")
      assert.deepStrictEqual((yield* (yield* JobStore).list({ app: app.id }, { limit: 1 })).items, [])
    })
  )

  it.effect(
    "INV-6: that begins to run while its App is stopped is asked to stop, and one that waits again is cancelled",
    () =>
      Effect.gen(function* () {
        const [apps, deployments, jobs] = [yield* AppStore, yield* DeploymentStore, yield* JobStore]
        const one = (yield* Jobs.released()).app
        yield* deployments.setCap(one.tenant, 0)
        const waits = yield* Jobs.waitingJob({ app: one.id })
        yield* deployments.setCap(one.tenant, 1)
        yield* overtaken(started(waits.id), apps.mark(one.id, "stopped"))
        const sql = yield* SqlClient.SqlClient
        const asked = yield* sql`select stop_requested_at is not null as asked from jobs where id = ${waits.id}`
        assert.deepStrictEqual(asked, [{ asked: true }])

        const other = (yield* Jobs.released()).app
        const claim = yield* Jobs.running({ app: other.id })
        yield* overtaken(waitsAgain(claim), apps.mark(other.id, "stopped"))
        assert.strictEqual((yield* jobs.get(claim.job.id)).status, "cancelled")
      })
  )

  it.effect("R9: that ended meanwhile takes no Checkpoint, and one that was taken over none of its old holder's", () =>
    Effect.gen(function* () {
      const [checkpoints, sql] = [yield* CheckpointStore, yield* SqlClient.SqlClient]
      const { app } = yield* Jobs.released()
      const [one, other] = [yield* Jobs.batch(app, "a"), yield* Jobs.batch(app, "a")]
      const done = { status: "done", exitCode: 0, result: null } as const
      assert.strictEqual(tagOf(yield* overtaken(ended(one), checkpoints.record(one, 1, done))), "LeaseLost")
      const takeOver = sql`update jobs set fence = fence + 1 where id = ${other.job.id}`
      assert.strictEqual(tagOf(yield* overtaken(takeOver, checkpoints.record(other, 1, done))), "LeaseLost")
      for (const { job } of [one, other]) {
        assert.strictEqual((yield* checkpoints.remaining(job.id, 0, 10)).length, 1)
      }
    })
  )

  it.effect("K5: whose Items are recorded by many at once counts each once", () =>
    Effect.gen(function* () {
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.batch(app, ..."abcdefgh")
      const done = { status: "done", exitCode: 0, result: null } as const
      const results = yield* raced(32, (index) =>
        Effect.flatMap(CheckpointStore, (store) => store.record(claim, (index % 8) + 1, done))
      )
      assert.lengthOf(answers(results), 32)
      assert.deepStrictEqual((yield* (yield* JobStore).get(claim.job.id)).items, { total: 8, done: 8, failed: 0 })
    })
  )

  it.effect("INV-7: that was taken over or ended meanwhile has no intent of its old holder", () =>
    Effect.gen(function* () {
      const [journal, sql] = [yield* Journal, yield* SqlClient.SqlClient]
      const { app } = yield* Jobs.released()
      const intend = Effect.fnUntraced(function* ({ fence, job, replica }: JobClaim) {
        return yield* journal.intend({
          name: yield* Given.freshWorkloadName,
          app: app.id,
          work: job.id,
          fence,
          replica
        })
      })
      const [one, other] = [yield* Jobs.running({ app: app.id }), yield* Jobs.running({ app: app.id })]
      const takeOver = sql`update jobs set fence = fence + 1 where id = ${one.job.id}`
      assert.strictEqual(tagOf(yield* overtaken(takeOver, intend(one))), "LeaseLost")
      assert.strictEqual(tagOf(yield* overtaken(ended(other), intend(other))), "LeaseLost")
      for (const { job } of [one, other]) assert.deepStrictEqual(yield* journal.heldFor(job.id), [])
    })
  )

  it.effect(
    "INV-1: whose lease was renewed meanwhile is not taken over, and the Slot of one that is has its Fence",
    () =>
      Effect.gen(function* () {
        const [jobs, sql] = [yield* JobStore, yield* SqlClient.SqlClient]
        const { app } = yield* Jobs.released()
        const claim = yield* Jobs.running({ app: app.id })
        yield* jobs.abandon(claim.replica)
        const renewed = sql`update jobs set lease_until = now() + interval '1 hour' where id = ${claim.job.id}`
        const by = yield* Jobs.freshWorker()
        assert.deepStrictEqual(yield* overtaken(renewed, jobs.claimAbandoned(by, 10)), Result.succeed([]))
        const { fence } = yield* Jobs.takenOver(claim)
        assert.strictEqual(fence, claim.fence + 1)
        const slot = yield* sql`select fence::int from slots where job = ${claim.job.id}`
        assert.deepStrictEqual(slot, [{ fence }])
      })
  )

  it.effect("K9: that many run again at once, on two replicas, has one attempt more and one holder", () =>
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.running({ app: app.id })
      yield* jobs.finish(claim, { status: "failed", exitCode: 1 })
      const results = yield* raced(12, () =>
        Effect.flatMap(Jobs.freshWorker(), (by) => Effect.flatMap(JobStore, (store) => store.rerun(claim.job.id, by)))
      )
      assert.deepStrictEqual(new Set(refusals(results)), new Set(["JobRefused"]))
      assert.lengthOf(answers(results), 1)
      assert.strictEqual((yield* jobs.get(claim.job.id)).attempt, 2)
    })
  )

  it.effect(
    "K3: that its caller has lost while it ran is taken over, also when others wait for callers that are gone",
    () =>
      Effect.gen(function* () {
        const [deployments, jobs] = [yield* DeploymentStore, yield* JobStore]
        const tenant = yield* Given.freshTenant
        yield* deployments.setCap(tenant, 1)
        const by = yield* Jobs.freshWorker()
        const lost = yield* Jobs.running({ tenant }, { by })
        const forgotten = yield* Jobs.waitingJob({ tenant }, { by })
        const waits = yield* Jobs.waitingJob({ tenant })
        yield* jobs.abandon(by.replica)
        const claims = yield* jobs.claimAbandoned(yield* Jobs.freshWorker(), 10)
        const taken = yield* present(
          "a Claim",
          claims.find(({ job }) => job.id === lost.job.id)
        )
        assert.strictEqual(taken.job.status, "running")
        const statuses = [(yield* jobs.get(forgotten.id)).status, (yield* jobs.get(waits.id)).status]
        assert.deepStrictEqual(statuses, ["cancelled", "queued"])
      })
  )
})
