// Migrations with an index that is built outside of a transaction, on a database of their own, and what is left of them.

import { assert } from "@effect/vitest"
import { Effect, Layer, type Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../../../test/harness/database.ts"
import { layerClient } from "../../src/layer.ts"
import { apply, complete, type Migration } from "../../src/PostgresMigrations.ts"

export const table: Migration = { id: 1, name: "table", statements: ["create table things (id int)"] }
const index: Migration = {
  id: 2,
  name: "things_id",
  index: "things_id",
  statements: ["create unique index concurrently things_id on things (id)"]
}
const later: Migration = { id: 3, name: "later", statements: ["create table others (id int)"] }
/** A migration before it, the index, and one after it. */
export const all = [table, index, later]

const clientOf = (url: Redacted.Redacted<string>) => Layer.fresh(layerClient({ url, maxConnections: 2 }))

/** Runs it with a client of its own, as another process would have. */
export const elsewhere = <A, E, R>(self: Effect.Effect<A, E, R>, url?: Redacted.Redacted<string>) =>
  Effect.flatMap(Database.TestDatabase, (own) => Effect.provide(self, clientOf(url ?? own.url)))

/** Runs it on a fresh, empty database. */
export const onEmpty = <A, E>(
  body: Effect.Effect<A, E, SqlClient.SqlClient | Database.TestDatabase | Scope.Scope>
): Effect.Effect<A, unknown> =>
  Effect.flatMap(Database.TestDatabase, ({ url }) => Effect.provide(body, clientOf(url))).pipe(
    Effect.scoped,
    Effect.provide(Layer.fresh(Database.layer))
  )

export const withSql = <A, E, R>(use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(SqlClient.SqlClient, use)

export const validity = withSql(
  (sql) => sql<{ readonly valid: boolean }>`select indisvalid as valid from pg_index
  where indexrelid = to_regclass('things_id')`
).pipe(Effect.map((rows) => rows.map(({ valid }) => valid)))

export const steps = withSql((sql) => sql`select fence::int, state from lockkeeper_migration_steps order by id`)

export const recorded = withSql(
  (sql) => sql<{ readonly id: number }>`select id from lockkeeper_migrations order by id`
).pipe(Effect.map((rows) => rows.map(({ id }) => id)))

/** A build that broke off: two rows are alike. Answers with the rows as they must be. */
export const remnant = Effect.gen(function* () {
  yield* apply(all)
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into things values (1), (1)`
  const { reason } = yield* Effect.flip(complete(all))
  assert.strictEqual(reason._tag, "Failed")
  assert.deepInclude(reason, { migration: 2, statement: 1 })
  assert.deepStrictEqual(yield* validity, [false])
  yield* sql`truncate things`
})
