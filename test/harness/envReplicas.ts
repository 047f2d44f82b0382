// Two servers on one fresh database, which do at a failpoint what they are told, and the stores of this process beside them, which open what the servers sealed.

import * as PostgresLayer from "@lockkeeper/adapter-postgres/layer"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Context, Effect, Layer, Redacted } from "effect"
import type { SqlClient } from "effect/sql"
import { readFileSync } from "node:fs"
import * as TestDatabase from "./database.ts"
import { type Commanded, startCommandedAt } from "./failpoints.ts"
import { pgbouncer } from "./pgbouncer.ts"
import { makePlace } from "./server.ts"

/** What the stores of this process are. */
type Stores = PostgresLayer.Stores | SqlClient.SqlClient | SecretCipher

/** Two servers, and what a test looks at beside them. */
export class EnvReplicas extends Context.Service<
  EnvReplicas,
  {
    readonly first: Commanded
    readonly second: Commanded
    readonly stores: Context.Context<Stores>
  }
>()("@lockkeeper/test/harness/EnvReplicas") {
  /** Starts them. Behind PgBouncer in transaction mode, where a size of its pool is given. */
  static readonly layer = (poolSize?: number) => Layer.effect(EnvReplicas, make(poolSize))
}

const make = Effect.fnUntraced(function* (poolSize: number | undefined) {
  const { url } = yield* TestDatabase.makeMigrated
  const routed = poolSize === undefined ? url : (yield* pgbouncer(url, poolSize)).url
  const place = yield* makePlace(routed)
  const keyFile = place.env["LOCKKEEPER_SECRET_KEY_FILE"] ?? ""
  const first = yield* startCommandedAt(place)
  const second = yield* startCommandedAt(yield* makePlace(routed, { LOCKKEEPER_SECRET_KEY_FILE: keyFile }))
  const stores = PostgresLayer.layerStores({ migrate: "elsewhere" }).pipe(
    Layer.provideMerge(PostgresLayer.layerClient({ url, maxConnections: 4 })),
    Layer.provideMerge(SecretCipher.layer(Redacted.make(new Uint8Array(readFileSync(keyFile)))))
  )
  return EnvReplicas.of({ first, second, stores: yield* Layer.build(stores) })
})
