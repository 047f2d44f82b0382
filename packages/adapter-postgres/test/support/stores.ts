// What the tests of the stores share: all stores over a fresh database, a client of its own beside them for plain SQL, and
// ways to race.

import type { AppId, AppStatus } from "@lockkeeper/core/domain/App"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { TestDatabase } from "../../../../test/harness/database.ts"
import * as Database from "../../../../test/harness/database.ts"
import { type ClientOptions, layer, layerClient, type StoresOptions } from "../../src/layer.ts"

/** One key for all tests, so that several pools open what the others sealed. */
export const cipher = SecretCipher.layer(Redacted.make(new Uint8Array(32).fill(7)))

/** Stores on the database of the test, over a pool of their own each time. */
export const storesOn = (options: Partial<StoresOptions & ClientOptions> = {}) =>
  Layer.unwrap(
    Effect.map(TestDatabase, ({ url }) => layer({ url, migrate: "apply", maxConnections: 10, ...options }))
  ).pipe(Layer.provide(cipher))

/** A client for plain SQL on the database of the test. */
export const client = Layer.unwrap(Effect.map(TestDatabase, ({ url }) => layerClient({ url, maxConnections: 10 })))

/** A fresh database with all stores, the cipher and a client for plain SQL. */
export const stores = (options: Partial<StoresOptions> = {}) =>
  Layer.mergeAll(storesOn(options), client, cipher).pipe(Layer.provideMerge(Database.layer))

/** Sets the status of an App as a program will that ends or deletes it. */
export const putStatus = (app: AppId, status: AppStatus) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`update apps set status = ${status} where id = ${app}`)

/** Two replicas: the stores of the test twice, over a pool of their own each. */
export const replicas = Effect.all([
  Layer.build(Layer.fresh(storesOn())),
  Layer.build(Layer.fresh(storesOn()))
])

/** Runs an effect many times at once, in turns on both replicas, and answers what each run came to. */
export const raced = Effect.fnUntraced(function* <A, E, R>(
  count: number,
  run: (index: number) => Effect.Effect<A, E, R | Replica>
) {
  const both = yield* replicas
  const started = yield* Latch.make()
  const runs = Array.from({ length: count }, (_, index) =>
    Effect.provide(Effect.andThen(started.await, run(index)), both[index % 2 === 0 ? 0 : 1])
  )
  const fibers = yield* Effect.forEach(runs, (effect) => Effect.forkChild(Effect.result(effect)))
  yield* started.open
  return yield* Effect.forEach(fibers, Fiber.join)
})
