// What a transaction of the stores owes to whoever interrupts it or swallows an error in it.

import { assert, layer } from "@effect/vitest"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Effect, Exit, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { eventually } from "../../../test/harness/eventually.ts"
import { transactions } from "../src/internal/transactions.ts"
import { stores } from "./support/stores.ts"

layer(stores(), { excludeTestServices: true })("a transaction", (it) => {
  it.effect("E9: that is being committed is not broken off by who is interrupted: it is waited for, and done", () =>
    Effect.gen(function* () {
      const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
      const app = yield* Given.registered()
      yield* sql`create function dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(1); return null; end'`
      yield* sql`create constraint trigger dawdle after insert on deployments deferrable initially deferred
        for each row execute function dawdle()`
      const beginning = yield* Effect.forkChild(Given.begun(app))
      const committing = sql`select pid from pg_stat_activity
        where datname = current_database() and query = 'COMMIT' and state = 'active'`
      yield* eventually("it commits", committing, (sessions) => sessions.length > 0)
      yield* Fiber.interrupt(beginning)
      assert.deepStrictEqual(yield* committing, [])
      assert.lengthOf((yield* deployments.list(app.id, { limit: 2 })).items, 1)
      yield* sql`drop trigger dawdle on deployments`
    })
  )

  it.effect("E9: in which an error was swallowed fails, since the server did not commit it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const inTransaction = transactions(sql, { begin: "1 second", end: "1 second" })
      yield* sql`create table kept (id int primary key)`
      const swallowing = Effect.andThen(
        sql`insert into kept values (1)`,
        Effect.ignore(sql`insert into kept values (1)`)
      )
      const exit = yield* Effect.exit(inTransaction(swallowing))
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(yield* sql`select id from kept`, [])
    })
  )
})
