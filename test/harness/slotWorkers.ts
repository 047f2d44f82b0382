// Processes of slotWorker.ts as a test sees them, and the Slots of Tenants seen from outside of them.

import * as PostgresLayer from "@lockkeeper/adapter-postgres/layer"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Fs from "node:fs"
import * as Database from "./database.ts"
import { eventually } from "./eventually.ts"
import { launch } from "./server.ts"
import type { Edge, SlotOrders } from "./slotOrders.ts"
import type { SubnetOrders } from "./subnetOrders.ts"
import { workerKey } from "./workerOrders.ts"

/** All stores on a fresh database, and a client for plain SQL. */
export const stores = Layer.unwrap(
  Effect.map(Database.TestDatabase, ({ url }) =>
    PostgresLayer.layerStores({ migrate: "apply" }).pipe(
      Layer.provideMerge(PostgresLayer.layerClient({ url, maxConnections: 6 }))
    )
  )
).pipe(Layer.provide(SecretCipher.layer(workerKey)), Layer.provideMerge(Database.layerMigrated))

/** Starts a process, and waits until it has begun. */
export const started = Effect.fnUntraced(function* (
  url: Redacted.Redacted<string>,
  orders: SlotOrders | SubnetOrders,
  program = "test/harness/slotWorker.ts"
) {
  const env = { PATH: "", DATABASE_URL: Redacted.value(url), WORKER: JSON.stringify(orders) }
  const worker = yield* launch(env, [program])
  const isThere = Effect.sync(() => worker.hasExited() || Fs.existsSync(`${orders.directory}/${orders.name}.ready`))
  yield* eventually("a worker begins", isThere, (is) => is, "30 seconds")
  return worker.hasExited() ? yield* Effect.die(new Error(`a worker did not begin: ${worker.output()}`)) : worker
})

/** How many Slots of a Tenant are taken, seen from outside. */
export const slotsOf = Effect.fnUntraced(function* (tenant: TenantName) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ taken: number }>`select count(*)::int as taken from slots where tenant = ${tenant}`
  return row?.taken ?? 0
})

/** When work of a Tenant was in progress, as the Events tell. */
export const told = Effect.fnUntraced(function* (tenant: TenantName) {
  const sql = yield* SqlClient.SqlClient
  const events = yield* sql<{ type: string; subject: string; at: number }>`select type, subject,
      extract(epoch from at)::float8 * 1000 as at from events
    where tenant = ${tenant} and (type like 'deployment.%' or type like 'job.%') order by at`
  return events.flatMap(({ at, subject, type }): ReadonlyArray<Edge> => {
    if (type === "deployment.building" || type === "job.running") return [{ work: subject, at, is: "begin" }]
    return type === "deployment.deploying" ? [] : [{ work: subject, at, is: "end" }]
  })
})
