// Indexes that are built outside of a transaction: by one process at a time, without a start that waits for them, and
// finished by the next when that process is gone.

import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Exit, Fiber, Latch, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { describeWith } from "../../../test/harness/capability.ts"
import * as Database from "../../../test/harness/database.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { gatedSession } from "../../../test/harness/gatedSession.ts"
import { pgbouncer } from "../../../test/harness/pgbouncer.ts"
import { statementProxy } from "../../../test/harness/statementProxy.ts"
import { apply, complete, inspect, start } from "../src/PostgresMigrations.ts"
import { dumpSchema } from "./support/dumpSchema.ts"
import {
  all,
  elsewhere,
  onEmpty,
  recorded,
  remnant,
  steps,
  table,
  validity,
  withSql
} from "./support/indexMigrations.ts"
import { opened } from "./support/stores.ts"

/** What holds every build up until it is run: a transaction that has written to the table. */
const heldUp = withSql((sql) => opened(sql`insert into things values (1)`))

const waitsForOthers = eventually(
  "it waits for the transaction of somebody else",
  withSql(
    (sql) => sql`select 1 from pg_stat_activity where query like 'create unique index%' and wait_event_type = 'Lock'
      and datname = current_database()`
  ),
  (rows) => rows.length > 0
)

describe("an index that is built outside of a transaction", () => {
  it.live("INV-14: is left out by who applies, and built once by who completes", () =>
    onEmpty(
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* apply(all), [1, 3])
        assert.deepStrictEqual((yield* inspect(all)).pending, [])
        assert.deepStrictEqual(yield* validity, [])
        const built = yield* Effect.all(
          Array.from({ length: 4 }, () => elsewhere(complete(all, { lease: "200 millis" }))),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(built.flat(), [2])
        assert.deepStrictEqual(yield* validity, [true])
        assert.deepStrictEqual(yield* recorded, [1, 2, 3])
        assert.deepStrictEqual(yield* steps, [{ fence: 1, state: "done" }])
        assert.deepStrictEqual(yield* apply(all), [])
        assert.deepStrictEqual(yield* complete(all), [])
      })
    )
  )

  it.live("INV-14: no start waits for it, and another one goes on when the builder stops", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* apply([table])
        const release = yield* heldUp
        const server = Effect.fnUntraced(function* (started: Latch.Latch, lease: Duration.Input) {
          const serving = Effect.andThen(start(all, { lease }), Effect.andThen(started.open, Effect.never))
          return yield* Effect.forkChild(elsewhere(Effect.scoped(serving)))
        })
        const [one, other] = [yield* Latch.make(), yield* Latch.make()]
        const first = yield* server(one, "1 hour")
        yield* waitsForOthers
        yield* server(other, "1 second")
        yield* Effect.timeout(Effect.andThen(one.await, other.await), "2 seconds")
        assert.deepStrictEqual(yield* recorded, [1, 3])
        yield* Fiber.interrupt(first)
        yield* release
        yield* eventually("it is built", validity, ([valid]) => valid === true)
        yield* eventually("it is recorded", recorded, (ids) => ids.length === 3)
      })
    )
  )

  it.live("INV-14: what is left of a build that failed is dropped first", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* remnant
        assert.deepStrictEqual(yield* complete(all), [2])
        assert.deepStrictEqual(yield* validity, [true])
        assert.deepStrictEqual(yield* steps, [{ fence: 2, state: "done" }])
      })
    )
  )

  it.live(
    "INV-14: cut off at any statement, it is finished by the next once the lease is over",
    () =>
      Effect.gen(function* () {
        const whole = yield* onEmpty(Effect.andThen(Effect.andThen(apply(all), complete(all)), dumpSchema))
        const cutAt = (at: number, fault: "unsent" | "unanswered") =>
          onEmpty(
            Effect.gen(function* () {
              yield* apply(all)
              const proxy = yield* statementProxy((yield* Database.TestDatabase).url)
              yield* proxy.strike([fault, (_, before) => before === at])
              const first = elsewhere(complete(all, { lease: "400 millis" }), proxy.url)
              const exit = yield* Effect.exit(Effect.timeout(first, "3 seconds"))
              const [struck] = proxy.struck()
              if (struck === undefined) return false
              assert.isFalse(Exit.hasDies(exit), struck)
              yield* Effect.timeout(complete(all, { lease: "400 millis" }), "10 seconds")
              assert.deepStrictEqual(yield* recorded, [1, 2, 3], struck)
              assert.strictEqual(yield* dumpSchema, whole, struck)
              return true
            })
          )
        for (const fault of ["unsent", "unanswered"] as const) {
          let at = 0
          while (yield* cutAt(at, fault)) at++
          assert.isAbove(at, 8)
        }
      }),
    120_000
  )

  it.live("INV-14: who holds the lease keeps it for as long as it builds", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* apply([table])
        const release = yield* heldUp
        yield* apply(all)
        const building = yield* Effect.forkChild(elsewhere(complete(all, { lease: "400 millis" })))
        yield* waitsForOthers
        const other = yield* Effect.forkChild(elsewhere(complete(all, { lease: "400 millis" })))
        yield* Effect.sleep("1500 millis")
        assert.deepStrictEqual(yield* steps, [{ fence: 1, state: "running" }])
        yield* release
        assert.deepStrictEqual([yield* Fiber.join(building), yield* Fiber.join(other)], [[2], []])
      })
    )
  )

  it.live("INV-14: who has lost the lease does not say that it is done, and what is built is kept", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* apply([table])
        const release = yield* heldUp
        yield* apply(all)
        const stale = yield* Effect.forkChild(elsewhere(complete(all, { lease: "4 seconds" })))
        yield* waitsForOthers
        const sql = yield* SqlClient.SqlClient
        const later = sql`clock_timestamp() + interval '1 hour'`
        yield* sql`update lockkeeper_migration_steps set fence = 7, lease_until = ${later}`
        yield* release
        yield* eventually("it is built", validity, ([valid]) => valid === true)
        yield* Effect.sleep("500 millis")
        assert.deepStrictEqual(yield* recorded, [1, 3])
        yield* Effect.sleep("1 second")
        assert.deepStrictEqual(
          yield* sql`select 1 from lockkeeper_migration_steps
          where lease_until > clock_timestamp() + interval '50 minutes'`,
          [{ "?column?": 1 }]
        )
        const built = sql`select to_regclass('things_id')::oid::text as oid`
        const before = yield* built
        yield* sql`update lockkeeper_migration_steps set lease_until = clock_timestamp()`
        assert.deepStrictEqual(yield* Fiber.join(stale), [2])
        assert.deepStrictEqual(yield* built, before)
        assert.deepStrictEqual(yield* steps, [{ fence: 8, state: "done" }])
      })
    )
  )

  it.live("INV-14: who has lost the lease stops building", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* apply([table])
        const release = yield* heldUp
        yield* apply(all)
        const stale = yield* Effect.forkChild(elsewhere(complete(all, { lease: "400 millis" })))
        yield* waitsForOthers
        const sql = yield* SqlClient.SqlClient
        yield* sql`update lockkeeper_migration_steps set fence = 7, lease_until = clock_timestamp() + interval '1 hour'`
        const building = sql`select 1 from pg_stat_progress_create_index where datname = current_database()`
        yield* eventually("nobody builds", building, (rows) => rows.length === 0, "5 seconds")
        yield* release
        yield* Fiber.interrupt(stale)
        assert.deepStrictEqual(yield* validity, [false])
      })
    )
  )

  it.live("INV-14: who has lost the lease drops nothing, and nobody takes it over meanwhile", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* remnant
        const session = yield* gatedSession((yield* Database.TestDatabase).url)
        const gated = session.gated(Effect.provideService(complete(all), SqlClient.SqlClient, session.sql))
        const isAbout = (end: string) =>
          Effect.suspend(() => {
            const state = session.state()
            if (state._tag !== "Waiting") return Effect.succeed(false)
            return state.statement.includes(end) ? Effect.succeed(true) : Effect.as(session.letGo, false)
          })
        const sql = yield* SqlClient.SqlClient
        const takeOver = sql`update lockkeeper_migration_steps
          set fence = 7, lease_until = clock_timestamp() + interval '1 hour'`

        const stale = yield* Effect.forkChild(gated)
        yield* eventually("it is about to look", isAbout('select 1 from "lockkeeper_migration_steps"'), (is) => is)
        yield* takeOver
        yield* session.letAllGo
        yield* Effect.sleep("500 millis")
        assert.deepStrictEqual(yield* validity, [false])
        yield* Fiber.interrupt(stale)

        yield* sql`update lockkeeper_migration_steps set lease_until = clock_timestamp()`
        const holder = yield* Effect.forkChild(gated)
        yield* eventually("it is about to drop", isAbout("drop index"), (is) => is)
        const late = sql.withTransaction(
          Effect.andThen(sql`select set_config('lock_timeout', '200ms', true)`, takeOver)
        )
        assert.strictEqual((yield* Effect.flip(late)).reason._tag, "LockTimeoutError")
        yield* session.letAllGo
        assert.deepStrictEqual(yield* Fiber.join(holder), [2])
      })
    )
  )

  it.live("INV-14: what a dead process left building is waited for, in nobody's way", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* apply([table])
        const release = yield* heldUp
        yield* apply(all)
        const proxy = yield* statementProxy((yield* Database.TestDatabase).url)
        const dead = yield* Effect.forkChild(elsewhere(complete(all, { lease: "400 millis" }), proxy.url))
        yield* waitsForOthers
        yield* proxy.drop
        yield* Effect.exit(Fiber.join(dead))
        const next = yield* Effect.forkChild(elsewhere(complete(all, { lease: "400 millis" })))
        const read = withSql((sql) =>
          sql.withTransaction(
            Effect.andThen(sql`select set_config('lock_timeout', '200ms', true)`, sql`select id from things`)
          )
        )
        yield* Effect.repeat(read, { schedule: Schedule.spaced("50 millis"), times: 20 })
        assert.deepStrictEqual(yield* validity, [false])
        yield* release
        assert.deepStrictEqual(yield* Fiber.join(next), [2])
        assert.deepStrictEqual(yield* validity, [true])
      })
    )
  )
})

describeWith("pgbouncer")("an index that is built behind PgBouncer", () => {
  it.live("K11 INV-14: is built once by four who share two connections", () =>
    onEmpty(
      Effect.gen(function* () {
        const { url } = yield* pgbouncer((yield* Database.TestDatabase).url, 2)
        const starts = Array.from({ length: 4 }, () =>
          elsewhere(Effect.andThen(apply(all), complete(all, { lease: "1 second" })), url)
        )
        const built = yield* Effect.all(starts, { concurrency: "unbounded" })
        assert.deepStrictEqual(built.flat(), [2])
        assert.deepStrictEqual(yield* recorded, [1, 2, 3])
      })
    )
  )
})
