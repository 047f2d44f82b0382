// Processes that migrate one database at once, and those that are killed while they do. With SOAK=1 eight of them twenty
// times, and killed at every statement.

import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { layerClient } from "@lockkeeper/adapter-postgres/layer"
import { apply, migrations } from "@lockkeeper/adapter-postgres/PostgresMigrations"
import { dumpSchema } from "../../packages/adapter-postgres/test/support/dumpSchema.ts"
import { describeWith } from "../harness/capability.ts"
import * as Database from "../harness/database.ts"
import { pgbouncer } from "../harness/pgbouncer.ts"
import { launch } from "../harness/server.ts"
import { statementProxy } from "../harness/statementProxy.ts"

vi.setConfig({ testTimeout: 1_200_000 })

const isWhole = process.env["SOAK"] === "1"
const [processes, rounds] = isWhole ? [8, 20] : [4, 1]

const ids = migrations.map(({ id }) => id)

/** Runs it on an empty database of its own, with a client beside the processes. */
const onEmpty = <A, E>(body: Effect.Effect<A, E, SqlClient.SqlClient | Database.TestDatabase | Scope.Scope>) =>
  Effect.flatMap(Database.TestDatabase, ({ url }) =>
    Effect.provide(body, Layer.fresh(layerClient({ url, maxConnections: 2 })))
  ).pipe(Effect.scoped, Effect.provide(Layer.fresh(Database.layer)))

/** A process that migrates. */
const migrating = (url: Redacted.Redacted<string>) =>
  launch({ PATH: process.env["PATH"] ?? "", DATABASE_URL: Redacted.value(url) }, ["examples/migrate.ts"])

/** What such a process came to. */
const migrated = Effect.fnUntraced(function* (url: Redacted.Redacted<string>) {
  const process = yield* migrating(url)
  const { code } = yield* process.exited
  const [, applied = ""] = /^applied: (.*)$/m.exec(process.output()) ?? []
  return { code, output: process.output(), applied: applied === "" ? [] : applied.split(", ").map(Number) }
})

const whole = onEmpty(Effect.andThen(apply(), dumpSchema))

/** Every migration is there once, all of the schema, and no lock. */
const isWholeSchema = Effect.fnUntraced(function* (schema: string) {
  const sql = yield* SqlClient.SqlClient
  const recorded = yield* sql<{ readonly id: number }>`select id from lockkeeper_migrations order by id`
  assert.deepStrictEqual(
    recorded.map(({ id }) => id),
    ids
  )
  assert.strictEqual(yield* dumpSchema, schema)
  const here = sql`(select oid from pg_database where datname = current_database())`
  assert.deepStrictEqual(
    yield* sql`select locktype from pg_locks where locktype = 'advisory' and database = ${here}`,
    []
  )
})

const raced = Effect.fnUntraced(function* (url: Redacted.Redacted<string>, schema: string) {
  const all = yield* Effect.all(
    Array.from({ length: processes }, () => migrated(url)),
    { concurrency: "unbounded" }
  )
  for (const { code, output } of all) assert.strictEqual(code, 0, output)
  assert.deepStrictEqual(
    all.flatMap(({ applied }) => applied),
    ids
  )
  yield* isWholeSchema(schema)
})

describe("processes that migrate an empty database at once", () => {
  it.live("K10 INV-14: all end well, and each migration is applied by one of them", () =>
    Effect.gen(function* () {
      const schema = yield* whole
      for (let round = 0; round < rounds; round++) {
        yield* onEmpty(Effect.flatMap(Database.TestDatabase, ({ url }) => raced(url, schema)))
      }
    })
  )
})

describeWith("pgbouncer")("processes that migrate an empty database at once through PgBouncer", () => {
  it.live("K10 K11 INV-14: with two connections for all, all end well, and each migration is applied by one", () =>
    Effect.gen(function* () {
      const schema = yield* whole
      for (let round = 0; round < rounds; round++) {
        yield* onEmpty(
          Effect.gen(function* () {
            const { url } = yield* pgbouncer((yield* Database.TestDatabase).url, 2)
            yield* raced(url, schema)
          })
        )
      }
    })
  )
})

describe("a process that migrates", () => {
  it.live("K10 INV-14: is killed at a statement, and the next one finishes it at once", () =>
    Effect.gen(function* () {
      const schema = yield* whole
      const killedAt = (at: number) =>
        onEmpty(
          Effect.gen(function* () {
            const { url } = yield* Database.TestDatabase
            const proxy = yield* statementProxy(url)
            let kill = (): void => undefined
            yield* proxy.strike([
              "unanswered",
              (_, before) => {
                if (before !== at) return false
                kill()
                return true
              }
            ])
            const first = yield* migrating(proxy.url)
            kill = () => void process.kill(first.pid, "SIGKILL")
            const { signal } = yield* first.exited
            if (proxy.struck().length === 0) return false
            assert.strictEqual(signal, "SIGKILL")
            const next = yield* migrated(url)
            assert.strictEqual(next.code, 0, `${proxy.struck()[0]}: ${next.output}`)
            yield* isWholeSchema(schema)
            return true
          })
        )
      let at = 0
      while (yield* killedAt(at)) at += isWhole ? 1 : 53
      assert.isAbove(at, 50)
    })
  )

  it.live("U10: ends with one line when a migration was edited since it was applied", () =>
    onEmpty(
      Effect.gen(function* () {
        const { url } = yield* Database.TestDatabase
        yield* apply()
        const sql = yield* SqlClient.SqlClient
        yield* sql`update lockkeeper_migrations set checksum = 'another' where id = 2`
        const { code, output } = yield* migrated(url)
        assert.strictEqual(code, 1)
        assert.match(
          output.trim(),
          /^lockkeeper did not migrate: migration 2 was applied as "\w+" with another content$/
        )
      })
    )
  )
})
