// Somebody stops waiting for a change of an Env, or the store is closed while many wait: what was not sent is never written,
// what was sent is waited for, and nothing is left at the database.

import { assert, layer } from "@effect/vitest"
import type { App } from "@lockkeeper/core/domain/App"
import type { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { type FailpointReaction, Failpoints } from "@lockkeeper/core/port/failpoint"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { makeHold } from "@lockkeeper/core/testing/Reaction"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Result, Scope } from "effect"
import { SqlClient } from "effect/sql"
import { TestDatabase } from "../../../test/harness/database.ts"
import { replayed } from "../../../test/harness/envReplay.ts"
import { layerClient, layerStores } from "../src/layer.ts"
import { envWays, held, onWay, type Replica } from "./support/envWays.ts"
import { nothingIsLeft } from "./support/proxied.ts"
import { cipher, opened, replicas, stores, waiting } from "./support/stores.ts"

const set = (app: App, key: string, own: Replica) => Effect.provideContext(Given.revised(app, { [key]: "1" }), own)

const keysOf = (app: App) =>
  Effect.map(replayed(app.id), ({ texts }) => {
    const env: object = JSON.parse(texts.at(-1) ?? "")
    return Object.keys(env).filter((key) => !key.startsWith("BEFORE"))
  })

const rowOf = (app: App) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => opened(sql`select 1 from apps where id = ${app.id} for update`))

/** Holds the first call of the database, before or after it is done. */
const holdFirst = Effect.fnUntraced(function* (when: "before" | "after") {
  // Whoever changed an Env last still ends its flush, and what comes meanwhile would be flushed in its name.
  yield* Effect.sleep("5 millis")
  const hold = yield* makeHold
  let calls = 0
  const react: FailpointReaction = (_point, effect, refuse) =>
    Effect.suspend(() => (++calls === 1 ? hold[when](effect, refuse) : effect))
  return { ...hold, at: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.provideService(self, Failpoints, react) }
})

/** Interrupts, and answers whether that had ended after a while. */
const interrupting = Effect.fnUntraced(function* <A, E>(fiber: Fiber.Fiber<A, E>) {
  const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber))
  const soon = Fiber.join(interruption).pipe(Effect.timeoutOption("150 millis"))
  return { interruption, hasEnded: (yield* Effect.map(soon, ({ _tag }) => _tag)) === "Some" }
})

