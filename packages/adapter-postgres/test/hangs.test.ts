// A server that is there and does not answer: the port answers in its time, whatever the server does, and the caller's
// clock alone decides. What hangs is ended in the background.

import { assert, layer } from "@effect/vitest"
import type { App } from "@lockkeeper/core/domain/App"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Duration, Effect, Fiber, Layer, Result } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { TestDatabase } from "../../../test/harness/database.ts"
import { postgresProxy } from "../../../test/harness/postgresProxy.ts"
import { layer as layerPostgres, type Stores } from "../src/layer.ts"
import { cipher, stores } from "./support/stores.ts"

/** Runs an effect while the clock moves on; real time passes only as the network needs it. */
const timed = Effect.fnUntraced(function* <A, E, R>(self: Effect.Effect<A, E, R>, by: Duration.Input) {
  const fiber = yield* Effect.forkChild(Effect.flip(self), { startImmediately: true })
  yield* TestClock.withLive(Effect.sleep("200 millis"))
  yield* TestClock.adjust(by)
  const [duration, error] = yield* TestClock.withLive(Effect.timed(Fiber.join(fiber)))
  assert.isBelow(Duration.toMillis(duration), 500)
  return error instanceof StoreError ? error.reason : assert.fail(`it failed with ${String(error)}`)
})

layer(stores())("a server that does not answer", (it) => {
  it.effect("does not keep a caller longer than ten seconds for a statement and twenty for a transaction", () =>
    Effect.gen(function* () {
      const app = yield* Given.registered()
      const proxy = yield* postgresProxy((yield* TestDatabase).url)
      const through = layerPostgres({ url: proxy.url, migrate: "apply" }).pipe(Layer.provide(cipher))
      yield* Effect.gen(function* () {
        const envs = yield* EnvStore
        yield* envs.read(app.id)
        yield* proxy.stall
        assert.strictEqual(yield* timed(envs.read(app.id), "11 seconds"), "unavailable")
        assert.strictEqual(yield* timed(Given.begun(app), "21 seconds"), "unavailable")
        yield* proxy.resume
        // What cancelled the statement that hung may reach the server late, and end the next one of its connection.
        const begun = Effect.retry(Given.begun(app), { times: 5 })
        assert.strictEqual((yield* begun).number, 1)
      }).pipe(Effect.provide(through))
    })
  )

  for (const [what, call] of [
    ["a transaction", (app: App): Effect.Effect<unknown, unknown, Stores> => Given.begun(app)],
    [
      "a statement",
      (app: App): Effect.Effect<unknown, unknown, Stores> => Effect.flatMap(EnvStore, (envs) => envs.read(app.id))
    ]
  ] as const) {
    it.effect(`and whose end of the connection is gone does not keep its place in the pool: ${what}`, () =>
      Effect.gen(function* () {
        const app = yield* Given.registered()
        const proxy = yield* postgresProxy((yield* TestDatabase).url)
        const through = layerPostgres({ url: proxy.url, migrate: "apply", maxConnections: 1 })
        yield* Effect.gen(function* () {
          yield* (yield* EnvStore).read(app.id)
          yield* proxy.halve("server")
          assert.strictEqual(yield* timed(call(app), "21 seconds"), "unavailable")
          yield* TestClock.withLive(Effect.timeout(Given.begun(app), "9 seconds"))
        }).pipe(Effect.provide(Layer.provide(through, cipher)))
      })
    )
  }

  it.effect(
    "and whose end is gone before it answers a COMMIT does not keep the place of the connection in the pool",
    () =>
      Effect.gen(function* () {
        const app = yield* Given.registered()
        const proxy = yield* postgresProxy((yield* TestDatabase).url)
        const through = layerPostgres({ url: proxy.url, migrate: "apply", maxConnections: 1 })
        yield* Effect.gen(function* () {
          yield* proxy.cutAtCommit("silent")
          assert.strictEqual(yield* timed(Given.begun(app), "21 seconds"), "unavailable")
          yield* TestClock.adjust("1 minute")
          const next = yield* TestClock.withLive(Effect.timeout(Effect.result(Given.begun(app)), "9 seconds"))
          assert.isTrue(Result.isFailure(next) && next.failure._tag === "DeploymentRefused")
        }).pipe(Effect.provide(Layer.provide(through, cipher)))
      })
  )

  it.effect("does not keep a caller while it commits: whether it did is unknown then, and seen later", () =>
    Effect.gen(function* () {
      const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
      const app = yield* Given.registered()
      yield* sql`create function dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(2); return null; end'`
      yield* sql`create constraint trigger dawdle after insert on deployments deferrable initially deferred
        for each row execute function dawdle()`
      assert.strictEqual(yield* timed(Given.begun(app), "21 seconds"), "unavailable")
      yield* TestClock.withLive(Effect.sleep("3 seconds"))
      assert.lengthOf((yield* deployments.list(app.id, { limit: 2 })).items, 1)
    })
  )
})
