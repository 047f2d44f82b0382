// Over one session for all, as behind the smallest pooler: nothing that a transaction sets is there for the next one. What a
// real pooler does is in pgbouncer.test.ts.

import { assert, layer } from "@effect/vitest"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../../test/harness/database.ts"
import { layerClient, layerStores } from "../src/layer.ts"
import { cipher } from "./support/stores.ts"

const oneSession = Layer.unwrap(
  Effect.map(Database.TestDatabase, ({ url }) =>
    layerStores({ migrate: "apply" }).pipe(Layer.provideMerge(layerClient({ url, maxConnections: 1 })))
  )
).pipe(Layer.provide(cipher), Layer.provide(Database.layer))

layer(oneSession, { excludeTestServices: true })("K11: over one session for all", (it) => {
  it.effect("no transaction leaves a setting, a lock or a prepared statement behind", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const settings = sql`select current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement,
        current_setting('idle_in_transaction_session_timeout') as idle`
      const before = yield* settings
      const { claim } = yield* Given.deployed(yield* Given.registered())
      yield* Given.revised(claim.app, { A: "1" })
      assert.deepStrictEqual(yield* settings, before)
      assert.deepStrictEqual(yield* sql`select name from pg_prepared_statements`, [])
      assert.deepStrictEqual(yield* sql`select locktype from pg_locks where locktype = 'advisory'`, [])
    })
  )
})
