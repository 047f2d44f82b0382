// Sweeps on PostgreSQL: a year in which everything is swept, sweeps while others are at it, and gauges of what is there.

import { assert, layer } from "@effect/vitest"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { retentionKinds, sweepKinds } from "@lockkeeper/core/domain/Retention"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { RetentionStore } from "@lockkeeper/core/port/RetentionStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Replica } from "@lockkeeper/core/program/Replica"
import { gauge, sweep } from "@lockkeeper/core/program/sweep"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import { atOnce, endedJob, inAnHour, isThere, swept } from "@lockkeeper/core/testing/RetentionFixture"
import { Effect, Metric, Redacted, Result } from "effect"
import { SqlClient } from "effect/sql"
import * as fc from "fast-check"
import { sweptBatch, sweptBatches } from "../../../test/harness/sweptBatch.ts"
import { tablesOf } from "../src/internal/retentionClasses.ts"
import { opened, overtaken, putStatus, raced, stores } from "./support/stores.ts"

/** What says of each table when something happened. */
const times = {
  apps: ["created_at", "updated_at"],
  deployments: ["created_at", "started_at", "finished_at"],
  env_changes: ["at"],
  events: ["at"],
  idempotency_keys: ["lease_until", "expires_at"],
  intents: ["created_at", "released_at"],
  jobs: ["created_at", "started_at", "finished_at"],
  log_chunks: ["at", "output_from", "output_until"],
  releases: ["created_at"],
  subscriptions: ["told_at"]
}

/** Lets a year pass for all that has happened. */
const aYear = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const [table, columns] of Object.entries(times)) {
    const set = columns.map((column) => `${column} = ${column} - interval '365 days'`).join(", ")
    yield* sql`update ${sql(table)} set ${sql.literal(set)}`
  }
})

const replica = Replica.layer(ReplicaId.make("one"))

const gauged = (name: string) =>
  Effect.map(Metric.snapshot, (metrics) =>
    Object.fromEntries(
      metrics.flatMap(({ attributes, id, state }) =>
        id === name && "value" in state ? [[attributes?.["class"] ?? "", Number(state.value)] as const] : []
      )
    )
  )

