// What the database holds against any sweep: plain SQL that would delete what something still relies on is refused, whoever
// writes it.

import { assert, describe, it, layer } from "@effect/vitest"
import { retentionKinds } from "@lockkeeper/core/domain/Retention"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { CheckpointStore } from "@lockkeeper/core/port/CheckpointStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import type { JobRequest } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import { Effect, Redacted } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { readFileSync } from "node:fs"
import { stateOf } from "../src/internal/faults.ts"
import { tablesOf } from "../src/internal/retentionClasses.ts"
import { putStatus, stores } from "./support/stores.ts"

/** Asserts that a statement is refused by a hold (23001), or by a foreign key (23503). */
const held = <R>(statement: Effect.Effect<unknown, SqlError.SqlError, R>) =>
  Effect.map(Effect.flip(statement), (error) => assert.include(["23001", "23503"], stateOf(error)))

/** A Batch of which one Item is done and one is not, that has failed. */
const halfDone = Effect.fnUntraced(function* (of: JobRequest["of"], more: Partial<JobRequest> = {}) {
  const claim = yield* Jobs.running(of, { items: Jobs.inputs("a", "b"), ...more })
  yield* (yield* CheckpointStore).record(claim, 1, { status: "done", exitCode: 0, result: "1" })
  return (yield* (yield* JobStore).finish(claim, { status: "failed", exitCode: 1 })).id
})

const items = Effect.fnUntraced(function* (job: string) {
  const sql = yield* SqlClient.SqlClient
  return (yield* sql`select from job_items where job = ${job}`).length
})

const deleteItems = (job: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`delete from job_items where job = ${job}`)

describe("the tables of the schema", () => {
  it("K7: belong to one class of retention each, also one that is added", () => {
    const schema = readFileSync(new URL("../schema.sql", import.meta.url), "utf8")
    const tables = [...schema.matchAll(/^create table (\w+)/gm)].map(([, table = ""]) => table)
    const classed = retentionKinds.flatMap((kind) => tablesOf[kind])
    assert.deepStrictEqual(classed.toSorted(), tables.toSorted())
    assert.isEmpty(retentionKinds.filter((kind) => tablesOf[kind].length === 0))
  })
})