layer(stores(), { excludeTestServices: true })("a change of an Env", (it) => {
  for (const way of envWays) {
    it.effect(
      `H24 INV-5: that waits for the App's row, on the ${way.name} way, and is interrupted, is never written`,
      () =>
        Effect.gen(function* () {
          const [own, other] = yield* replicas()
          const app = yield* onWay(way, own, other)
          const release = yield* rowOf(app)
          const lost = yield* Effect.forkChild(set(app, "LOST", own))
          yield* waiting(1)
          const [took] = yield* Effect.timed(Fiber.interrupt(lost))
          assert.isBelow(Duration.toMillis(took), 1_000)
          yield* release
          yield* nothingIsLeft
          yield* set(app, "NEXT", own)
          assert.deepStrictEqual(yield* keysOf(app), ["NEXT"])
        })
    )
  }

  it.effect("H24: of ten that wait for one row, those that are interrupted are not written, and all others are", () =>
    Effect.gen(function* () {
      const [own, other] = yield* replicas()
      const app = yield* onWay(held, own, other)
      const release = yield* rowOf(app)
      const keys = Array.from({ length: 10 }, (_, index) => `KEY_${index}`)
      const fibers = yield* Effect.forEach(keys, (key) => Effect.forkChild(set(app, key, own)))
      yield* waiting(1)
      yield* Fiber.interruptAll(fibers.filter((_, index) => index % 2 === 0))
      yield* release
      yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber))
      assert.deepStrictEqual(
        yield* keysOf(app),
        keys.filter((_, index) => index % 2 === 1)
      )
    })
  )

  it.effect("H24: that waits for a batch under way and is interrupted is never written, and its neighbour is", () =>
    Effect.gen(function* () {
      const [own, other] = yield* replicas()
      const app = yield* onWay({ name: "free", before: ["own"] }, own, other)
      const hold = yield* holdFirst("before")
      const first = yield* Effect.forkChild(hold.at(set(app, "FIRST", own)))
      yield* hold.reached
      const lost = yield* Effect.forkChild(set(app, "LOST", own), { startImmediately: true })
      const kept = yield* Effect.forkChild(set(app, "KEPT", own), { startImmediately: true })
      assert.isTrue((yield* interrupting(lost)).hasEnded)
      yield* hold.release
      yield* Fiber.join(first)
      yield* Fiber.join(kept)
      assert.deepStrictEqual(yield* keysOf(app), ["FIRST", "KEPT"])
    })
  )

  for (const when of ["before", "after"] as const) {
    it.effect(
      `H24 INV-5: that was sent is waited for when it is interrupted ${when} it is written, and it is written`,
      () =>
        Effect.gen(function* () {
          const [own, other] = yield* replicas()
          const app = yield* onWay({ name: "free", before: ["own"] }, own, other)
          const hold = yield* holdFirst(when)
          const sent = yield* Effect.forkChild(hold.at(set(app, "SENT", own)))
          yield* hold.reached
          const { hasEnded, interruption } = yield* interrupting(sent)
          assert.isFalse(hasEnded)
          yield* hold.release
          yield* Fiber.join(interruption)
          assert.deepStrictEqual(yield* keysOf(app), ["SENT"])
        })
    )
  }

  it.effect("K11: that waits when the store is closed is refused, and no session is busy with it any more", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const scope = yield* Scope.make()
      const own = yield* Layer.buildWithScope(
        layerStores({ migrate: "elsewhere" }).pipe(
          Layer.provide(cipher),
          Layer.provide(layerClient({ url, maxConnections: 4 })),
          Layer.fresh
        ),
        scope
      )
      const other = yield* Effect.context<EnvStore>()
      const apps = yield* Effect.forEach(envWays, (way) => onWay(way, own, other))
      const sql = yield* SqlClient.SqlClient
      const release = yield* opened(
        sql`select 1 from apps where ${sql.in(
          "id",
          apps.map(({ id }) => id)
        )} for update`
      )
      const changes = apps.flatMap((app) => Array.from({ length: 10 }, (_, index) => set(app, `KEY_${index}`, own)))
      const told = yield* Effect.forEach(changes, (change) => Effect.forkChild(Effect.result(change)))
      yield* waiting(3)
      const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
      assert.isBelow(Duration.toMillis(took), 2_000)
      for (const fiber of told) {
        const result = yield* Fiber.join(fiber)
        assert.isTrue(Result.isFailure(result) && result.failure instanceof StoreError, String(result))
      }
      const late = yield* Effect.flip(set(apps[0] ?? assert.fail("an App"), "LATE", own))
      assert.strictEqual(late._tag, "StoreError")
      yield* release
      yield* nothingIsLeft
      for (const app of apps) assert.deepStrictEqual(yield* keysOf(app), [])
    })
  )

  it.effect("K11: that was sent when the store is closed is told as unknown", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { url } = yield* TestDatabase
      const own = yield* Layer.buildWithScope(
        layerStores({ migrate: "elsewhere" }).pipe(
          Layer.provide(cipher),
          Layer.provide(layerClient({ url, maxConnections: 4 })),
          Layer.fresh
        ),
        scope
      )
      const other = yield* Effect.context<EnvStore>()
      const app = yield* onWay({ name: "free", before: ["own"] }, own, other)
      const hold = yield* holdFirst("after")
      const sent = yield* Effect.forkChild(Effect.flip(hold.at(set(app, "SENT", own))))
      yield* hold.reached
      const done = yield* Deferred.make<void>()
      yield* Effect.forkChild(Effect.andThen(Scope.close(scope, Exit.void), Deferred.succeed(done, undefined)))
      const error = yield* Fiber.join(sent)
      assert.isTrue(error instanceof StoreError && error.reason === "unavailable")
      yield* Deferred.await(done)
      assert.deepStrictEqual(yield* keysOf(app), ["SENT"])
    })
  )
})
