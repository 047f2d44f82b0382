// What holds of Runs is a rule of the table too: plain SQL that would break it is refused by the database, whoever writes it.

import { assert, layer } from "@effect/vitest"
import { isOver, type RunId, RunStatus, runTransitions } from "@lockkeeper/core/domain/Run"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import * as Runs from "@lockkeeper/core/testing/RunFixture"
import { Effect, Predicate } from "effect"
import { SqlClient, type SqlError, type Statement } from "effect/sql"
import { stateOf } from "../src/internal/faults.ts"
import { stores } from "./support/stores.ts"

/** Asserts that a statement is refused with this SQLSTATE: 23001 hold, 23503 foreign key, 23505 unique, 23514 check. */
const refused = <R>(state: string, statement: Effect.Effect<unknown, SqlError.SqlError, R>) =>
  Effect.map(Effect.flip(statement), (error) => assert.strictEqual(stateOf(error), state))

/** Changes a row of Runs. */
const set = (id: RunId, columns: (sql: SqlClient.SqlClient) => Statement.Fragment) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`update runs set ${columns(sql)} where id = ${id}`)

type Columns = Parameters<typeof set>[1]

const refusedAll = (state: string, id: RunId, all: ReadonlyArray<Columns>) =>
  Effect.forEach(all, (columns) => refused(state, set(id, columns)))

/** A Run of each status. */
const ofEach = Effect.gen(function* () {
  const runs = yield* RunStore
  const provisioning = yield* Runs.begun()
  const running = yield* Runs.begun()
  yield* runs.running(running)
  const teardown = yield* Runs.begun()
  yield* Runs.tornDown(teardown)
  const ids = new Map<RunStatus, RunId>([
    ["provisioning", provisioning.run.id],
    ["running", running.run.id],
    ["teardown", teardown.run.id]
  ])
  for (const status of ["succeeded", "failed", "cancelled"] as const) {
    ids.set(status, (yield* Runs.ended(yield* Runs.begun(), "done", { ...Runs.passed, status })).id)
  }
  return ids
})

/** Whether the rule refuses that a Run becomes this; nothing of it stays. */
const isRefused = Effect.fnUntraced(function* (id: RunId, status: RunStatus) {
  const sql = yield* SqlClient.SqlClient
  const change = sql`update runs set status = ${status} where id = ${id}`
  const error = yield* Effect.flip(sql.withTransaction(Effect.andThen(change, Effect.fail("nothing refused it"))))
  const cause = typeof error === "string" ? undefined : error.reason.cause
  return Predicate.hasProperty(cause, "constraint") && cause.constraint === "runs_transitions"
})

