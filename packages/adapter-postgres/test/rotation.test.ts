// A key is replaced while the stores are used: nothing is lost, nothing is overwritten, and who lacks a key fails closed.

import { assert, describe, it } from "@effect/vitest"
import { Revision } from "@lockkeeper/core/domain/Env"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { SealedSecrets } from "@lockkeeper/core/port/SealedSecrets"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { rotateSecrets } from "@lockkeeper/core/program/rotateSecrets"
import { faults, pointsOf, runWithFault } from "@lockkeeper/core/testing/everyFailpoint"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Fiber, Latch, Layer, Logger } from "effect"
import { SqlClient } from "effect/sql"
import { inspect } from "node:util"
import { sealedColumns, shortLived, unsealed } from "../src/internal/sealedColumns.ts"
import * as PostgresSealedSecrets from "../src/PostgresSealedSecrets.ts"
import {
  beginningOf,
  bytesOfAll,
  canary,
  cipherOf,
  fails,
  locked,
  readsEverything,
  sealedEverywhere,
  sourceOf,
  under
} from "./support/rotating.ts"
import { stores, storesUnder } from "./support/stores.ts"

/** A test has a database of its own, so that nothing else is sealed there. */
const database = Layer.fresh(stores())

describe("a key of the SecretCipher", () => {
  it.live("X8: no sealed column is unknown to rotation: each bytea of the schema is listed, with its primary key", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const columns = yield* sql<{ name: string }>`select table_name || '.' || column_name as name
        from information_schema.columns where table_schema = 'public' and data_type = 'bytea'`
      const listed = [...sealedColumns.map(({ column, table }) => `${table}.${column}`), ...shortLived, ...unsealed]
      assert.deepStrictEqual(listed.sort(), columns.map(({ name }) => name).sort())
      for (const { key, table } of sealedColumns) {
        const [found] = yield* sql<{
          key: ReadonlyArray<string>
        }>`select array_agg(a.attname::text order by k.nth) as key
          from pg_index i cross join unnest(i.indkey) with ordinality k (attnum, nth)
            join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
          where i.indrelid = ${table}::regclass and i.indisprimary`
        assert.deepStrictEqual(found?.key, [...key], table)
      }
    }).pipe(Effect.provide(database))
  )

  it.live("X8 B12: is replaced: all is sealed again at its place, and read without the old key", () =>
    Effect.gen(function* () {
      const given = yield* under(yield* storesUnder(21))(sealedEverywhere)
      const before = yield* bytesOfAll
      const rotated = yield* under(yield* storesUnder(22, 21))(rotateSecrets())
      assert.deepStrictEqual([rotated.resealed, rotated.left], [before.size, 0])
      const after = yield* bytesOfAll
      assert.sameMembers([...after.keys()], [...before.keys()])
      for (const [place, bytes] of before) assert.notStrictEqual(after.get(place), bytes, place)
      yield* under(yield* storesUnder(22))(readsEverything(given))
      yield* under(yield* storesUnder(21))(fails(Effect.flatMap(EnvStore, (envs) => envs.read(given.app.id))))
    }).pipe(Effect.provide(database))
  )

  it.live("X8 B12: without which something was sealed: nothing is read, decided from or overwritten", () =>
    Effect.gen(function* () {
      const { app } = yield* under(yield* storesUnder(24, 23))(sealedEverywhere)
      const other = yield* under(yield* storesUnder(24, 23))(Given.registered({ source: sourceOf("other") }))
      const before = yield* bytesOfAll
      const old = under(yield* storesUnder(23))
      yield* old(fails(Effect.flatMap(EnvStore, (envs) => envs.read(app.id))))
      yield* old(fails(Effect.flatMap(EnvStore, (envs) => envs.readAt(app.id, Revision.make(1)))))
      yield* old(fails(Given.revised(app, { NEW: "value" })))
      yield* old(fails(Given.begun(other)))
      assert.deepStrictEqual(yield* bytesOfAll, before)
    }).pipe(Effect.provide(database))
  )

  it.live("X8 B12: that is a wrong one changes nothing: all is told as unreadable, by its place, and left", () =>
    Effect.gen(function* () {
      const { app } = yield* under(yield* storesUnder(25))(sealedEverywhere)
      const before = yield* bytesOfAll
      const said: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => void said.push(message))])
      const wrong = yield* under(yield* storesUnder(26, 27))(Effect.provide(rotateSecrets(), logger))
      assert.deepInclude(wrong, { resealed: 0, unreadable: before.size, left: before.size })
      assert.includeDeepMembers([...wrong.examples], [{ place: `app/${app.id}/source`, reason: "unknown-key" }])
      assert.deepStrictEqual(yield* bytesOfAll, before)
      assert.notInclude(inspect([wrong, said], { depth: 10 }), canary)
    }).pipe(Effect.provide(database))
  )

  it.live("X8 B12: a damaged value is told, stays to the byte, and holds nothing up", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const given = yield* under(yield* storesUnder(28))(sealedEverywhere)
      const bad = yield* under(yield* storesUnder(28))(sealedEverywhere)
      yield* sql`update apps set source_secret = set_byte(source_secret, 30, get_byte(source_secret, 30) # 1)
        where id = ${bad.app.id}`
      const place = `app/${bad.app.id}/source`
      const before = yield* bytesOfAll
      const rotated = yield* under(yield* storesUnder(29, 28))(rotateSecrets())
      assert.deepStrictEqual(rotated.examples, [{ place, reason: "damaged" }])
      assert.deepInclude(rotated, { resealed: before.size - 1, unreadable: 1, left: 1 })
      assert.strictEqual((yield* bytesOfAll).get(place), before.get(place))
      yield* under(yield* storesUnder(29))(readsEverything(given))
    }).pipe(Effect.provide(database))
  )

  it.live("X8 INV-5: is replaced under many who change Envs and Sources meanwhile: nothing of theirs is lost", () =>
    Effect.gen(function* () {
      const before = yield* storesUnder(30)
      const apps = yield* Effect.forEach(Array.from({ length: 4 }), () =>
        under(before)(Given.registered({ source: sourceOf("first") }))
      )
      const [old, both, other] = [yield* storesUnder(30, 31), yield* storesUnder(31, 30), yield* storesUnder(31, 30)]
      const turns = Array.from({ length: 12 }, (_, index) => index)
      const writes = apps.flatMap((app) =>
        turns.map((turn) =>
          Effect.gen(function* () {
            yield* Given.revised(app, { [`KEY_${turn}`]: `${canary} ${turn}` })
            yield* (yield* AppStore).change(app.id, { source: sourceOf(`${turn}`) })
          }).pipe(under(turn % 2 === 0 ? old : both))
        )
      )
      const rotating = Effect.forkChild(Effect.forever(under(other)(rotateSecrets())))
      const fibers = [yield* rotating, yield* rotating]
      yield* Effect.all(writes, { concurrency: 8 })
      yield* Fiber.interruptAll(fibers)

      assert.strictEqual((yield* under(both)(rotateSecrets())).left, 0)
      const now = yield* storesUnder(31)
      for (const app of apps) {
        const { env, revision } = yield* under(now)(Effect.flatMap(EnvStore, (envs) => envs.read(app.id)))
        assert.strictEqual(revision, turns.length)
        assert.deepStrictEqual(
          Given.plain(env),
          Object.fromEntries(turns.map((turn) => [`KEY_${turn}`, `${canary} ${turn}`]).sort())
        )
        for (const turn of turns) {
          yield* under(now)(Effect.flatMap(EnvStore, (envs) => envs.readAt(app.id, Revision.make(turn + 1))))
        }
        const claim = yield* under(now)(Effect.flatMap(Given.begun(app), ({ id }) => Given.admission(id)))
        assert.strictEqual(claim?.source.type, "git")
      }
    }).pipe(Effect.provide(database))
  )

  it.live("X8: two replicas that replace it at once seal each value again once", () =>
    Effect.gen(function* () {
      const given = yield* Effect.forEach(Array.from({ length: 10 }), () => sealedEverywhere).pipe(
        under(yield* storesUnder(31))
      )
      const [one, two] = [yield* storesUnder(32, 31), yield* storesUnder(32, 31)]
      const before = yield* bytesOfAll
      const runs = yield* Effect.all([under(one)(rotateSecrets()), under(two)(rotateSecrets())], { concurrency: 2 })
      assert.strictEqual(runs[0].resealed + runs[1].resealed, before.size)
      assert.deepStrictEqual(
        runs.map(({ left }) => left),
        [0, 0]
      )
      for (const each of given) yield* under(yield* storesUnder(32))(readsEverything(each))
    }).pipe(Effect.provide(database))
  )

  it.live(
    "X8: what somebody has locked is passed over at once, held up by nobody, and sealed again when it is free",
    () =>
      Effect.gen(function* () {
        const { app } = yield* under(yield* storesUnder(32))(sealedEverywhere)
        const both = yield* storesUnder(33, 32)
        const free = yield* locked(app)
        const look = Effect.flatMap(SealedSecrets, (secrets) => secrets.reseal({ limit: 1_000 }))
        const all = yield* Effect.timeout(under(both)(look), "2 seconds")
        assert.deepStrictEqual(all.unreadable, [])
        assert.include((yield* bytesOfAll).get(`app/${app.id}/source`), yield* beginningOf(32))
        const rotating = yield* Effect.forkChild(under(both)(rotateSecrets()))
        yield* Effect.sleep("500 millis")
        assert.isUndefined(rotating.pollUnsafe())
        yield* free
        assert.strictEqual((yield* Fiber.join(rotating)).left, 0)
        assert.include((yield* bytesOfAll).get(`app/${app.id}/source`), yield* beginningOf(33))
      }).pipe(Effect.provide(database))
  )

  it.live("X8: what its store replaces between the look and the write stays as the store wrote it", () =>
    Effect.gen(function* () {
      const { app } = yield* under(yield* storesUnder(33))(sealedEverywhere)
      const cipher = yield* cipherOf(34, 33)
      const [looked, goOn] = [yield* Latch.make(), yield* Latch.make()]
      const slow = SecretCipher.of({
        ...cipher,
        reseal: (sealed, place) =>
          Effect.tap(cipher.reseal(sealed, place), () => Effect.andThen(looked.open, goOn.await))
      })
      const secrets = yield* Effect.provideService(PostgresSealedSecrets.make, SecretCipher, slow)
      const rotating = yield* Effect.forkChild(secrets.reseal({ limit: 1_000 }))
      yield* looked.await
      yield* under(yield* storesUnder(33))(
        Effect.flatMap(AppStore, (apps) => apps.change(app.id, { source: sourceOf("meanwhile") }))
      )
      const written = (yield* bytesOfAll).get(`app/${app.id}/source`)
      yield* goOn.open
      yield* Fiber.join(rotating)
      assert.strictEqual((yield* bytesOfAll).get(`app/${app.id}/source`), written)
      assert.strictEqual((yield* under(yield* storesUnder(34, 33))(rotateSecrets())).left, 0)
    }).pipe(Effect.provide(database))
  )

  it.live("X8 E9: wherever a run is cut off, nothing is lost, and the next one does the rest", () =>
    Effect.gen(function* () {
      const [older, newer] = [yield* storesUnder(34, 35), yield* storesUnder(35, 34)]
      const given = yield* under(newer)(sealedEverywhere)
      const points = yield* pointsOf(under(older)(rotateSecrets()))
      assert.isAbove(points.length, 10)
      const tried = points.filter((_, index) => index % 4 === 0)
      for (const fault of faults) {
        for (const point of tried) {
          yield* under(newer)(rotateSecrets())
          yield* runWithFault(under(older)(rotateSecrets()), point, fault)
          assert.strictEqual((yield* under(older)(rotateSecrets())).left, 0)
        }
      }
      yield* under(yield* storesUnder(34))(readsEverything(given))
    }).pipe(Effect.provide(database))
  )
})