layer(stores(), { excludeTestServices: true })("the database refuses to delete", (it) => {
  it.effect("K4: a Batch that can be run again, its Items, and to forget what is done of them", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const tenant = yield* Given.freshTenant
      const job = yield* halfDone({ tenant })
      yield* sql`update jobs set finished_at = finished_at - interval '10 years' where id = ${job}`
      yield* held(deleteItems(job))
      yield* held(sql`delete from job_items where job = ${job} and status = 'pending'`)
      yield* held(sql`with items as (delete from job_items where job = ${job}) delete from jobs where id = ${job}`)
      yield* held(sql`update job_items set result = null where job = ${job}`)
      yield* held(sql`update job_items set status = 'pending', finished_at = null, result = null, exit_code = null
        where job = ${job}`)
      const waiting = yield* Jobs.running({ tenant }, { items: Jobs.inputs("a") })
      yield* held(deleteItems(waiting.job.id))
      yield* held(sql`delete from jobs where tenant = ${tenant}`)
      assert.strictEqual(yield* items(job), 2)
    })
  )

  it.effect("X10: a Batch before its own time is over; after it, it is let go", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const job = yield* halfDone({ tenant: yield* Given.freshTenant }, { ttlSeconds: 3_600 })
      yield* held(deleteItems(job))
      yield* sql`update jobs set finished_at = finished_at - interval '2 hours' where id = ${job}`
      yield* deleteItems(job)
      assert.strictEqual(yield* items(job), 0)
    })
  )

  it.effect("K4: a Batch of an App until that is deleted, and one that is done not at all", () =>
    Effect.gen(function* () {
      const [checkpoints, jobs, sql] = [yield* CheckpointStore, yield* JobStore, yield* SqlClient.SqlClient]
      const { app } = yield* Jobs.released()
      const job = yield* halfDone({ app: app.id })
      yield* putStatus(app.id, "deleting")
      yield* held(deleteItems(job))
      yield* putStatus(app.id, "deleted")
      yield* deleteItems(job)
      const claim = yield* Jobs.running({ tenant: yield* Given.freshTenant }, { items: Jobs.inputs("a") })
      yield* checkpoints.record(claim, 1, { status: "done", exitCode: 0, result: null })
      const { id } = yield* jobs.finish(claim, { status: "succeeded", exitCode: 0 })
      yield* sql`with items as (delete from job_items where job = ${id}) delete from jobs where id = ${id}`
    })
  )

  it.effect("INV-9: the Release that serves, until its App is deleted", () =>
    Effect.gen(function* () {
      const [apps, sql] = [yield* AppStore, yield* SqlClient.SqlClient]
      const app = yield* Given.registered()
      yield* Given.deployed(app)
      const { deployment } = yield* Given.deployed(app)
      const both = sql`with history as (delete from deployment_history where deployment = ${deployment.id}),
        r as (delete from releases where deployment = ${deployment.id}) delete from deployments where id = ${deployment.id}`
      yield* held(sql`delete from releases where app = ${app.id} and current`)
      yield* held(both)
      yield* held(sql`delete from apps where id = ${app.id}`)
      yield* apps.mark(app.id, "deleting")
      yield* held(both)
      yield* putStatus(app.id, "deleted")
      yield* both
    })
  )

  it.effect(
    "INV-2 INV-7: a Deployment that has not ended, the newest one of an App, the last that had a Fence, and an open intent",
    () =>
      Effect.gen(function* () {
        const [journal, sql] = [yield* Journal, yield* SqlClient.SqlClient]
        const { app, deployment, fence, replica } = yield* Given.deploying(yield* Given.registered())
        const without = (id: string) =>
          sql`with h as (delete from deployment_history where deployment = ${id}) delete from deployments where id = ${id}`
        const name = yield* Given.freshWorkloadName
        yield* journal.intend({ name, app: app.id, work: deployment.id, fence, replica })
        yield* held(without(deployment.id))
        yield* held(sql`delete from intents where name = ${name}`)
        yield* journal.released(name)
        yield* sql`delete from intents where name = ${name}`
        const deployments = yield* DeploymentStore
        const other = yield* Given.registered()
        const first = yield* Given.begun(other)
        yield* held(without(first.id))
        yield* deployments.withdraw(first.id)
        yield* held(without(first.id))
        const second = yield* Given.begun(other)
        yield* deployments.withdraw(second.id)
        yield* without(first.id)
        yield* held(without(second.id))
        const last = yield* Given.deploying(other)
        yield* deployments.finish(last, { status: "cancelled" })
        yield* deployments.withdraw((yield* Given.begun(other)).id)
        yield* held(without(last.deployment.id))
      })
  )

  it.effect("INV-7: one in progress of which there is a newer one, and the Revision that it will serve with", () =>
    Effect.gen(function* () {
      const [cipher, sql] = [yield* SecretCipher, yield* SqlClient.SqlClient]
      const app = yield* Given.registered()
      for (const value of ["1", "2"]) yield* Given.revised(app, { A: value })
      const { deployment } = yield* Given.deploying(app)
      yield* Given.begun(app, { policy: "queue" })
      yield* sql`delete from deployment_history where deployment = ${deployment.id}`
      const error = yield* Effect.flip(sql`with s as (delete from slots where deployment = ${deployment.id})
        delete from deployments where id = ${deployment.id}`)
      assert.strictEqual(stateOf(error), "23001")
      yield* Given.revised(app, { A: "3" })
      const whole = yield* cipher.seal(Redacted.make('{"A":"3"}'), `env/${app.id}/3`)
      yield* sql`insert into env_snapshots (app, revision, sealed) values (${app.id}, 3, ${whole})`
      yield* held(sql`delete from env_changes where app = ${app.id} and last = 2`)
    })
  )

  it.effect("no numbers of lines are swept that a log never had, and no Job lives for less than nothing", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const refused = (statement: Effect.Effect<unknown, SqlError.SqlError>) =>
        Effect.map(Effect.flip(statement), (error) => assert.strictEqual(stateOf(error), "23514"))
      yield* refused(sql`insert into logs (name, lines, swept) values ('deployment/dep_x', 1, 2)`)
      const job = yield* halfDone({ tenant: yield* Given.freshTenant })
      yield* refused(sql`update jobs set ttl_seconds = -1 where id = ${job}`)
    })
  )

  it.effect("E10 INV-5: what the Revision that serves is read from, or to erase it, until its App is deleted", () =>
    Effect.gen(function* () {
      const [cipher, sql] = [yield* SecretCipher, yield* SqlClient.SqlClient]
      const app = yield* Given.registered()
      for (const value of ["1", "2"]) yield* Given.revised(app, { A: value })
      yield* Given.deployed(app)
      yield* Given.revised(app, { A: "3" })
      const changes = (upTo: number) => sql`delete from env_changes where app = ${app.id} and last <= ${upTo}`
      const erased = sql`update env_changes set sealed = null where app = ${app.id} and first = 1`
      yield* held(changes(1))
      yield* held(erased)
      const whole = yield* cipher.seal(Redacted.make('{"A":"3"}'), `env/${app.id}/3`)
      yield* sql`insert into env_snapshots (app, revision, sealed) values (${app.id}, 3, ${whole})`
      yield* held(changes(1))
      const before = yield* cipher.seal(Redacted.make('{"A":"1"}'), `env/${app.id}/1`)
      yield* sql`insert into env_snapshots (app, revision, sealed) values (${app.id}, 1, ${before})`
      yield* held(changes(2))
      yield* held(sql`delete from env_snapshots where app = ${app.id}`)
      yield* changes(1)
      yield* sql`update env_changes set sealed = sealed where app = ${app.id}`
      yield* putStatus(app.id, "deleted")
      yield* sql`update env_changes set sealed = null where app = ${app.id}`
      yield* sql`delete from env_snapshots where app = ${app.id}`
      yield* changes(3)
    })
  )
})
