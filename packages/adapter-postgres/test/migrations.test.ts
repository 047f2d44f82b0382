// The schema comes once, whole, and from whoever is first; everybody else waits or only looks.

import { assert, describe, it } from "@effect/vitest"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../../test/harness/database.ts"
import { layer, layerClient } from "../src/layer.ts"
import * as PostgresHealth from "../src/PostgresHealth.ts"
import { apply, inspect, type Migration, migrations, schemaVersion, wait } from "../src/PostgresMigrations.ts"
import { unique } from "./support/stores.ts"

const client = (maxConnections = 2) =>
  Layer.unwrap(Effect.map(Database.TestDatabase, ({ url }) => layerClient({ url, maxConnections })))

/** A test on a fresh, empty database. */
const empty = { context: Layer.provideMerge(client(), Database.layer) }

const tables = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<{ name: string }>`select table_name as name from information_schema.tables where table_schema = 'public'`
).pipe(Effect.map((rows) => rows.map(({ name }) => name).sort()))

const first: Migration = { id: 1, name: "first", statements: ["create table one (id int)"] }
const second: Migration = {
  id: 2,
  name: "second",
  statements: ["create table two (id int)", "create index on two (id)"]
}
const third: Migration = { id: 3, name: "third", statements: ["create table three (id int)"] }

describe("migrations", () => {
  it.live("K10 INV-14: of twenty who start at once on an empty database each migration runs exactly once", () =>
    Effect.gen(function* () {
      for (const _ of [1, 2, 3]) {
        yield* Effect.gen(function* () {
          const starts = Array.from({ length: 20 }, () => Effect.provide(apply(), Layer.fresh(client(1))))
          const applied = yield* Effect.all(starts, { concurrency: "unbounded" })
          assert.deepStrictEqual(
            applied.flat(),
            migrations.map(({ id }) => id)
          )
          const sql = yield* SqlClient.SqlClient
          const rows = yield* sql<{ id: number }>`select id from lockkeeper_migrations order by id`
          assert.deepStrictEqual(
            rows.map(({ id }) => id),
            migrations.map(({ id }) => id)
          )
          assert.deepStrictEqual(yield* sql`select locktype from pg_locks where locktype = 'advisory'`, [])
        }).pipe(Effect.provide(Layer.fresh(empty.context)))
      }
    })
  )

  it.live("the ids and names of the migrations are in order and never given twice", () =>
    Effect.sync(() => {
      const ids = migrations.map(({ id }) => id)
      assert.deepStrictEqual(
        ids,
        Array.from({ length: ids.length }, (_, index) => index + 1)
      )
      assert.strictEqual(unique(migrations.map(({ name }) => name)), ids.length)
      assert.strictEqual(schemaVersion, ids.length)
    })
  )

  it.live("one that arrives late is applied though a later one is there, and a second run changes nothing", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* apply([first, third]), [1, 3])
      assert.deepStrictEqual(yield* apply([first, second, third]), [2])
      assert.deepStrictEqual(yield* apply([first, second, third]), [])
      assert.deepStrictEqual(yield* tables, ["lockkeeper_migrations", "one", "three", "two"])
    }).pipe(Effect.provide(empty.context))
  )

  it.live("one that fails is named with its statement, and nothing of what was pending is kept", () =>
    Effect.gen(function* () {
      yield* apply([first])
      const broken = { ...third, statements: ["create table three (id int)", "create table three (id int)"] }
      const { reason } = yield* Effect.flip(apply([first, second, broken]))
      assert.strictEqual(reason._tag, "Failed")
      assert.deepInclude(reason, { migration: 3, statement: 2 })
      assert.deepStrictEqual(yield* tables, ["lockkeeper_migrations", "one"])
      assert.deepStrictEqual(yield* apply([first, second, third]), [2, 3])
    }).pipe(Effect.provide(empty.context))
  )

  it.live("one that was edited after it was applied is refused by name, whoever looks", () =>
    Effect.gen(function* () {
      yield* apply([first])
      const edited = { ...first, statements: ["create table one (id bigint)"] }
      for (const look of [apply([edited, second]), inspect([edited]), wait([edited])]) {
        const { reason } = yield* Effect.flip(look)
        assert.deepStrictEqual(reason, { _tag: "Edited", migration: 1, name: "first" })
      }
      assert.deepStrictEqual(yield* tables, ["lockkeeper_migrations", "one"])
    }).pipe(Effect.provide(empty.context))
  )

  it.live("K13: who waits changes nothing, is not ready and says why, and goes on once somebody applied", () =>
    Effect.gen(function* () {
      const { url } = yield* Database.TestDatabase
      const health = yield* Effect.provide(PostgresHealth.PostgresHealth, PostgresHealth.layer)
      const waiting = yield* Effect.forkChild(
        Effect.flatMap(AppStore, (apps) => apps.list(undefined, { limit: 1 })).pipe(
          Effect.provide(layer({ url, migrate: "wait" }).pipe(Layer.provide(SecretCipher.layerMemory)))
        )
      )
      yield* Effect.sleep("700 millis")
      assert.deepStrictEqual(yield* tables, [])
      assert.isUndefined(waiting.pollUnsafe())
      assert.deepStrictEqual(yield* health.reasons, [{ _tag: "SchemaBehind", expected: schemaVersion, actual: 0 }])

      yield* apply()
      assert.deepStrictEqual((yield* Fiber.join(waiting)).items, [])
      assert.deepStrictEqual(yield* health.reasons, [])
      const sql = yield* SqlClient.SqlClient
      yield* sql`insert into lockkeeper_migrations (id, name, checksum) values (999, 'of a newer version', '')`
      assert.deepStrictEqual(yield* health.reasons, [])
      yield* sql`update lockkeeper_migrations set checksum = '' where id = 1`
      assert.deepStrictEqual(yield* health.reasons, [{ _tag: "SchemaEdited", migration: 1 }])
    }).pipe(Effect.provide(empty.context))
  )

  it.live("who starts on a schema with a newer version beside its own works with it", () =>
    Effect.gen(function* () {
      const { url } = yield* Database.TestDatabase
      yield* apply()
      yield* apply([...migrations, { id: 900, name: "newer", statements: ["alter table apps add column newer text"] }])
      const made = yield* Effect.provide(
        Given.registered(),
        layer({ url, migrate: "apply" }).pipe(Layer.provide(SecretCipher.layerMemory))
      )
      assert.strictEqual(made.status, "live")
    }).pipe(Effect.provide(empty.context))
  )
})