layer(stores(), { excludeTestServices: true })("sweeping PostgreSQL", (it) => {
  it.effect(
    "K4: a year later a Batch is carried on, whatever was swept under any settings: nothing is done again",
    () =>
      Effect.gen(function* () {
        const samples = fc.sample(sweptBatches, { numRuns: 12, seed: 4 })
        for (const batch of samples) {
          const outcome = yield* sweptBatch(batch, aYear)
          assert.isTrue(outcome.isDone)
          const all = Array.from({ length: batch.items }, (_, index) => index + 1)
          assert.sameOrderedMembers(
            [...outcome.first, ...outcome.again].toSorted((a, b) => a - b),
            all
          )
        }
      }).pipe(Effect.provide(replica))
  )

  it.effect("K7: twelve that sweep at once remove each thing once, and none waits for what somebody else has", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const tenant = yield* Given.freshTenant
      for (const kind of sweepKinds) yield* swept(kind)
      yield* Effect.replicateEffect(endedJob(tenant, "succeeded"), 40)
      const { id: seized } = yield* endedJob(tenant, "succeeded")
      const release = yield* opened(sql`select from jobs where id = ${seized} for update`)
      const results = yield* raced(12, () => swept("jobs", atOnce, 7))
      yield* release
      const counts = results.map((result) => (Result.isSuccess(result) ? result.success : Number.NaN))
      assert.strictEqual(
        counts.reduce((sum, count) => sum + count),
        40
      )
      assert.strictEqual(yield* swept("jobs"), 1)
    })
  )

  it.effect("K9: a Job that is run again while it is swept is either there as a whole or gone", () =>
    Effect.gen(function* () {
      const [jobs, sql] = [yield* JobStore, yield* SqlClient.SqlClient]
      const tenant = yield* Given.freshTenant
      const failed = (ttlSeconds: number) =>
        Effect.gen(function* () {
          const claim = yield* Jobs.running({ tenant }, { items: Jobs.inputs("a"), ttlSeconds })
          return (yield* jobs.finish(claim, { status: "failed", exitCode: 1 })).id
        })
      const [gone, kept] = [yield* failed(0), yield* failed(0)]
      const late = yield* overtaken(
        sql`with items as (delete from job_items where job = ${gone}) delete from jobs where id = ${gone}`,
        jobs.rerun(gone, yield* Jobs.freshWorker())
      )
      assert.strictEqual(Result.isFailure(late) ? late.failure._tag : "it ran", "JobNotFound")
      const commit =
        yield* opened(sql`update jobs set status = 'queued', attempt = 2, finished_at = null, replica = 'r',
        lease_until = now() + interval '1 hour' where id = ${kept}`)
      yield* swept("jobs")
      yield* commit
      yield* swept("jobs")
      assert.strictEqual((yield* jobs.get(kept)).status, "queued")
    })
  )

  it.effect("E10: Revisions go that no Release names and that none is read from, and others are read as before", () =>
    Effect.gen(function* () {
      const [cipher, envs, sql] = [yield* SecretCipher, yield* EnvStore, yield* SqlClient.SqlClient]
      const app = yield* Given.registered()
      for (const value of ["1", "2", "3"]) yield* Given.revised(app, { A: value })
      const whole = yield* cipher.seal(Redacted.make('{"A":"2"}'), `env/${app.id}/2`)
      const older = yield* cipher.seal(Redacted.make('{"A":"1"}'), `env/${app.id}/1`)
      yield* sql`insert into env_snapshots (app, revision, sealed) values (${app.id}, 1, ${older}), (${app.id}, 2, ${whole})`
      const { deployment } = yield* Given.deployed(app)
      yield* Given.revised(app, { A: "4" })
      yield* sql`update env_changes set at = at - interval '1 day' where app = ${app.id} and last <= 1`
      assert.strictEqual(yield* swept("revisions", inAnHour), 2)
      assert.strictEqual(yield* swept("revisions"), 1)
      const read = yield* envs.readAt(app.id, deployment.envRevision)
      assert.deepStrictEqual(Given.plain(read), { A: "3" })
      assert.deepStrictEqual(Given.plain((yield* envs.read(app.id)).env), { A: "4" })
      const { items } = yield* envs.history(app.id, { limit: 10 })
      assert.deepStrictEqual(
        items.map(({ revision }): number => revision),
        [4, 3]
      )
      yield* putStatus(app.id, "deleted")
      assert.strictEqual(yield* swept("revisions"), 3)
    })
  )

  it.effect("INV-9: a Release stays while a Deployment of it is in progress, and goes when that has ended", () =>
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const made = yield* Effect.replicateEffect(Given.deployed(app), 3)
      const first = yield* Effect.fromNullishOr(made[0]?.deployment)
      const release = yield* Effect.fromNullishOr(first.release)
      const back = yield* Given.begun(app, { release, trigger: { kind: "rollback" } })
      yield* swept("releases")
      assert.isTrue(yield* isThere(first.id))
      yield* deployments.withdraw(back.id)
      yield* swept("releases")
      assert.isFalse(yield* isThere(first.id))
      assert.isTrue(yield* isThere(back.id))
    })
  )

  it.effect("K7: a Job waits for the intents that name it, and what it said goes with it", () =>
    Effect.gen(function* () {
      const [jobs, logs, sql] = [yield* JobStore, yield* LogStore, yield* SqlClient.SqlClient]
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.running({ app: app.id })
      const { id } = claim.job
      yield* logs.append(LogName.make(`job/${id}`), [{ stream: "stdout", line: "hello" }])
      yield* sql`insert into intents (name, app, job, fence, replica, released_at)
        values (${`${id}-1`}, ${app.id}, ${id}, 1, 'r', now())`
      yield* jobs.finish(claim, { status: "failed", exitCode: 1 })
      yield* swept("jobs")
      assert.strictEqual((yield* jobs.get(id)).status, "failed")
      for (const kind of sweepKinds) yield* swept(kind)
      assert.strictEqual((yield* Effect.flip(jobs.get(id)))._tag, "JobNotFound")
      yield* swept("logs")
      const left = yield* sql`select name from logs where name = ${`job/${id}`}
        union all select log from log_chunks where log = ${`job/${id}`}`
      assert.deepStrictEqual(left, [])
    })
  )

  it.effect("K8: gauges rows as the statistics have them, exact once they are analyzed, and bytes as they are", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const tenant = yield* Given.freshTenant
      yield* Effect.replicateEffect(endedJob(tenant, "succeeded"), 100)
      yield* sql`vacuum analyze`
      yield* gauge()
      const [rows, bytes] = [yield* gauged("lockkeeper_retained_rows"), yield* gauged("lockkeeper_retained_bytes")]
      assert.sameMembers(Object.keys(rows), [...retentionKinds])
      for (const kind of retentionKinds) {
        let [counted, size] = [0, 0]
        for (const table of tablesOf[kind]) {
          const [row] = yield* sql<{ readonly count: number; readonly size: bigint }>`select count(*)::int as count,
            pg_total_relation_size(${table}::regclass) as size from ${sql(table)}`
          counted += row?.count ?? Number.NaN
          size += Number(row?.size)
        }
        assert.deepStrictEqual([kind, rows[kind], bytes[kind]], [kind, counted, size])
      }
      assert.isAbove(rows["jobs"] ?? 0, 100)
      yield* sweep()
      const usage = yield* (yield* RetentionStore).usage
      assert.isAtLeast(usage.jobs.rows, 0)
    })
  )
})
