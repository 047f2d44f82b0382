// The table of what was applied: it is read in one round trip, made by whoever is first, and written in the transaction that
// applies. Not here: who waits for whom.

import { Effect, Schema } from "effect"
import { type SqlClient, SqlError } from "effect/sql"
import { createHash } from "node:crypto"
import { MigrationError } from "../MigrationError.ts"
import type { Migration } from "../PostgresMigrations.ts"
import { rowsOf } from "./Database.ts"
import { stateOf } from "./faults.ts"

/** The name of the table. */
export const ledger = "lockkeeper_migrations"

/** What a database lacks: in a transaction, and of indexes that are built outside of one. */
export interface Lacking {
  /** The id of the last migration that it has; 0 without any. */
  readonly version: number
  readonly pending: ReadonlyArray<Migration>
  readonly unfinished: ReadonlyArray<IndexMigration>
}

/** A migration that builds an index outside of a transaction. */
export interface IndexMigration extends Migration {
  readonly index: string
}

/** Whether it is one. */
export const isIndexMigration = (migration: Migration): migration is IndexMigration => migration.index !== undefined

const appliedRows = rowsOf(Schema.Struct({ id: Schema.Int, name: Schema.String, checksum: Schema.String }))

const isMissingTable = (error: unknown): boolean => SqlError.isSqlError(error) && stateOf(error) === "42P01"

/** What a migration is recognised by. */
export const checksum = ({ statements }: Migration): string =>
  createHash("sha256").update(JSON.stringify(statements)).digest("hex")

/** Reads what a database lacks, in one round trip; a migration that was edited since it was applied is refused. */
export const lacking = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, expected: ReadonlyArray<Migration>) {
  const applied = yield* appliedRows(sql`select id, name, checksum from ${sql(ledger)} order by id`).pipe(
    Effect.catch((error) => (isMissingTable(error) ? Effect.succeed([]) : Effect.fail(error)))
  )
  const byId = new Map(applied.map((row) => [row.id, row]))
  for (const migration of expected) {
    const row = byId.get(migration.id)
    if (row !== undefined && row.checksum !== checksum(migration)) {
      return yield* new MigrationError({ reason: { _tag: "Edited", migration: row.id, name: row.name } })
    }
  }
  const missing = expected.filter(({ id }) => !byId.has(id)).sort((a, b) => a.id - b.id)
  const found: Lacking = {
    version: Math.max(0, ...byId.keys()),
    pending: missing.filter((migration) => !isIndexMigration(migration)),
    unfinished: missing.filter(isIndexMigration)
  }
  return found
})

/** Makes a table unless it is there, also when somebody else makes it at the same time. */
export const ensured = (sql: SqlClient.SqlClient, table: string, create: Effect.Effect<unknown, SqlError.SqlError>) =>
  Effect.catch(create, (error) =>
    Effect.flatMap(sql`select 1 where to_regclass(${table}) is not null`, (rows) =>
      rows.length > 0 ? Effect.void : Effect.fail(error)
    )
  )

/** Makes the ledger unless it is there. */
export const ensureLedger = (sql: SqlClient.SqlClient) =>
  ensured(
    sql,
    ledger,
    sql`create table if not exists ${sql(ledger)} (
    id integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
  )`
  )

/** Notes that a migration is applied. */
export const record = (sql: SqlClient.SqlClient, migration: Migration) =>
  sql`insert into ${sql(ledger)} (id, name, checksum)
    values (${migration.id}, ${migration.name}, ${checksum(migration)})`

/** Runs the statements of a migration; one that is refused is named by its number. */
export const runStatements = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, migration: Migration) {
  for (const [index, statement] of migration.statements.entries()) {
    yield* Effect.mapError(sql.unsafe(statement), (cause) => refused(migration, index + 1, cause))
  }
})

const refused = ({ id }: Migration, statement: number, cause: SqlError.SqlError): MigrationError =>
  cause.reason._tag === "ConnectionError"
    ? new MigrationError({ reason: { _tag: "Unavailable", cause } })
    : new MigrationError({ reason: { _tag: "Failed", migration: id, statement, cause } })
