// Builds an index outside of a transaction, each once, by whoever holds its lease: what nobody holds any more is taken over
// under a higher fence. Only the holder drops what is left half done, and only it says that it is done. A lease that ends
// early costs time and nothing else: two who build at once wait for each other in the server.

import { Duration, Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { SqlError } from "effect/sql"
import { hostname } from "node:os"
import { MigrationError } from "../MigrationError.ts"
import { inTime, rowsOf } from "./Database.ts"
import { isBusy, stateOf } from "./faults.ts"
import { ensured, type IndexMigration, ledger, checksum, runStatements } from "./migrationLedger.ts"
import { transactions } from "./transactions.ts"

const table = "lockkeeper_migration_steps"

/** How long a lease lasts, how often it is renewed, and how often who waits looks again. */
export interface BuildLease {
  readonly lease: Duration.Duration
  readonly every: Duration.Duration
}

/** The lease of this length. */
export const leaseOf = (lease: Duration.Input): BuildLease => {
  const length = Duration.fromInputUnsafe(lease)
  return { lease: length, every: Duration.millis(Duration.toMillis(length) / 4) }
}

/** Somebody else holds the lease, or what is to be done has to wait. */
class Later extends Schema.TaggedError<Later>()("Later", {}) {}

const later = Effect.fail(new Later())

interface Held extends BuildLease {
  readonly sql: SqlClient.SqlClient
  readonly migration: IndexMigration
  readonly fence: number
}

const fenceRows = rowsOf(Schema.Struct({ fence: Schema.NumberFromString }))
const indexRows = rowsOf(Schema.Struct({ valid: Schema.Boolean, building: Schema.Boolean }))

const seconds = (lease: Duration.Duration): number => Duration.toSeconds(lease)

const ensureTable = (sql: SqlClient.SqlClient) =>
  ensured(
    sql,
    table,
    sql`create table if not exists ${sql(table)} (
    id integer primary key,
    fence bigint not null,
    holder text not null,
    lease_until timestamptz not null,
    state text not null
  )`
  )

/** Takes the lease if nobody holds it; its fence is higher than all before. */
const claimed = (sql: SqlClient.SqlClient, { id }: IndexMigration, lease: Duration.Duration) =>
  Effect.map(
    fenceRows(sql`insert into ${sql(table)} as s (id, fence, holder, lease_until, state)
      values (${id}, 1, ${`${hostname()}/${process.pid}`}, clock_timestamp() + make_interval(secs => ${seconds(lease)}), 'running')
      on conflict (id) do update
        set fence = s.fence + 1, holder = excluded.holder, lease_until = excluded.lease_until
        where s.state = 'running' and s.lease_until <= clock_timestamp()
      returning fence::text`),
    ([row]) => row?.fence
  )

/** Renews the lease until it is lost. While the database does not answer it may be renewed later. */
const renewed = ({ every, fence, lease, migration, sql }: Held) =>
  Effect.sleep(every).pipe(
    Effect.andThen(
      Effect.result(
        fenceRows(sql`update ${sql(table)} set lease_until = clock_timestamp() + make_interval(secs => ${seconds(lease)})
          where id = ${migration.id} and fence = ${fence} and state = 'running' returning fence::text`)
      )
    ),
    Effect.flatMap((found) => (found._tag === "Success" && found.success.length === 0 ? later : Effect.void)),
    Effect.forever
  )

/** Gives the lease back, so that the next one does not wait for its end. */
const released = ({ fence, migration, sql }: Held) =>
  inTime(
    Effect.ignore(sql`update ${sql(table)} set lease_until = clock_timestamp()
      where id = ${migration.id} and fence = ${fence} and state = 'running'`),
    Effect.sleep("2 seconds").pipe(Effect.andThen(later))
  ).pipe(Effect.ignore)

const indexOf = ({ migration, sql }: Held) =>
  Effect.map(
    indexRows(sql`select indisvalid as valid, exists (
        select 1 from pg_stat_progress_create_index p where p.index_relid = i.indexrelid
      ) as building from pg_index i where i.indexrelid = to_regclass(${migration.index})`),
    ([found]) => found
  )

/** Drops what is left of a build that nobody goes on with. The row is locked, so that nobody builds it anew meanwhile. */
const dropRemnant = Effect.fnUntraced(function* (held: Held) {
  const { fence, migration, sql } = held
  const inTransaction = transactions(sql, { begin: "10 seconds", end: "1 minute" })
  const drop = Effect.gen(function* () {
    yield* sql`select set_config('lock_timeout', '2s', true), set_config('statement_timeout', '10s', true),
      set_config('idle_in_transaction_session_timeout', '10s', true)`
    const mine = yield* sql`select 1 from ${sql(table)}
      where id = ${migration.id} and fence = ${fence} and state = 'running' for update`
    if (mine.length === 0) return yield* later
    const found = yield* indexOf(held)
    if (found === undefined || found.valid) return
    if (found.building) return yield* later
    yield* sql`drop index ${sql(migration.index)}`
  })
  yield* Effect.mapError(inTransaction(drop), (error) => (isBusy(error) ? new Later() : error))
})

/** Somebody whose lease ended was faster. */
const isThereAlready = ({ reason }: MigrationError): boolean =>
  reason._tag === "Failed" && SqlError.isSqlError(reason.cause) && stateOf(reason.cause) === "42P07"

const invalid = (migration: IndexMigration): MigrationError =>
  new MigrationError({
    reason: {
      _tag: "Failed",
      migration: migration.id,
      statement: 1,
      cause: new Error(`${migration.index} is not valid`)
    }
  })

const build = Effect.fnUntraced(function* (held: Held) {
  const { fence, migration, sql } = held
  yield* dropRemnant(held)
  if ((yield* indexOf(held))?.valid !== true) {
    yield* Effect.mapError(runStatements(sql, migration), (error) => (isThereAlready(error) ? new Later() : error))
    if ((yield* indexOf(held))?.valid !== true) return yield* invalid(migration)
  }
  const done = yield* sql`with done as (
      update ${sql(table)} set state = 'done' where id = ${migration.id} and fence = ${fence} and state = 'running' returning id
    ) insert into ${sql(ledger)} (id, name, checksum)
      select id, ${migration.name}, ${checksum(migration)} from done returning id`
  if (done.length === 0) return yield* later
})

/** Builds it, or waits until it is there. Answers whether this call built it. */
export const buildIndex = Effect.fnUntraced(function* <E>(
  sql: SqlClient.SqlClient,
  migration: IndexMigration,
  { isMissing, ...lease }: BuildLease & { readonly isMissing: Effect.Effect<boolean, E> }
) {
  yield* ensureTable(sql)
  while (yield* isMissing) {
    const fence = yield* claimed(sql, migration, lease.lease)
    if (fence !== undefined) {
      const held: Held = { ...lease, sql, migration, fence }
      const isBuilt = yield* Effect.raceFirst(build(held), renewed(held)).pipe(
        Effect.as(true),
        Effect.catchTag("Later", () => Effect.succeed(false)),
        Effect.ensuring(released(held))
      )
      if (isBuilt) return true
    }
    yield* Effect.sleep(lease.every)
  }
  return false
})
