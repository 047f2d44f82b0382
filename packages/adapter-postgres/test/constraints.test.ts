// Each invariant is a constraint too: plain SQL that would break one is refused by the database, whoever writes it.

import { assert, layer } from "@effect/vitest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect } from "effect"
import { SqlClient, type SqlError, type Statement } from "effect/sql"
import { stateOf } from "../src/internal/faults.ts"
import { stores } from "./support/stores.ts"

/** Asserts that a statement is refused with this SQLSTATE: 23505 unique, 23514 check, 23503 foreign key. */
const refused = (state: string, statement: Effect.Effect<unknown, SqlError.SqlError>) =>
  Effect.map(Effect.flip(statement), (error) => assert.strictEqual(stateOf(error), state))

/** The id of a new Deployment that stands there. */
const given = {
  queued: Effect.map(
    Effect.flatMap(Given.registered(), (app) => Given.begun(app)),
    ({ id }) => id
  ),
  building: Effect.map(
    Effect.flatMap(Given.registered(), (app) => Given.claimed(app)),
    ({ deployment }) => deployment.id
  ),
  deploying: Effect.map(
    Effect.flatMap(Given.registered(), (app) => Given.deploying(app)),
    ({ deployment }) => deployment.id
  ),
  healthy: Effect.map(
    Effect.flatMap(Given.registered(), (app) => Given.deployed(app)),
    ({ deployment }) => deployment.id
  )
}

layer(stores(), { excludeTestServices: true })("the database refuses", (it) => {
  it.effect("INV-3: a second Deployment in a Slot, a Slot beyond the last, and one in progress without a Slot", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [building, queued] = [yield* given.building, yield* given.queued]
      const place = (number: number) => sql`insert into slots (tenant, number, deployment, fence)
        select s.tenant, ${number}, ${queued}, 1 from slots s where s.deployment = ${building}`
      yield* refused("23505", place(1))
      yield* refused("23514", place(10_001))
      yield* refused("23514", place(0))
      yield* refused("23503", sql`delete from slots where deployment = ${building}`)
      const start = (slot: number | null) => sql`update deployments set status = 'building', fence = 1, replica = 'r',
        lease_until = now(), started_at = now(), slot = ${slot}::int where id = ${queued}`
      yield* refused("23514", start(null))
      yield* refused("23503", start(7))
    })
  )

  it.effect("INV-2: a second Deployment of an App that is queued or in progress, and a delivery seen before", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const copy = (id: string, delivery: string | null) => sql`insert into deployments
        (id, app, tenant, number, status, trigger_kind, delivery_id, policy, source, env_revision, created_at)
        select 'dep_copy', app, tenant, number + 1, 'queued', 'webhook', ${delivery}, policy, source, env_revision, now()
        from deployments where id = ${id}`
      const queued = yield* given.queued
      yield* refused("23505", copy(queued, null))
      yield* sql`update deployments set delivery_id = 'd1' where id = ${queued}`
      yield* sql`update deployments set status = 'cancelled', finished_at = now() where id = ${queued}`
      yield* refused("23505", copy(queued, "d1"))
    })
  )

  it.effect("X9: a command before a deploy that is no list", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { id } = yield* Given.registered({ preDeploy: ["migrate"] })
      yield* refused("23514", sql`update apps set pre_deploy = '"migrate"'::jsonb where id = ${id}`)
    })
  )

  it.effect(
    "B3: a request to stop that is none, one that is not known, and a healthy Deployment that was asked to stop",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const [building, healthy] = [yield* given.building, yield* given.healthy]
        const stop = (deployment: string, as: string | null, at: Statement.Fragment) =>
          sql`update deployments set stop_as = ${as}, stop_requested_at = ${at} where id = ${deployment}`
        yield* refused("23514", stop(building, "cancelled", sql`null`))
        yield* refused("23514", stop(building, null, sql`now()`))
        yield* refused("23514", stop(building, "healthy", sql`now()`))
        yield* refused("23514", stop(healthy, "superseded", sql`now()`))
        yield* refused("23503", sql`update deployments set of_release = 'rel_none' where id = ${building}`)
      })
  )

  it.effect("INV-1 INV-8: a Deployment whose status its other columns do not bear out", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [building, deploying, healthy] = [yield* given.building, yield* given.deploying, yield* given.healthy]
      const set = (id: string, columns: Statement.Fragment) => sql`update deployments set ${columns} where id = ${id}`
      const wrong = [
        set(building, sql`replica = null`),
        set(building, sql`fence = null`),
        set(building, sql`lease_until = null`),
        set(building, sql`status = 'deploying'`),
        set(building, sql`status = 'odd'`),
        set(building, sql`status = 'cancelled', lease_until = null, slot = null`),
        set(building, sql`status = 'failed', lease_until = null, slot = null, finished_at = now()`),
        set(building, sql`error_code = 'build_failed', error_detail = ''`),
        set(deploying, sql`image = null`),
        set(
          deploying,
          sql`status = 'healthy', lease_until = null, slot = null, finished_at = now(), activated_at = now()`
        ),
        set(healthy, sql`activated_at = null`),
        set(healthy, sql`release = null`),
        set(healthy, sql`finished_at = null`),
        set(healthy, sql`lease_until = now()`)
      ]
      for (const statement of wrong) yield* refused("23514", statement)
    })
  )

  it.effect("two current Releases of an App, an Env over its size, a name or a port given twice", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const app = yield* Given.registered()
      yield* Given.deployed(app)
      yield* Given.deployed(app)
      yield* refused("23505", sql`update releases set current = true where app = ${app.id}`)
      yield* Given.revised(app, { A: "1" })
      yield* refused("23514", sql`update apps set env_bytes = 65537 where id = ${app.id}`)
      yield* refused("23514", sql`update apps set env_bytes = 1 where id = ${app.id}`)
      yield* refused("23505", sql`insert into env_changes select * from env_changes where app = ${app.id}`)
      const other = yield* Given.registered({ tenant: app.tenant })
      yield* refused("23505", sql`update apps set name = ${app.name} where id = ${other.id}`)
      yield* refused("23505", sql`update apps set host_port = ${app.hostPort} where id = ${other.id}`)
      yield* refused("23514", sql`update tenants set job_cap = 10001 where name = ${app.tenant}`)
      yield* refused("23514", sql`update tenants set job_cap = -1 where name = ${app.tenant}`)
    })
  )

  it.effect("R9: every change of status is in the history with its Fence, in its order", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const deployments = yield* DeploymentStore
      const claim = yield* Given.deploying(yield* Given.registered())
      const taken = yield* Given.takenOver(claim)
      yield* deployments.finish(taken, { status: "cancelled" })
      const history = yield* sql`select status, fence::int from deployment_history
        where deployment = ${claim.deployment.id} order by position`
      assert.deepStrictEqual(history, [
        { status: "queued", fence: null },
        { status: "building", fence: claim.fence },
        { status: "deploying", fence: claim.fence },
        { status: "cancelled", fence: taken.fence }
      ])
    })
  )
})
