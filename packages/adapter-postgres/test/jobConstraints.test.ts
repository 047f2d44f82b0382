// What holds of Jobs and of the Slots that they share with Deployments is a rule of the tables too: plain SQL that would break
// it is refused by the database, whoever writes it.

import { assert, layer } from "@effect/vitest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { JobKey } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import { Effect, Result } from "effect"
import { SqlClient, type SqlError, type Statement } from "effect/sql"
import { stateOf } from "../src/internal/faults.ts"
import { overtaken, stores } from "./support/stores.ts"

/** Asserts that a statement is refused with this SQLSTATE: 23502 null, 23503 foreign key, 23505 unique, 23514 check. */
const refused = <R>(state: string, statement: Effect.Effect<unknown, SqlError.SqlError, R>) =>
  Effect.map(Effect.flip(statement), (error) => assert.strictEqual(stateOf(error), state))

/** A Tenant with this cap, all of whose Slots are taken by Jobs, and one that waits. */
const full = Effect.fnUntraced(function* (cap: number) {
  const tenant = yield* Given.freshTenant
  yield* (yield* DeploymentStore).setCap(tenant, cap)
  const claims = yield* Effect.forEach(Array.from({ length: cap }), () => Jobs.running({ tenant }))
  return { tenant, claims, waiting: yield* Jobs.waitingJob({ tenant }) }
})

/** Puts something into a Slot. */
const slot = Effect.fnUntraced(function* (
  tenant: string,
  number: number,
  { deployment = null, job = null }: { readonly deployment?: string | null; readonly job?: string | null }
) {
  const sql = yield* SqlClient.SqlClient
  return yield* sql`insert into slots (tenant, number, deployment, job, fence)
    values (${tenant}, ${number}, ${deployment}, ${job}, 1)`
})

/** Changes a row of Jobs. */
const set = (id: string, columns: (sql: SqlClient.SqlClient) => Statement.Fragment) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`update jobs set ${columns(sql)} where id = ${id}`)

type Columns = Parameters<typeof set>[1]

/** Lets a Job run in a Slot, whether that is its own or not. */
const run = (id: string, number: number | null) =>
  set(
    id,
    (sql) => sql`status = 'running', fence = fence + 1, replica = 'r', slot = ${number}::int, started_at = now(),
      lease_until = now() + interval '1 hour', finished_at = null`
  )

