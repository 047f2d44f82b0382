// A replica whose connections lead through a proxy that can do something to its statements, and what is asked of the
// database about what is left of them.

import type { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { TestDatabase } from "../../../../test/harness/database.ts"
import { eventually } from "../../../../test/harness/eventually.ts"
import { type StatementProxy, statementProxy } from "../../../../test/harness/statementProxy.ts"
import { layerClient, layerStores } from "../../src/layer.ts"
import type { Replica } from "./envWays.ts"
import { cipher } from "./stores.ts"

const poolSize = 4

/** Stores over a pool of their own behind the proxy. */
const through = ({ url }: StatementProxy) =>
  Layer.build(
    layerStores({ migrate: "elsewhere" }).pipe(
      Layer.provide(cipher),
      Layer.provide(layerClient({ url, maxConnections: poolSize })),
      Layer.fresh
    )
  )

/** A replica whose connections lead through a proxy, and another one whose do not. */
export const proxied = Effect.gen(function* () {
  const proxy = yield* statementProxy((yield* TestDatabase).url)
  const own: Replica = yield* through(proxy)
  return { proxy, own, other: yield* Effect.context<EnvStore>() }
})

/** Whether this writes an Env. */
export const isWrite = (statement: string): boolean => statement.includes("insert into env_changes")

/** Whether this ends a transaction well. */
export const isCommit = (statement: string): boolean => /^commit/i.test(statement)

/** No session waits, or holds a transaction open. */
export const nothingIsLeft = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const sessions = sql`select pid, state from pg_stat_activity where datname = current_database()
    and (state like 'idle in transaction%' or wait_event_type = 'Lock')`
  yield* eventually("nothing is left open", sessions, (rows) => rows.length === 0, "3 seconds")
})
