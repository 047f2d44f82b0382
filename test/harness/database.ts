// A fresh database for a test or a test file, on the server of the run: an empty one, or one that has the schema already. Not
// a pool: make a client from `url`.

import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import type { Scope } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { randomBytes } from "node:crypto"
import { inject } from "vitest"
import { layerClient } from "../../packages/adapter-postgres/src/layer.ts"
import { apply } from "../../packages/adapter-postgres/src/PostgresMigrations.ts"

/** Names a database of its own: `url` with the role that may do everything in it. */
export class TestDatabase extends Context.Service<
  TestDatabase,
  { readonly url: Redacted.Redacted<string>; readonly name: string }
>()("@lockkeeper/test/harness/TestDatabase") {}

const onServer = <A, E>(server: string, self: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.provide(self, PgClient.layer({ url: Redacted.make(server), maxConnections: 1, prepare: false }))

const run = (statement: string) => Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(statement))

/** Creates an empty database, or a copy, on the server of this URL and drops it when the scope ends, also while it is in use. */
export const makeOn = Effect.fnUntraced(function* (server: string, template = "template0") {
  const name = `test_${randomBytes(8).toString("hex")}`
  yield* Effect.acquireRelease(onServer(server, run(`create database ${name} template ${template}`)), () =>
    Effect.orDie(onServer(server, run(`drop database if exists ${name} with (force)`)))
  )
  const url = new URL(server)
  url.pathname = `/${name}`
  return TestDatabase.of({ url: Redacted.make(url.toString()), name })
})

/** Applies all migrations to the database of that name, unless it is there: the first who needs it does, and others wait. */
const ensured = Effect.fnUntraced(function* (server: string, template: string) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`select pg_advisory_lock(hashtext(${template}))`
  if ((yield* sql`select from pg_database where datname = ${template}`).length > 0) return
  const { name, url } = yield* makeOn(server)
  yield* Effect.provide(apply(), Layer.fresh(layerClient({ url, maxConnections: 1 })))
  yield* run(`alter database ${name} rename to ${template}`)
}, Effect.scoped)

/** Creates an empty database on the server of the run. */
export const make: Effect.Effect<TestDatabase["Service"], SqlError.SqlError, Scope.Scope> = Effect.suspend(() =>
  makeOn(inject("postgresUrl"))
)

/** Creates one with the schema, as a copy of one in which all migrations were applied: that is faster than to apply them. */
export const makeMigrated = Effect.suspend(() => {
  const [server, template] = [inject("postgresUrl"), inject("postgresTemplate")]
  return Effect.andThen(Effect.orDie(onServer(server, ensured(server, template))), makeOn(server, template))
})

/** Provides an empty database per build of the layer. */
export const layer: Layer.Layer<TestDatabase, SqlError.SqlError> = Layer.effect(TestDatabase, make)

/** Provides one with the schema per build of the layer. */
export const layerMigrated: Layer.Layer<TestDatabase, SqlError.SqlError> = Layer.effect(TestDatabase, makeMigrated)