layer(stores(), { excludeTestServices: true })("the database refuses, of Jobs,", (it) => {
  it.effect("K1 INV-3: a Slot more than the cap, and also than a cap that was lowered", () =>
    Effect.gen(function* () {
      const [deployments, jobs] = [yield* DeploymentStore, yield* JobStore]
      const { claims, tenant, waiting } = yield* full(2)
      yield* refused("23514", slot(tenant, 3, { job: waiting.id }))
      yield* deployments.setCap(tenant, 1)
      for (const claim of claims.slice(0, 1)) yield* jobs.finish(claim, { status: "failed", exitCode: 1 })
      yield* refused("23514", slot(tenant, 3, { job: waiting.id }))
      const deployment = yield* Given.begun(yield* Given.registered({ tenant }))
      yield* refused("23514", slot(tenant, 3, { deployment: deployment.id }))
      yield* deployments.setCap(tenant, null)
      yield* slot(tenant, 3, { job: waiting.id })
      yield* deployments.setCap(tenant, 0)
      yield* refused("23514", slot(tenant, 4, { deployment: deployment.id }))
    })
  )

  it.effect("K1 INV-3: the last Slot twice, to two who take it at the same time", () =>
    Effect.gen(function* () {
      const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
      const { tenant, waiting } = yield* full(2)
      const other = yield* Jobs.waitingJob({ tenant })
      yield* deployments.setCap(tenant, 3)
      const result = yield* overtaken(slot(tenant, 3, { job: waiting.id }), slot(tenant, 4, { job: other.id }))
      if (Result.isSuccess(result)) return assert.fail("both have it")
      assert.strictEqual(stateOf(result.failure), "23514")
      const rows = yield* sql`select number from slots where tenant = ${tenant} order by number`
      assert.deepStrictEqual(rows, [{ number: 1 }, { number: 2 }, { number: 3 }])
    })
  )

  it.effect("K1 INV-3: a Slot that was free until the cap was lowered at the same time", () =>
    Effect.gen(function* () {
      const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
      const { tenant, waiting } = yield* full(2)
      yield* deployments.setCap(tenant, 3)
      const lower = sql`update tenants set job_cap = 2 where name = ${tenant}`
      const result = yield* overtaken(lower, slot(tenant, 3, { job: waiting.id }))
      if (Result.isSuccess(result)) return assert.fail("it has a Slot")
      assert.strictEqual(stateOf(result.failure), "23514")
    })
  )

  it.effect(
    "INV-3: one that runs without a Slot, in that of another, or in that of a Deployment, and a Slot twice",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const tenant = yield* Given.freshTenant
        const { deployment } = yield* Given.claimed(yield* Given.registered({ tenant }))
        const holder = yield* Jobs.running({ tenant })
        yield* (yield* DeploymentStore).setCap(tenant, 2)
        const waiting = yield* Jobs.waitingJob({ tenant })
        yield* refused("23514", run(waiting.id, null))
        yield* refused("23503", run(waiting.id, 1))
        yield* refused("23503", run(waiting.id, 7))
        yield* refused("23505", run(waiting.id, 2))
        const begun = yield* Given.begun(yield* Given.registered({ tenant }))
        const start = (number: number) => sql`update deployments set status = 'building', fence = 1, replica = 'r',
        lease_until = now(), started_at = now(), slot = ${number} where id = ${begun.id}`
        yield* refused("23505", start(1))
        yield* refused("23503", start(2))
        yield* refused("23503", sql`delete from slots where job = ${holder.job.id}`)
        yield* refused("23503", sql`delete from slots where deployment = ${deployment.id}`)
        yield* (yield* DeploymentStore).setCap(tenant, 3)
        yield* refused("23505", slot(tenant, 3, { job: holder.job.id }))
        yield* refused("23503", slot(tenant, 3, { job: "job_none" }))
        yield* refused("23514", slot(tenant, 3, {}))
        yield* refused("23514", slot(tenant, 3, { job: waiting.id, deployment: begun.id }))
        yield* refused(
          "23514",
          set(waiting.id, (sql) => sql`slot = 1`)
        )
      })
  )

  it.effect("K3 K4: one that succeeded with Items left, or of which more ended than there are", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { app } = yield* Jobs.released()
      const { job } = yield* Jobs.batch(app, "a", "b")
      const end = sql`with freed as (delete from slots where job = ${job.id}) update jobs set status = 'succeeded',
        finished_at = now(), slot = null, lease_until = null where id = ${job.id}`
      yield* refused("23514", end)
      yield* refused(
        "23514",
        set(job.id, (sql) => sql`items_done = 2, items_failed = 1`)
      )
      yield* refused(
        "23514",
        set(job.id, (sql) => sql`items_done = -1`)
      )
      yield* refused(
        "23514",
        set(job.id, (sql) => sql`items_failed = -1`)
      )
      yield* refused(
        "23514",
        set(job.id, (sql) => sql`items_total = -1, items_done = -1`)
      )
      const item = (columns: Statement.Fragment) =>
        sql`update job_items set ${columns} where job = ${job.id} and number = 1`
      yield* refused("23514", item(sql`status = 'odd', finished_at = now()`))
      yield* refused("23514", item(sql`status = 'done'`))
      yield* refused("23514", item(sql`finished_at = now()`))
      yield* refused("23514", item(sql`number = 0`))
      yield* refused("23505", item(sql`number = 2`))
      yield* refused("23503", item(sql`job = 'job_none'`))
    })
  )

  it.effect("K3: one whose status its other columns do not bear out, or whose columns are none", () =>
    Effect.gen(function* () {
      const { app } = yield* Jobs.released()
      const [running, ended] = [yield* Jobs.running({ app: app.id }), yield* Jobs.running({ app: app.id })]
      yield* (yield* JobStore).finish(ended, { status: "failed", exitCode: 1 })
      const ofTenant = (yield* Jobs.running({ tenant: yield* Given.freshTenant })).job.id
      const runs: ReadonlyArray<Columns> = [
        (sql) => sql`status = 'odd'`,
        (sql) => sql`replica = null`,
        (sql) => sql`fence = 0`,
        (sql) => sql`started_at = null`,
        (sql) => sql`lease_until = null`,
        (sql) => sql`finished_at = now()`,
        (sql) => sql`status = 'failed', finished_at = now(), lease_until = null`,
        (sql) => sql`kind = 'odd'`,
        (sql) => sql`attempt = 0`,
        (sql) => sql`timeout_seconds = 0`,
        (sql) => sql`item_concurrency = 0`,
        (sql) => sql`on_item_failure = 'odd'`,
        (sql) => sql`on_full = 'odd'`,
        (sql) => sql`recoveries = -1`,
        (sql) => sql`command = '"echo"'::jsonb`,
        (sql) => sql`image = null`,
        (sql) => sql`release = null, image = null, env_revision = null`,
        (sql) => sql`env_revision = -1`
      ]
      for (const columns of runs) yield* refused("23514", set(running.job.id, columns))
      yield* refused(
        "23514",
        set(ended.job.id, (sql) => sql`finished_at = null`)
      )
      yield* refused(
        "23514",
        set(ended.job.id, (sql) => sql`lease_until = now()`)
      )
      yield* refused(
        "23514",
        set(ended.job.id, (sql) => sql`status = 'odd', finished_at = null`)
      )
      yield* refused(
        "23502",
        set(ended.job.id, (sql) => sql`id = null`)
      )
      yield* refused(
        "23514",
        set(ended.job.id, (sql) => sql`fence = -1`)
      )
      yield* refused(
        "23514",
        set(ended.job.id, (sql) => sql`id = 'dep_1'`)
      )
      yield* refused(
        "23514",
        set(ofTenant, (sql) => sql`command = '["echo"]'::jsonb`)
      )
      yield* refused(
        "23503",
        set(ended.job.id, (sql) => sql`release = 'rel_none'`)
      )
      yield* refused(
        "23503",
        set(ended.job.id, (sql) => sql`app = 'app_none'`)
      )
      const { tenant } = yield* Given.registered()
      yield* refused(
        "23503",
        set(ended.job.id, (sql) => sql`tenant = ${tenant}`)
      )
      yield* refused(
        "23503",
        set(
          ofTenant,
          (sql) => sql`tenant = 'nobody', slot = null, status = 'cancelled',
        lease_until = null, finished_at = now()`
        )
      )
    })
  )

  it.effect("X10: a key twice in one Tenant, and an id twice", () =>
    Effect.gen(function* () {
      const tenant = yield* Given.freshTenant
      const items = Jobs.inputs("a")
      yield* Jobs.begun({ tenant }, "queue", { items, key: JobKey.make("one") })
      const { job } = yield* Jobs.begun({ tenant }, "queue", { items, key: JobKey.make("two") })
      yield* refused(
        "23505",
        set(job.id, (sql) => sql`key = 'one'`)
      )
      const ended = yield* Jobs.running({ tenant: yield* Given.freshTenant })
      yield* (yield* JobStore).finish(ended, { status: "failed", exitCode: null })
      yield* refused(
        "23505",
        set(ended.job.id, (sql) => sql`id = ${job.id}`)
      )
    })
  )

  it.effect(
    "INV-7: an intent of a Job that is not there, of nobody, or of a Job and a Deployment, and a log of neither",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { app, deployment } = yield* Jobs.released()
        const { job } = yield* Jobs.running({ app: app.id })
        const intend = Effect.fnUntraced(function* (of: string | null, by: string | null) {
          const name = yield* Given.freshWorkloadName
          return yield* sql`insert into intents (name, app, deployment, job, fence, replica)
          values (${name}, ${app.id}, ${of}, ${by}, 1, 'r')`
        })
        yield* refused("23503", intend(null, "job_none"))
        yield* refused("23514", intend(null, null))
        yield* refused("23514", intend(deployment.id, job.id))
        for (const name of ["job/dep_1", "deployment/job_1", "job/job_A", "job_1"]) {
          yield* refused("23514", sql`insert into logs (name) values (${name})`)
        }
      })
  )
})
