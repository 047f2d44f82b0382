// A fresh, empty database for a test or a test file, on the server of the run. Not a pool: make a client from `url`.

import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import type { Scope } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { randomBytes } from "node:crypto"
import { inject } from "vitest"

/** Names an empty database of its own: `url` with the role that may do everything in it. */
export class TestDatabase extends Context.Service<
  TestDatabase,
  { readonly url: Redacted.Redacted<string>; readonly name: string }
>()("@lockkeeper/test/harness/TestDatabase") {}

/** Creates the database on the server of this URL and drops it at the end of the scope, also while it is in use. */
export const makeOn = Effect.fnUntraced(function* (server: string) {
  const run = (statement: string) =>
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(statement)).pipe(
      Effect.provide(PgClient.layer({ url: Redacted.make(server), maxConnections: 1, prepare: false }))
    )
  const name = `test_${randomBytes(8).toString("hex")}`
  yield* Effect.acquireRelease(run(`create database ${name} template template0`), () =>
    Effect.orDie(run(`drop database if exists ${name} with (force)`))
  )
  const url = new URL(server)
  url.pathname = `/${name}`
  return TestDatabase.of({ url: Redacted.make(url.toString()), name })
})

/** Creates the database on the server of the run. */
export const make: Effect.Effect<TestDatabase["Service"], SqlError.SqlError, Scope.Scope> = Effect.suspend(() =>
  makeOn(inject("postgresUrl"))
)

/** Provides a database per build of the layer. */
export const layer: Layer.Layer<TestDatabase, SqlError.SqlError> = Layer.effect(TestDatabase, make)
