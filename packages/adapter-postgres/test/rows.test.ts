// A row that breaks one constraint and no other is refused by that one: each is tried, by its name.

import { assert, layer } from "@effect/vitest"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { IdempotencyStore } from "@lockkeeper/core/port/IdempotencyStore"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import { IpAddress } from "@lockkeeper/core/domain/Workload"
import { SubscriberName, Subscriptions } from "@lockkeeper/core/port/Subscriptions"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Predicate } from "effect"
import { SqlClient, type SqlError, type Statement } from "effect/sql"
import { stores } from "./support/stores.ts"

/** Names the constraint that refuses a statement. */
const constraintOf = ({ reason: { cause } }: SqlError.SqlError): unknown =>
  Predicate.hasProperty(cause, "constraint") ? cause.constraint : undefined

/** Asserts that each statement is refused by the constraint that it stands for. */
const refusedBy = (statements: Readonly<Record<string, Effect.Effect<unknown, SqlError.SqlError>>>) =>
  Effect.forEach(Object.entries(statements), ([constraint, statement]) =>
    Effect.map(Effect.result(statement), (result) =>
      assert.strictEqual(result._tag === "Failure" ? constraintOf(result.failure) : "nothing", constraint)
    )
  )

layer(stores(), { excludeTestServices: true })("a row is refused by the constraint that it breaks:", (it) => {
  it.effect("of a migration, a Tenant or an App", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { id } = yield* Given.registered()
      const set = (columns: Statement.Fragment) => sql`update apps set ${columns} where id = ${id}`
      yield* refusedBy({
        lockkeeper_migrations_pkey: sql`insert into lockkeeper_migrations select * from lockkeeper_migrations`,
        tenants_name_check: sql`insert into tenants (name) values ('Not a name')`,
        apps_id_check: set(sql`id = 'none'`),
        apps_tenant_fkey: set(sql`tenant = 'nobody'`),
        apps_name_check: set(sql`name = 'Not a name'`),
        apps_status_check: set(sql`status = 'odd'`),
        apps_host_port_check: set(sql`host_port = 0`),
        apps_port_check: set(sql`port = 65536`),
        apps_last_fence_check: set(sql`last_fence = -1`),
        apps_secret_of_git: set(sql`source_secret = '\\x01'`),
        apps_position: sql`insert into apps
          (id, position, tenant, name, status, health_check, host_port, created_at, updated_at) overriding system value
          select 'app_copy', position, tenant, 'copy', status, health_check, 65000, created_at, updated_at
          from apps where id = ${id}`
      })
    })
  )

  it.effect("of an idempotency key", () =>
    Effect.gen(function* () {
      const [sql, store] = [yield* SqlClient.SqlClient, yield* IdempotencyStore]
      const request = yield* Given.freshReservation()
      yield* store.reserve(request)
      const set = (columns: Statement.Fragment) =>
        sql`update idempotency_keys set ${columns} where key = ${request.key}`
      yield* refusedBy({
        idempotency_keys_key_check: set(sql`key = 'what the client sent'`),
        idempotency_keys_reservation_check: set(sql`reservation = ''`),
        idempotency_keys_fingerprint_check: set(sql`fingerprint = '{"env":{}}'`),
        idempotency_keys_lease: set(sql`lease_until = expires_at + interval '1 second'`),
        idempotency_keys_pkey: sql`insert into idempotency_keys select * from idempotency_keys where key = ${request.key}`
      })
    })
  )

  it.effect("of a Subnet, or a block that nobody has", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const insert = (columns: Statement.Fragment, values: Statement.Fragment) =>
        sql`insert into subnets (pool, owner, net, lease_until ${columns}) values (${values})`
      const none = sql.literal("")
      yield* insert(none, sql`'pool', 'owner', '10.9.0.0/24', now()`)
      yield* sql`insert into free_subnets (prefix, net) values (24, '10.9.1.0/24')`
      const range = (columns: Statement.Fragment) =>
        sql`insert into subnet_ranges (range, prefix, cut) values (${columns})`
      yield* range(sql`'10.9.0.0/16', 24, 256`)
      yield* refusedBy({
        subnets_pool_check: insert(none, sql`'Not a pool', 'owner', '10.9.2.0/24', now()`),
        subnets_owner_check: insert(none, sql`'pool', 'not an owner', '10.9.2.0/24', now()`),
        subnets_net_check: insert(none, sql`'pool', 'six', 'fd00::/64', now()`),
        subnets_fence_check: insert(sql`, fence`, sql`'pool', 'zero', '10.9.2.0/24', now(), 0`),
        subnets_pkey: insert(none, sql`'pool', 'owner', '10.9.2.0/24', now()`),
        subnets_disjoint: insert(none, sql`'other', 'owner', '10.9.0.128/25', now()`),
        free_subnets_net_check: sql`insert into free_subnets (prefix, net) values (64, 'fd00::/64')`,
        free_subnets_prefix: sql`insert into free_subnets (prefix, net) values (24, '10.9.2.0/25')`,
        free_subnets_pkey: sql`insert into free_subnets (prefix, net) values (24, '10.9.1.0/24')`,
        subnet_ranges_prefix: range(sql`'10.8.0.0/24', 23, 0`),
        subnet_ranges_cut: range(sql`'10.8.0.0/16', 24, 257`),
        subnet_ranges_pkey: range(sql`'10.9.0.0/16', 24, 0`)
      })
    })
  )

  it.effect("of a Subscription", () =>
    Effect.gen(function* () {
      const [sql, subscriptions] = [yield* SqlClient.SqlClient, yield* Subscriptions]
      const name = SubscriberName.make("rows")
      yield* subscriptions.begin(name)
      const set = (columns: Statement.Fragment) => sql`update subscriptions set ${columns} where name = ${name}`
      yield* refusedBy({
        subscriptions_name_check: set(sql`name = 'https://user:password@example'`),
        subscriptions_row_check: set(sql`row = -1`),
        subscriptions_fence_check: set(sql`fence = -1`),
        subscriptions_pkey: sql`insert into subscriptions select * from subscriptions where name = ${name}`
      })
    })
  )

  it.effect("of an installation", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`insert into installation (id) values ('one')`
      yield* refusedBy({
        installation_pkey: sql`insert into installation (id) values ('two')`,
        installation_single_check: sql`insert into installation (single, id) values (false, 'two')`,
        installation_id_check: sql`update installation set id = 'Not an id'`
      })
    })
  )

  it.effect("of a Deployment", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [app, other] = [yield* Given.registered(), yield* Given.registered()]
      const { id } = yield* Given.begun(app)
      const set = (columns: Statement.Fragment) => sql`update deployments set ${columns} where id = ${id}`
      yield* refusedBy({
        deployments_id_check: set(sql`id = 'none'`),
        deployments_number_check: set(sql`number = 0`),
        deployments_status_check: set(sql`status = 'odd'`),
        deployments_env_revision_check: set(sql`env_revision = -1`),
        deployments_fence_check: set(sql`fence = 0`),
        deployments_app_tenant_fkey: set(sql`tenant = ${other.tenant}`),
        deployments_secret_of_git: set(sql`source_secret = '\\x01'`),
        deployments_app_number_key: sql`insert into deployments
          (id, app, tenant, number, status, trigger_kind, policy, source, env_revision, created_at, finished_at)
          select 'dep_copy', app, tenant, number, 'cancelled', trigger_kind, policy, source, 0, now(), now()
          from deployments where id = ${id}`,
        deployments_position: sql`insert into deployments
          (id, position, app, tenant, number, status, trigger_kind, policy, source, env_revision, created_at)
          overriding system value
          select 'dep_copy', position, ${other.id}, ${other.tenant}, 1, 'queued', trigger_kind, policy, source, 0, now()
          from deployments where id = ${id}`
      })
    })
  )

  it.effect("INV-2 INV-3: of a second Deployment in progress, of one App or in one Slot", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [one, other] = yield* Given.registeredTogether(2)
      if (one === undefined || other === undefined) return assert.fail("two Apps")
      const building = (yield* Given.claimed(one)).deployment.id
      const neighbour = (yield* Given.begun(other)).id
      yield* sql`insert into deployments
        (id, app, tenant, number, status, trigger_kind, policy, source, env_revision, created_at)
        select 'dep_second', app, tenant, 2, 'queued', trigger_kind, policy, source, 0, now()
        from deployments where id = ${building}`
      yield* sql`insert into slots (tenant, number, deployment, fence) values (${one.tenant}, 2, 'dep_second', 2)`
      const start = (
        id: string,
        slot: number
      ) => sql`update deployments set status = 'building', fence = 9, replica = 'r',
        lease_until = now(), started_at = now(), slot = ${slot} where id = ${id}`
      yield* refusedBy({
        deployments_one_active: start("dep_second", 2),
        deployments_in_slot: start(neighbour, 1),
        slots_deployment_key: sql`insert into slots (tenant, number, deployment, fence)
          values (${one.tenant}, 3, ${building}, 1)`,
        slots_deployment_fkey: sql`insert into slots (tenant, number, deployment, fence)
          values (${one.tenant}, 3, 'dep_none', 1)`,
        slots_tenant_fkey: sql`insert into slots (tenant, number, deployment, fence)
          values ('nobody', 3, ${neighbour}, 1)`,
        slots_fence_check: sql`update slots set fence = 0 where deployment = ${building}`
      })
    })
  )

  it.effect("INV-1: of a Release or of what has happened", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const app = yield* Given.registered()
      const [first, second] = [(yield* Given.deployed(app)).deployment, (yield* Given.deployed(app)).deployment]
      const set = (columns: Statement.Fragment) => sql`update releases set ${columns} where deployment = ${second.id}`
      yield* refusedBy({
        releases_id_check: set(sql`id = 'none'`),
        releases_app_fkey: set(sql`app = 'app_none'`),
        releases_number_check: set(sql`number = 0`),
        releases_env_revision_check: set(sql`env_revision = -1`),
        releases_deployment_key: set(sql`deployment = ${first.id}`),
        releases_deployment_fkey: set(sql`deployment = 'dep_none'`),
        releases_app_number_key: set(sql`number = 1`),
        releases_one_current: sql`update releases set current = true where deployment = ${first.id}`,
        deployments_of_release: sql`update deployments set release = ${first.release} where id = ${second.id}`,
        deployments_release_fkey: sql`update deployments set release = 'rel_none' where id = ${second.id}`,
        deployment_history_deployment_fkey: sql`insert into deployment_history (deployment, status)
          values ('dep_none', 'queued')`,
        deployment_history_pkey: sql`insert into deployment_history (deployment, position, status)
          overriding system value select deployment, position, status from deployment_history`,
        events_pkey: sql`insert into events (xid, id, type, tenant, app, subject) overriding system value
          select xid, id, type, tenant, app, subject from events`,
        events_count_check: sql`update events set count = 0`
      })
    })
  )

  it.effect("INV-5: of an Env", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const app = yield* Given.registered()
      yield* Given.revised(app, { A: "1" })
      yield* refusedBy({
        apps_env_revision_check: sql`update apps set env_revision = -1 where id = ${app.id}`,
        apps_env_bytes_check: sql`update apps set env_bytes = 65537 where id = ${app.id}`,
        env_changes_app_fkey: sql`update env_changes set app = 'app_none' where app = ${app.id}`,
        env_changes_first_check: sql`update env_changes set first = 0, last = 0 where app = ${app.id}`,
        env_changes_one_entry_each: sql`update env_changes set last = 2 where app = ${app.id}`,
        env_changes_pkey: sql`insert into env_changes select * from env_changes where app = ${app.id}`,
        env_snapshots_app_fkey: sql`insert into env_snapshots values ('app_none', 1, '')`,
        env_snapshots_revision_check: sql`insert into env_snapshots values (${app.id}, 0, '')`,
        env_snapshots_pkey: sql`insert into env_snapshots values (${app.id}, 1, ''), (${app.id}, 1, '')`
      })
    })
  )

  it.effect("INV-7: of an intent, a log, a lease or a route", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { app, deployment, fence, replica } = yield* Given.claimed(yield* Given.registered())
      const name = yield* Given.freshWorkloadName
      yield* (yield* Journal).intend({ name, app: app.id, work: deployment.id, fence, replica })
      const log = LogName.make(`deployment/${deployment.id}`)
      yield* (yield* LogStore).append(log, [{ stream: "system", line: "said" }])
      const address = { host: IpAddress.make("127.0.0.1"), port: 4_000 }
      const routes = yield* RouteStore
      const [one, other] = [app, yield* Given.registered()]
      yield* routes.put({ app: one.id, hostPort: one.hostPort, fence: Fence.make(1), address })
      yield* routes.put({ app: other.id, hostPort: other.hostPort, fence: Fence.make(1), address })
      const route = (columns: Statement.Fragment) => sql`update routes set ${columns} where app = ${one.id}`
      const intent = (columns: Statement.Fragment) => sql`update intents set ${columns} where name = ${name}`
      yield* refusedBy({
        intents_deployment_fkey: intent(sql`deployment = 'dep_none'`),
        intents_fence_check: intent(sql`fence = 0`),
        intents_confirmed: intent(sql`confirmed_at = now()`),
        logs_name_check: sql`insert into logs (name) values ('none')`,
        logs_lines_check: sql`update logs set lines = -1 where name = ${log}`,
        logs_bytes_check: sql`update logs set bytes = -1 where name = ${log}`,
        log_chunks_first_check: sql`update log_chunks set first = 0 where log = ${log}`,
        log_chunks_range: sql`update log_chunks set last = 0 where log = ${log}`,
        log_chunks_output: sql`update log_chunks set output_from = now() where log = ${log}`,
        log_chunks_pkey: sql`insert into log_chunks select * from log_chunks where log = ${log}`,
        leases_fence_check: sql`insert into leases (name, fence, until) values ('none', 0, now())`,
        routes_host_port_check: route(sql`host_port = 0`),
        routes_fence_check: route(sql`fence = -1`),
        routes_address: route(sql`address_host = null`),
        routes_address_port_check: route(sql`address_port = 0`),
        routes_version_key: route(sql`version = (select version from routes where app = ${other.id})`)
      })
    })
  )
})
