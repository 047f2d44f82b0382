// What the tests of the stores share: all stores over a fresh database, a client of its own beside them for plain SQL, and
// ways to race.

import type { AppId, AppStatus } from "@lockkeeper/core/domain/App"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Effect, Fiber, Latch, Layer, Redacted, Result, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { TestDatabase } from "../../../../test/harness/database.ts"
import * as Database from "../../../../test/harness/database.ts"
import { pgbouncer } from "../../../../test/harness/pgbouncer.ts"
import { type ClientOptions, layer, layerClient, type StoresOptions } from "../../src/layer.ts"

const keyOf = (byte: number) => Redacted.make(new Uint8Array(32).fill(byte))

/** A cipher under a key that is retired in {@link cipher}. */
export const retiredCipher = SecretCipher.layer(keyOf(8))

/** One key for all tests, so that several pools open what the others sealed. */
export const cipher = SecretCipher.layer(keyOf(7), { retired: [keyOf(8)] })

/** Stores on the database of the test, over a pool of their own each time. */
const storesOn = (options: Partial<StoresOptions & ClientOptions> = {}, secrets = cipher) =>
  Layer.unwrap(
    Effect.map(TestDatabase, ({ url }) => layer({ url, migrate: "apply", maxConnections: 10, ...options }))
  ).pipe(Layer.provide(secrets))

/** A cipher under one of these keys, which opens what was sealed under the others. */
export const cipherUnder = (key: number, ...retired: ReadonlyArray<number>) =>
  SecretCipher.layer(keyOf(key), { retired: retired.map(keyOf) })

/** The stores on the database of the test under such keys, over a small pool of their own. */
export const storesUnder = (key: number, ...retired: ReadonlyArray<number>) =>
  Layer.build(Layer.fresh(storesOn({ maxConnections: 4 }, cipherUnder(key, ...retired))))

/** A client for plain SQL on the database of the test. */
const client = Layer.unwrap(Effect.map(TestDatabase, ({ url }) => layerClient({ url, maxConnections: 10 })))

/** All stores, the cipher and a client for plain SQL on the database of the test. */
export const storesAndClient = (options: Partial<StoresOptions> = {}) =>
  Layer.mergeAll(storesOn(options), client, cipher)

/** The same on a fresh database. */
export const stores = (options: Partial<StoresOptions> = {}) =>
  Layer.provideMerge(storesAndClient(options), Database.layerMigrated)

/** A PgBouncer with this many connections in front of the fresh database of the test. */
const pooledDatabase = (poolSize: number) =>
  Layer.effect(
    TestDatabase,
    Effect.gen(function* () {
      const { name, url } = yield* TestDatabase
      return { name, url: (yield* pgbouncer(url, poolSize)).url }
    })
  ).pipe(Layer.provide(Database.layerMigrated))

/** The same behind PgBouncer, but for the client, which reaches the server without it. */
export const pooledStores = (poolSize: number) =>
  Layer.mergeAll(
    Layer.provideMerge(storesOn(), pooledDatabase(poolSize)),
    Layer.provide(client, Database.layerMigrated),
    cipher
  )

/** Sets the status of an App as a program will that ends or deletes it. */
export const putStatus = (app: AppId, status: AppStatus) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`update apps set status = ${status} where id = ${app}`)

/** Two replicas: the stores of the test twice, over a pool of their own each. */
export const replicas = (options: Partial<StoresOptions> = {}) =>
  Effect.all([Layer.build(storesOn(options)), Layer.build(storesOn(options))])

/** Runs an effect many times at once, in turns on both replicas, and answers what each run came to. */
export const raced = Effect.fnUntraced(function* <A, E, R>(
  count: number,
  run: (index: number) => Effect.Effect<A, E, R>,
  options: Partial<StoresOptions> = {}
) {
  const [one, other] = yield* replicas(options)
  const started = yield* Latch.make()
  const fibers = yield* Effect.forEach(Array.from({ length: count }).keys(), (index) =>
    Effect.andThen(started.await, run(index)).pipe(
      Effect.provideContext(index % 2 === 0 ? one : other),
      Effect.result,
      Effect.forkChild
    )
  )
  yield* started.open
  return yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
})

/** What those runs answered that succeeded. */
export const answers = <A, E>(results: ReadonlyArray<Result.Result<A, E>>): ReadonlyArray<A> =>
  results.flatMap((result) => (Result.isSuccess(result) ? [result.success] : []))

/** The tags of what those runs failed with that failed. */
export const refusals = <A, E extends { readonly _tag: string }>(
  results: ReadonlyArray<Result.Result<A, E>>
): ReadonlyArray<string> => results.flatMap((result) => (Result.isFailure(result) ? [result.failure._tag] : []))

/** Runs statements in a transaction that stays open until the answered effect is run, which commits it. */
export const opened = Effect.fnUntraced(function* <A, E, R>(statements: Effect.Effect<A, E, R>) {
  const sql = yield* SqlClient.SqlClient
  const [held, release] = [yield* Latch.make(), yield* Latch.make()]
  const fiber = yield* Effect.forkChild(
    sql.withTransaction(Effect.andThen(statements, Effect.andThen(held.open, release.await)))
  )
  yield* Effect.raceFirst(held.await, Fiber.join(fiber))
  return Effect.andThen(release.open, Fiber.join(fiber))
})

/** Starts something that waits for a lock of such a transaction, commits that, and answers what the other came to. */
export const overtaken = Effect.fnUntraced(function* <A, E, R, E2, R2>(
  statements: Effect.Effect<unknown, E2, R2>,
  during: Effect.Effect<A, E, R>
) {
  const commit = yield* opened(statements)
  const fiber = yield* Effect.forkChild(Effect.result(during))
  yield* waiting(1)
  yield* commit
  return yield* Fiber.join(fiber)
})

/** Waits until this many sessions of the database of the test wait for a lock. */
export const waiting = Effect.fnUntraced(function* (count: number) {
  const sql = yield* SqlClient.SqlClient
  const waiters = sql<{ readonly pid: number }>`select pid from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`
  return yield* Effect.repeat(waiters, {
    until: (rows) => rows.length >= count,
    schedule: Schedule.spaced("5 millis")
  }).pipe(Effect.timeout("5 seconds"))
})

/** How many different values there are. */
export const unique = (values: ReadonlyArray<unknown>): number => new Set(values).size

/** Ends Deployments as cancelled, all at once. */
export const cancelledTogether = (claims: ReadonlyArray<Claim>) =>
  Effect.forEach(
    claims,
    (claim) => Effect.flatMap(DeploymentStore, (store) => store.finish(claim, { status: "cancelled" })),
    { concurrency: "unbounded" }
  )