layer(stores(), { excludeTestServices: true })("the database refuses, of Runs,", (it) => {
  it.effect("H41: that one becomes what may not follow, and that one is anything else", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      for (const [from, id] of yield* ofEach) {
        for (const to of RunStatus.literals.filter((other) => other !== from)) {
          assert.deepStrictEqual([from, to, yield* isRefused(id, to)], [from, to, !runTransitions[from].includes(to)])
        }
      }
      const { run } = yield* Runs.begun()
      yield* refused(
        "23514",
        sql`insert into runs (id, job, tenant, fence, name, target, status, topology, nodes, cleanup)
          select 'run_other', job, tenant, fence, name, target, 'queued', topology, nodes, cleanup
          from runs where id = ${run.id}`
      )
    })
  )

  it.effect("INV-1 H12: a second one of its name or of its Job, and one of no Job and of no Tenant", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* Runs.begun(), yield* Runs.begun()]
      const { id } = one.run
      yield* refusedAll("23505", id, [(sql) => sql`id = ${other.run.id}`, (sql) => sql`job = ${other.job}`])
      yield* refusedAll("23503", id, [(sql) => sql`job = 'job_none'`, (sql) => sql`tenant = 'none'`])
      yield* refusedAll("23514", id, [
        (sql) => sql`id = 'job_x'`,
        (sql) => sql`fence = 0`,
        (sql) => sql`name = 'A'`,
        (sql) => sql`target = 'A'`
      ])
    })
  )

  it.effect("H29: what could not be read again", () =>
    Effect.gen(function* () {
      const { run } = yield* Runs.begun()
      yield* refusedAll("23514", run.id, [
        (sql) => sql`topology = '{}'::jsonb || '{"nodes": {}}'`,
        (sql) => sql`nodes = '[]'`,
        (sql) => sql`steps = '[]'`,
        (sql) => sql`subnet_pool = 'pool'`,
        (sql) => sql`subnet = '::/64', subnet_pool = 'pool', subnet_owner = 'owner', subnet_fence = 1`,
        (sql) => sql`cleanup = 'some'`
      ])
    })
  )

  it.effect("H39: an end that was not decided, or is another than was decided", () =>
    Effect.gen(function* () {
      const [begun, torn] = [yield* Runs.begun(), yield* Runs.begun()]
      yield* Runs.tornDown(torn)
      yield* refusedAll("23514", begun.run.id, [
        (sql) => sql`outcome = 'healthy'`,
        (sql) => sql`outcome = 'failed', verdict = 'good'`,
        (sql) => sql`verdict = 'pass'`,
        (sql) => sql`error_code = 'internal', error_detail = 'it is'`,
        (sql) => sql`outcome = 'failed', error_code = 'internal'`,
        (sql) => sql`outcome = 'failed', error_node = 'web'`
      ])
      const end = (sql: SqlClient.SqlClient) => sql`finished_at = now(), secrets = null, cleanup = 'done'`
      yield* refusedAll("23514", torn.run.id, [
        (sql) => sql`status = 'failed', ${end(sql)}`,
        (sql) => sql`status = 'succeeded', ${end(sql)}, outcome = null, verdict = null`
      ])
      yield* set(torn.run.id, (sql) => sql`status = 'succeeded', ${end(sql)}`)
    })
  )

  it.effect("H37 H40 H17: an end without its time, with secrets, or with what was to be kept", () =>
    Effect.gen(function* () {
      const { run } = yield* Runs.begun()
      const torn = yield* Runs.begun()
      yield* Runs.tornDown(torn)
      yield* refused(
        "23514",
        set(run.id, (sql) => sql`cleanup = 'done'`)
      )
      yield* refusedAll("23514", torn.run.id, [
        (sql) => sql`keep_until = now()`,
        (sql) => sql`finished_at = now(), secrets = null`,
        (sql) => sql`status = 'succeeded', secrets = null`,
        (sql) => sql`status = 'succeeded', finished_at = now(), secrets = null, cleanup = 'none'`,
        (sql) => sql`status = 'succeeded', finished_at = now()`,
        (sql) => sql`status = 'succeeded', finished_at = now(), secrets = null, credentials = 'x'`
      ])
      yield* set(torn.run.id, (sql) => sql`status = 'succeeded', finished_at = now(), secrets = null`)
    })
  )

  it.effect("H38: to delete one of which something may be left, and the Job in whose Slot it was", () =>
    Effect.gen(function* () {
      const [runs, sql] = [yield* RunStore, yield* SqlClient.SqlClient]
      const remove = (id: RunId) => sql`delete from runs where id = ${id}`
      for (const [status, id] of yield* ofEach) {
        if (isOver(status)) yield* remove(id)
        else yield* refused("23001", remove(id))
      }
      const claim = yield* Runs.begun()
      yield* Runs.ended(claim, "pending")
      yield* sql`with freed as (delete from slots where job = ${claim.job})
        update jobs set status = 'failed', finished_at = now(), lease_until = null, slot = null where id = ${claim.job}`
      yield* refused("23001", remove(claim.run.id))
      yield* runs.cleaned(claim.run.id)
      yield* refused("23503", sql`delete from jobs where id = ${claim.job}`)
      yield* remove(claim.run.id)
      yield* sql`delete from jobs where id = ${claim.job}`
    })
  )

  it.effect("H32: a log of what is no Run", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* refused("23514", sql`insert into logs (name) values ('run/dep_x')`)
      yield* sql`insert into logs (name) values ('run/run_x')`
    })
  )
})
