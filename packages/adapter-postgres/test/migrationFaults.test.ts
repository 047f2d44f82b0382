// Migrations that are cut off, held up or late: the next start finishes what was begun, and nobody waits without an end. Each
// test has a database of its own, so that all may wait at the same time.

import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, type Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { describeWith } from "../../../test/harness/capability.ts"
import * as Database from "../../../test/harness/database.ts"
import { pgbouncer } from "../../../test/harness/pgbouncer.ts"
import { type StatementProxy, statementProxy } from "../../../test/harness/statementProxy.ts"
import { layer, layerClient } from "../src/layer.ts"
import { apply, inspect, type Migration, migrations } from "../src/PostgresMigrations.ts"
import { dumpSchema } from "./support/dumpSchema.ts"
import { nothingIsLeft } from "./support/proxied.ts"
import { cipher, opened } from "./support/stores.ts"

const isWhole = process.env["SOAK"] === "1"

const clientOf = (url: Redacted.Redacted<string>) => Layer.fresh(layerClient({ url, maxConnections: 1 }))

/** A test on a fresh, empty database, with a client of its own and a proxy for those that something befalls. */
const onEmpty = <A, E>(
  body: (proxy: StatementProxy) => Effect.Effect<A, E, SqlClient.SqlClient | Database.TestDatabase | Scope.Scope>
) =>
  Effect.gen(function* () {
    const { url } = yield* Database.TestDatabase
    const proxy = yield* statementProxy(url)
    return yield* Effect.provide(body(proxy), Layer.fresh(layerClient({ url, maxConnections: 2 })))
  }).pipe(Effect.scoped, Effect.provide(Layer.fresh(Database.layer)))

const through = <A, E>({ url }: StatementProxy, self: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.provide(self, clientOf(url))

const recorded = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql<{ readonly id: number }>`select id from lockkeeper_migrations order by id`
).pipe(Effect.map((rows) => rows.map(({ id }) => id)))

const ids = migrations.map(({ id }) => id)
const small: ReadonlyArray<Migration> = [
  { id: 1, name: "first", statements: ["create table one (id int)", "create index on one (id)"] },
  { id: 2, name: "second", statements: ["create table two (id int)"] }
]

/** Cuts the connection of whoever applies at this statement, and starts again. Answers whether there was such a statement. */
const cutAt = (expected: ReadonlyArray<Migration>, at: number, fault: "unsent" | "unanswered", whole: string) =>
  onEmpty((proxy) =>
    Effect.gen(function* () {
      yield* proxy.strike([fault, (_, before) => before === at])
      const first = yield* Effect.result(through(proxy, apply(expected)))
      const [struck] = proxy.struck()
      if (struck === undefined) return false
      const tag = first._tag === "Failure" ? first.failure.reason._tag : "applied"
      assert.include(["Unavailable", "applied"], tag, struck)
      yield* nothingIsLeft
      yield* apply(expected)
      assert.deepStrictEqual(
        yield* recorded,
        expected.map(({ id }) => id),
        struck
      )
      assert.strictEqual(yield* dumpSchema, whole, struck)
      return true
    })
  )

const cutAtEach = Effect.fnUntraced(function* (expected: ReadonlyArray<Migration>, every: number) {
  const whole = yield* onEmpty(() => Effect.andThen(apply(expected), dumpSchema))
  for (const fault of ["unsent", "unanswered"] as const) {
    let at = 0
    while (yield* cutAt(expected, at, fault, whole)) at += every
    assert.isAbove(at, 5)
  }
})

describe.concurrent("migrations that are cut off", () => {
  it.live("K10 INV-14: at any statement are finished by the next start, each once", () => cutAtEach(small, 1), 120_000)

  it.live("K10 INV-14: at statements of the real ones too", () => cutAtEach(migrations, isWhole ? 1 : 61), 600_000)
})

