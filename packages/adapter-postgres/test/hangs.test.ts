// A server that is there and does not answer: the port answers in its time, whatever the server does, and the caller's
// clock alone decides. What hangs is ended in the background.

import { assert, layer } from "@effect/vitest"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Duration, Effect, Fiber, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { TestDatabase } from "../../../test/harness/database.ts"
import { tcpProxy } from "../../../test/harness/tcpProxy.ts"
import { layer as layerPostgres } from "../src/layer.ts"
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
      const url = new URL(Redacted.value((yield* TestDatabase).url))
      const proxy = yield* tcpProxy({ host: url.hostname, port: Number(url.port) })
      url.port = String(proxy.port)
      const through = layerPostgres({ url: Redacted.make(url.toString()), migrate: "apply" }).pipe(
        Layer.provide(cipher)
      )
      yield* Effect.gen(function* () {
        const envs = yield* EnvStore
        yield* Given.revised(app, { A: "1" })
        yield* proxy.stall
        assert.strictEqual(yield* timed(envs.read(app.id), "11 seconds"), "unavailable")
        assert.strictEqual(yield* timed(Given.revised(app, { A: "2" }), "21 seconds"), "unavailable")
        yield* proxy.resume
        assert.strictEqual(Number((yield* Given.revised(app, { A: "3" })).revision), 2)
      }).pipe(Effect.provide(through))
    })
  )

  it.effect("does not keep a caller while it commits: whether it did is unknown then, and seen later", () =>
    Effect.gen(function* () {
      const [envs, sql] = [yield* EnvStore, yield* SqlClient.SqlClient]
      const app = yield* Given.registered()
      yield* sql`create function dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(2); return null; end'`
      yield* sql`create constraint trigger dawdle after insert on env_revisions deferrable initially deferred
        for each row execute function dawdle()`
      assert.strictEqual(yield* timed(Given.revised(app, { A: "1" }), "21 seconds"), "unavailable")
      yield* TestClock.withLive(Effect.sleep("3 seconds"))
      assert.strictEqual(Number((yield* envs.read(app.id)).revision), 1)
    })
  )
})
