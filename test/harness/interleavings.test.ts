// What explores interleavings is itself tried on textbook races: it finds each, and finds nothing once the lock is there.

import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "./database.ts"
import { type Exploration, explorer, type Extent, report } from "./interleavings.ts"

const database = Layer.unwrap(
  Effect.map(Database.TestDatabase, ({ url }) => PgClient.layer({ url, prepare: false }))
).pipe(Layer.provideMerge(Database.layer))

/** The client of the session in which the operation runs. */
const client = Layer.effect(SqlClient.SqlClient, SqlClient.SqlClient)

type Operation = Effect.Effect<unknown, unknown, SqlClient.SqlClient>

type Lock = "" | "for update"

const withSql = <A, E, R>(use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(SqlClient.SqlClient, use)

const transaction = <A, E>(body: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) =>
  withSql((sql) => sql.withTransaction(body(sql)))

const cells = withSql((sql) =>
  Effect.all([
    sql`create table if not exists cells (name text primary key, value int not null)`,
    sql`delete from cells`,
    sql`insert into cells values ('x', 0), ('y', 0)`
  ])
)

const explored = Effect.fnUntraced(function* (a: Operation, b: Operation, extent?: Extent) {
  const rows = withSql((sql) => sql`select name, value from cells order by name`)
  const { explore } = yield* explorer(client)
  return yield* explore({ given: cells, a: () => a, b: () => b, rows: () => rows }, extent)
})

const increment = (lock: Lock) =>
  transaction((sql) =>
    Effect.flatMap(
      sql<{ readonly value: number }>`select value from cells where name = 'x' ${sql.literal(lock)}`,
      ([row]) => sql`update cells set value = ${(row?.value ?? 0) + 1} where name = 'x'`
    )
  )

const take = (name: string, lock: Lock) =>
  transaction((sql) =>
    Effect.gen(function* () {
      if (lock !== "") yield* sql`select from cells where name = 'x' for update`
      const isFree = (yield* sql`select from cells`).length < 3
      if (isFree) yield* sql`insert into cells values (${name}, 1)`
      return isFree ? "taken" : "full"
    })
  )

const touch = (...order: ReadonlyArray<string>) =>
  transaction((sql) =>
    Effect.forEach(order, (name) => sql`update cells set value = value + 1 where name = ${name}`, { discard: true })
  )

const schedules = ({ offending }: Exploration) => offending.map(({ schedule }) => schedule)

/** How many orders there are, and how many of them come to what neither order of the operations comes to. */
const counts = ({ isComplete, offending, total, tried }: Exploration) => {
  assert.isTrue(isComplete)
  assert.strictEqual(tried, total)
  return [total, offending.length]
}

layer(database, { excludeTestServices: true })("interleavings", (it) => {
  it.effect("a lost update is found wherever both read before one commits, and not where the row is locked", () =>
    Effect.gen(function* () {
      const found = yield* explored(increment(""), increment(""))
      assert.deepStrictEqual(counts(found), [14, 12])
      const text = report(found)
      assert.include(text, '12 of 14 orders come to what neither order of the operations comes to; order "AABA":')
      assert.include(text, "\n  A  update cells set value = $1 where name = 'x'\n  B  select value from cells where")
      assert.include(text, 'both orders: {"a":[],"b":[],"rows":[{"name":"x","value":2}')
      assert.deepStrictEqual(counts(yield* explored(increment("for update"), increment("for update"))), [6, 0])
    })
  )

  it.effect(
    "two that count what is there before they add are found to exceed the limit, and not where they queue",
    () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(counts(yield* explored(take("a", ""), take("b", ""))), [20, 18])
        const right = yield* explored(take("a", "for update"), take("b", "for update"))
        assert.deepStrictEqual(counts(right), [8, 0])
        assert.deepStrictEqual(
          right.explained,
          new Map([
            ["A then B", 4],
            ["B then A", 4]
          ])
        )
      })
  )

  it.effect(
    "two that lock the same rows in another order are found to deadlock, and not where the order is the same",
    () =>
      Effect.gen(function* () {
        const found = yield* explored(touch("x", "y"), touch("y", "x"))
        assert.deepStrictEqual(counts(found), [12, 8])
        for (const { outcome, steps } of found.offending) {
          assert.include(outcome, "DeadlockError")
          assert.match(steps.join("\n"), /waits for a lock/)
        }
        assert.deepStrictEqual(counts(yield* explored(touch("x", "y"), touch("x", "y"))), [6, 0])
      })
  )

  it.effect("an order that was found can be run again alone", () =>
    Effect.gen(function* () {
      const found = yield* explored(increment(""), increment(""), { only: "ABBA" })
      assert.deepStrictEqual([found.tried, schedules(found)], [1, ["ABBA"]])
    })
  )

  it.effect("a sample depends on its seed alone, tries no order twice and says about how many there are", () =>
    Effect.gen(function* () {
      const sample = (seed: number, limit: number) => explored(increment(""), increment(""), { limit, seed })
      const [one, same, other] = [yield* sample(7, 6), yield* sample(7, 6), yield* sample(8, 6)]
      assert.deepStrictEqual(schedules(one), schedules(same))
      assert.notDeepEqual(schedules(one), schedules(other))
      assert.strictEqual(one.tried, 6)
      assert.isFalse(one.isComplete)
      assert.closeTo(one.total, 14, 4)
      const all = yield* sample(9, 100)
      assert.deepStrictEqual(counts(all), [14, 12])
      assert.strictEqual(new Set(schedules(all)).size, 12)
    })
  )

  it.effect("who gives way is tolerated where that is listed, and only then", () =>
    Effect.gen(function* () {
      const { explore } = yield* explorer(client)
      const skipping = transaction((sql) =>
        Effect.map(
          sql`update cells set value = value + 1
            where name = (select name from cells where name = 'x' for update skip locked)`,
          () => "done"
        )
      )
      const meeting = {
        given: cells,
        a: () => touch("x", "y"),
        b: () => skipping,
        rows: () => withSql((sql) => sql`select name, value from cells order by name`)
      }
      assert.strictEqual((yield* explore(meeting)).offending.length, 5)
      const because = "a locked row is passed by"
      const tolerant = yield* explore({ ...meeting, tolerated: [{ who: "B", answer: "done", because }] })
      assert.deepStrictEqual([schedules(tolerant), tolerant.explained.get(because)], [[], 5])
    })
  )
})
