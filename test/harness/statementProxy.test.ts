// What the proxy does to a statement is what happened to it: whether the server has run it, and what its client hears.

import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "./database.ts"
import { statementProxy } from "./statementProxy.ts"

const client = Layer.unwrap(
  Effect.map(Database.TestDatabase, ({ url }) => PgClient.layer({ url, maxConnections: 2, prepare: false }))
).pipe(Layer.provideMerge(Database.layer))

const counted = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(sql<{ readonly count: number }>`select count(*)::int as count from seen`, ([row]) => row?.count)
)

/** A table, a proxy, and what inserts a row through it. */
const given = Effect.gen(function* () {
  const [{ url }, sql] = [yield* Database.TestDatabase, yield* SqlClient.SqlClient]
  yield* sql`drop table if exists seen`
  yield* sql`create table seen (at timestamptz)`
  const proxy = yield* statementProxy(url)
  const through = PgClient.layer({ url: proxy.url, maxConnections: 1, prepare: false })
  const insert = Effect.flatMap(SqlClient.SqlClient, (own) => own`insert into seen values (now())`)
  return { proxy, insert: Effect.provide(insert, Layer.fresh(through)) }
})

const isInsert = (statement: string): boolean => statement.startsWith("insert")

layer(client, { excludeTestServices: true })("a statement that goes wrong", (it) => {
  for (const [fault, rows] of [
    ["unsent", 0],
    ["refused", 0],
    ["unanswered", 1]
  ] as const) {
    it.effect(
      `fails and is ${rows === 0 ? "not done" : "done"} when it is ${fault}, and the next one is as usual`,
      () =>
        Effect.gen(function* () {
          const { insert, proxy } = yield* given
          yield* proxy.strike([fault, isInsert])
          assert.isTrue(Result.isFailure(yield* Effect.result(insert)))
          assert.strictEqual(yield* counted, rows)
          assert.lengthOf(proxy.struck(), 1)
          yield* insert
          assert.strictEqual(yield* counted, rows + 1)
        })
    )
  }

  it.effect("that is late is done when it is delivered, though its client has given up", () =>
    Effect.gen(function* () {
      const { insert, proxy } = yield* given
      yield* proxy.strike(["late", isInsert])
      const lost = yield* Effect.forkChild(Effect.ignore(insert))
      yield* Effect.sleep("100 millis")
      assert.strictEqual(yield* counted, 0)
      assert.strictEqual(yield* proxy.deliver, 1)
      assert.strictEqual(yield* counted, 1)
      yield* Effect.sync(() => lost.interruptUnsafe())
    })
  )

  it.effect("is the one that was chosen, and only when what was to go wrong before it has", () =>
    Effect.gen(function* () {
      const { insert, proxy } = yield* given
      yield* proxy.strike(
        ["unanswered", isInsert],
        ["unsent", (statement, before) => isInsert(statement) && before === 1]
      )
      const failed = yield* Effect.forEach([1, 2, 3, 4], () => Effect.map(Effect.result(insert), Result.isFailure))
      assert.deepStrictEqual(failed, [true, false, true, false])
      assert.strictEqual(yield* counted, 3)
    })
  )
})