describe.concurrent("migrations and those who wait", () => {
  it.live("K10: a start on a schema that is up to date is one round trip", () =>
    onEmpty((proxy) =>
      Effect.gen(function* () {
        yield* apply()
        yield* proxy.strike()
        assert.deepStrictEqual(yield* through(proxy, apply()), [])
        assert.lengthOf(proxy.statements(), 1)
        yield* proxy.strike()
        yield* Effect.scoped(Layer.build(Layer.provide(layer({ url: proxy.url, migrate: "apply" }), cipher)))
        assert.lengthOf(proxy.statements(), 1)
      })
    )
  )

  it.live("K10 INV-14: who never gets its turn says so in time, and holds no session while it waits", () =>
    onEmpty((proxy) =>
      Effect.gen(function* () {
        yield* apply([])
        yield* apply(small.slice(0, 1))
        const sql = yield* SqlClient.SqlClient
        const release = yield* opened(sql`lock table lockkeeper_migrations in exclusive mode`)
        const waiting = yield* Effect.forkChild(
          Effect.timed(Effect.flip(through(proxy, apply(small, { patience: "2 seconds" }))))
        )
        yield* Effect.sleep("1 second")
        const held = sql`select pid from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`
        assert.deepStrictEqual(yield* held, [])
        const [took, error] = yield* Fiber.join(waiting)
        assert.deepStrictEqual(error.reason, { _tag: "Busy", seconds: 2 })
        assert.isBelow(Duration.toMillis(took), 4_000)
        yield* release
        assert.deepStrictEqual(yield* apply(small), [2])
      })
    )
  )

  it.live("K10: what somebody else uses for a moment is changed once it is free", () =>
    onEmpty((proxy) =>
      Effect.gen(function* () {
        yield* apply(small.slice(0, 1))
        const sql = yield* SqlClient.SqlClient
        const release = yield* opened(sql`lock table one in access share mode`)
        const altering = { id: 3, name: "third", statements: ["alter table one add column name text"] }
        const applying = yield* Effect.forkChild(through(proxy, apply([altering])))
        yield* Effect.sleep("6 seconds")
        assert.isUndefined(applying.pollUnsafe())
        yield* release
        assert.deepStrictEqual(yield* Fiber.join(applying), [3])
      })
    )
  )

  it.live("K10: a server that does not answer is not waited for without an end", () =>
    onEmpty((proxy) =>
      Effect.gen(function* () {
        yield* proxy.strike(["late", () => true])
        const error = yield* Effect.flip(through(proxy, apply(small, { patience: "1 second" })))
        assert.strictEqual(error.reason._tag, "Busy")
        assert.strictEqual((yield* inspect(small)).version, 0)
      })
    )
  )
})

describe.concurrent("schema", () => {
  it.live("U10 INV-14: is the same whether the migrations came together, or one by one", () =>
    Effect.gen(function* () {
      const together = yield* onEmpty(() => Effect.andThen(apply(), dumpSchema))
      const stepwise = yield* onEmpty(() =>
        Effect.gen(function* () {
          for (const id of ids) {
            assert.deepStrictEqual(yield* apply(migrations.filter((migration) => migration.id <= id)), [id])
          }
          assert.deepStrictEqual(yield* recorded, ids)
          return yield* dumpSchema
        })
      )
      assert.strictEqual(stepwise, together)
    })
  )
})

describeWith("pgbouncer")("migrations behind PgBouncer", () => {
  it.live("K11 INV-14: let one in at a time, where a lock of the session lets in two", () =>
    onEmpty(() =>
      Effect.gen(function* () {
        yield* apply(small.slice(0, 1))
        const { url } = yield* pgbouncer((yield* Database.TestDatabase).url, 2)
        const ofSession = Effect.flatMap(
          SqlClient.SqlClient,
          (sql) => sql<{ readonly locked: boolean }>`select pg_try_advisory_lock(42) as locked`
        )
        const [first, second] = [yield* Layer.build(clientOf(url)), yield* Layer.build(clientOf(url))]
        for (const client of [first, second]) {
          assert.deepStrictEqual(yield* Effect.provideContext(ofSession, client), [{ locked: true }])
        }

        const locking = Effect.flatMap(SqlClient.SqlClient, (sql) =>
          opened(sql`lock table lockkeeper_migrations in exclusive mode`)
        )
        const release = yield* Effect.provideContext(locking, first)
        const other = Effect.provideContext(apply(small, { patience: "1 second" }), second)
        assert.strictEqual((yield* Effect.flip(other)).reason._tag, "Busy")
        yield* release
        assert.deepStrictEqual(yield* Effect.provideContext(apply(small), second), [2])
      })
    )
  )
})
