// Brings a database to the schema that this version expects, or waits until somebody else did. Any number of processes may
// apply at once: they queue on the table of applied migrations, and each migration runs exactly once, with all that are
// pending in one transaction. No advisory lock, so that it works behind PgBouncer. Nothing is ever undone.

import { Effect, Schedule, Schema } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { createHash } from "node:crypto"
import { rowsOf } from "./internal/Database.ts"
import { foundation } from "./migrations/0001_foundation.ts"
import { workloadPorts } from "./migrations/0002_workload_ports.ts"
import { envChanges } from "./migrations/0003_env_changes.ts"
import { idempotency } from "./migrations/0004_idempotency.ts"
import { installation } from "./migrations/0005_installation.ts"
import { lifecycle } from "./migrations/0006_lifecycle.ts"
import { subscriptions } from "./migrations/0007_subscriptions.ts"
import { logChunks } from "./migrations/0008_log_chunks.ts"
import { jobs } from "./migrations/0009_jobs.ts"

/** One step of the schema. Released, it never changes: `statements` are compared by their checksum. */
export interface Migration {
  readonly id: number
  readonly name: string
  readonly statements: ReadonlyArray<string>
}

/** All migrations, in order. */
export const migrations: ReadonlyArray<Migration> = [
  foundation,
  workloadPorts,
  envChanges,
  idempotency,
  installation,
  lifecycle,
  subscriptions,
  logChunks,
  jobs
]

/** The version of the schema that this version of the package expects: the id of the last migration. */
export const schemaVersion: number = Math.max(...migrations.map(({ id }) => id))

/**
 * The schema could not be brought to what is expected; nothing was changed. `Failed`: a statement was refused.
 * `Edited`: a migration was applied with another content than this package has. `Unavailable`: the database is away or
 * somebody holds the lock for too long.
 */
export class MigrationError extends Schema.TaggedError<MigrationError>()("MigrationError", {
  reason: Schema.Union([
    Schema.TaggedStruct("Failed", { migration: Schema.Int, statement: Schema.Int, cause: Schema.Defect() }),
    Schema.TaggedStruct("Edited", { migration: Schema.Int, name: Schema.String }),
    Schema.TaggedStruct("Unavailable", { cause: Schema.Defect() })
  ])
}) {
  override get message(): string {
    switch (this.reason._tag) {
      case "Failed":
        return `migration ${this.reason.migration} failed at statement ${this.reason.statement}`
      case "Edited":
        return `migration ${this.reason.migration} was applied as "${this.reason.name}" with another content`
      case "Unavailable":
        return "the migrations could not be run: the database is unavailable"
    }
  }
}

/** How far a database is: the migrations that it lacks, and the id of the last one that it has (0 without any). */
export interface SchemaState {
  readonly version: number
  readonly pending: ReadonlyArray<Migration>
}

const table = "lockkeeper_migrations"

const presenceRows = rowsOf(Schema.Struct({ present: Schema.Boolean }))
const appliedRows = rowsOf(Schema.Struct({ id: Schema.Int, name: Schema.String, checksum: Schema.String }))

/** What a migration is recognised by. */
export const checksum = ({ statements }: Migration): string =>
  createHash("sha256").update(JSON.stringify(statements)).digest("hex")

const unavailable = (cause: unknown): MigrationError => new MigrationError({ reason: { _tag: "Unavailable", cause } })

const orUnavailable = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, MigrationError, R> =>
  self.pipe(
    Effect.catchDefect((defect) => (SqlError.isSqlError(defect) ? Effect.fail(defect) : Effect.die(defect))),
    Effect.mapError((error) => (error instanceof MigrationError ? error : unavailable(error)))
  )

const isPresent = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const [row] = yield* presenceRows(sql`select to_regclass(${table}) is not null as present`)
  return row?.present === true
})

const stateOf = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, expected: ReadonlyArray<Migration>) {
  const applied = yield* appliedRows(sql`select id, name, checksum from ${sql(table)} order by id`)
  const byId = new Map(applied.map((row) => [row.id, row]))
  for (const migration of expected) {
    const row = byId.get(migration.id)
    if (row !== undefined && row.checksum !== checksum(migration)) {
      return yield* new MigrationError({ reason: { _tag: "Edited", migration: row.id, name: row.name } })
    }
  }
  const state: SchemaState = {
    version: Math.max(0, ...byId.keys()),
    pending: expected.filter(({ id }) => !byId.has(id)).sort((a, b) => a.id - b.id)
  }
  return state
})

/** Looks how far the database is, and changes nothing. */
export const inspect = (
  expected: ReadonlyArray<Migration> = migrations
): Effect.Effect<SchemaState, MigrationError, SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.flatMap(isPresent(sql), (present) =>
      present ? stateOf(sql, expected) : Effect.succeed({ version: 0, pending: expected })
    )
  ).pipe(orUnavailable)

const ensureTable = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`create table if not exists ${sql(table)} (
    id integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
  )`.pipe(
    Effect.catch((error) => Effect.flatMap(isPresent(sql), (present) => (present ? Effect.void : Effect.fail(error))))
  )
})

const run = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, migration: Migration) {
  for (const [index, statement] of migration.statements.entries()) {
    yield* Effect.mapError(
      sql.unsafe(statement),
      (cause) =>
        new MigrationError({ reason: { _tag: "Failed", migration: migration.id, statement: index + 1, cause } })
    )
  }
  yield* sql`insert into ${sql(table)} (id, name, checksum)
    values (${migration.id}, ${migration.name}, ${checksum(migration)})`
})

const applyPending = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, expected: ReadonlyArray<Migration>) {
  yield* sql`select set_config('lock_timeout', '60s', true), set_config('statement_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '60s', true)`
  yield* sql`lock table ${sql(table)} in exclusive mode`
  const { pending } = yield* stateOf(sql, expected)
  yield* Effect.forEach(pending, (migration) => run(sql, migration), { discard: true })
  return pending.map(({ id }) => id)
})

/** Applies what is missing, and answers the ids that this call applied. A database that lacks nothing is only read. */
export const apply = Effect.fn("PostgresMigrations.apply")(function* (
  expected: ReadonlyArray<Migration> = migrations
): Effect.fn.Return<ReadonlyArray<number>, MigrationError, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  const { pending } = yield* inspect(expected)
  if (pending.length === 0) return []
  yield* orUnavailable(ensureTable(sql))
  return yield* orUnavailable(sql.withTransaction(applyPending(sql, expected)))
})

/** Waits until nothing is missing, as long as it takes, also while the database is away. Never changes the schema. */
export const wait = Effect.fn("PostgresMigrations.wait")(function* (
  expected: ReadonlyArray<Migration> = migrations
): Effect.fn.Return<void, MigrationError, SqlClient.SqlClient> {
  const isComplete = inspect(expected).pipe(
    Effect.map(({ pending }) => pending.length === 0),
    Effect.catchReason("MigrationError", "Unavailable", () => Effect.succeed(false))
  )
  if (yield* isComplete) return
  yield* Effect.logInfo(`waiting until somebody applies version ${schemaVersion} of the schema`)
  yield* Effect.repeat(isComplete, { until: (complete) => complete, schedule: Schedule.spaced("500 millis") })
})
