// The database that other tests stand on: empty, of its own, and gone afterwards.

import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Redacted, Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as TestDatabase from "./database.ts"

const query = (url: Redacted.Redacted<string>, statement: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(statement)).pipe(
    Effect.provide(PgClient.layer({ url, maxConnections: 1 }))
  )

describe("TestDatabase", () => {
  it.effect("gives every scope an empty database and drops it at the end, also while it is in use", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const first = yield* TestDatabase.make.pipe(Scope.provide(scope))
      const second = yield* TestDatabase.make
      yield* query(first.url, "create table only_here (id int)")
      assert.deepStrictEqual(yield* query(second.url, "select to_regclass('only_here')::text as found"), [
        { found: null }
      ])

      const inUse = yield* Effect.forkChild(Effect.exit(query(first.url, "select pg_sleep(60)")))
      const count = `select count(*)::int as count from pg_stat_activity where datname = '${first.name}'`
      yield* query(second.url, count).pipe(Effect.repeat({ until: (rows) => JSON.stringify(rows) !== '[{"count":0}]' }))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* query(second.url, `select 1 from pg_database where datname = '${first.name}'`), [])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(query(first.url, "select 1"))))
      yield* Fiber.interrupt(inUse)
    })
  )
})
