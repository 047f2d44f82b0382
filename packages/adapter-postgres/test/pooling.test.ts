// Behind a pooler that gives every transaction another session: nothing that a store does may live in a session. Here each
// checkout of the pool is a new session, which is the worst that such a pooler does.

import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import type { Contract } from "@lockkeeper/core/testing/Contract"
import { DeploymentStoreContract } from "@lockkeeper/core/testing/DeploymentStoreContract"
import { EnvStoreContract } from "@lockkeeper/core/testing/EnvStoreContract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { JournalContract } from "@lockkeeper/core/testing/JournalContract"
import { LeasesContract } from "@lockkeeper/core/testing/LeasesContract"
import { RouteStoreContract } from "@lockkeeper/core/testing/RouteStoreContract"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../../test/harness/database.ts"
import { layerStores } from "../src/layer.ts"
import { cipher } from "./support/stores.ts"

const pooled = (options: Partial<PgClient.PgPoolConfig>) =>
  Layer.unwrap(
    Effect.map(Database.TestDatabase, ({ url }) =>
      layerStores({ migrate: "apply" }).pipe(
        Layer.provideMerge(PgClient.layer({ url, prepare: false, maxConnections: 10, ...options }))
      )
    )
  ).pipe(Layer.provide(cipher), Layer.provide(Database.layer))

const everySession = pooled({ connectionTTL: 0 })

type Ports = Layer.Success<typeof everySession>

const contracts: Readonly<Record<string, Contract<Ports>>> = {
  DeploymentStore: DeploymentStoreContract.filter(({ law }) => !law.includes("limit")),
  EnvStore: EnvStoreContract,
  Journal: JournalContract,
  Leases: LeasesContract,
  RouteStore: RouteStoreContract
}

layer(everySession, { excludeTestServices: true })("K11: over a new session for each transaction", (it) => {
  for (const [port, contract] of Object.entries(contracts)) {
    it.effect.each(contract.map(({ id, law, run }) => ({ id, law, run })))(
      `${port} $id $law`,
      ({ run }) => run,
      120_000
    )
  }

  it.effect("no two transactions share a session", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const pid = sql.withTransaction(sql<{ pid: number }>`select pg_backend_pid() as pid`)
      const [[first], [second]] = [yield* pid, yield* pid]
      assert.notStrictEqual(first?.pid, second?.pid)
    })
  )
})

layer(pooled({ maxConnections: 1 }), { excludeTestServices: true })("K11: over one session for all", (it) => {
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
