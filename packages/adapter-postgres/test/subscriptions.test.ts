// Where a Subscription begins while others write, and what becomes of two who have one in hand. The laws are in
// contracts.test.ts.

import { assert, layer } from "@effect/vitest"
import { EventId } from "@lockkeeper/core/domain/Event"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { EventFeed } from "@lockkeeper/core/port/EventFeed"
import { SubscriberName, Subscriptions } from "@lockkeeper/core/port/Subscriptions"
import { eventually } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Result } from "effect"
import { SqlClient } from "effect/sql"
import { answers, opened, overtaken, raced, refusals, stores, unique } from "./support/stores.ts"

const fence = (number: number) => Fence.make(number)

layer(stores(), { excludeTestServices: true })("X12 a Subscription", (it) => {
  it.effect.each(["begin", "take"] as const)(
    "that begins (%s) while a transaction is open is told what that one commits later",
    (way) =>
      Effect.gen(function* () {
        const [feed, sql, subscriptions] = [yield* EventFeed, yield* SqlClient.SqlClient, yield* Subscriptions]
        const [name, tenant] = [SubscriberName.make(`open-${way}`), yield* Given.freshTenant]
        const event = (app: string) => sql`insert into events (type, tenant, app, subject)
          values ('app.live', ${tenant}, ${`app_${app}`}, ${app})`
        const commit = yield* opened(event("slow"))
        yield* event("quick")
        if (way === "begin") yield* subscriptions.begin(name)
        const after = yield* subscriptions.take(name, fence(1))
        yield* commit
        const read = feed.read({ after, tenant, limit: 10 })
        const told = yield* eventually("two Events", read, ({ length }) => length === 2)
        assert.deepStrictEqual(
          told.map(({ subject }) => subject),
          ["slow", "quick"]
        )
      })
  )

  it.effect("that many begin and take at once begins once, and is in the hands of the newest Fence", () =>
    Effect.gen(function* () {
      const name = SubscriberName.make("raced")
      const results = yield* raced(24, (index) =>
        Effect.flatMap(Subscriptions, (subscriptions) =>
          Effect.andThen(subscriptions.begin(name), subscriptions.take(name, fence(index + 1)))
        )
      )
      assert.strictEqual(unique(answers(results)), 1)
      assert.deepStrictEqual(
        [...new Set(refusals(results))].filter((tag) => tag !== "SubscriptionStale"),
        []
      )
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`select fence::int as fence from subscriptions where name = ${name}`, [
        { fence: 24 }
      ])
    })
  )

  it.effect("INV-2 that was taken over meanwhile is not advanced by who waited for it", () =>
    Effect.gen(function* () {
      const [sql, subscriptions] = [yield* SqlClient.SqlClient, yield* Subscriptions]
      const name = SubscriberName.make("taken")
      const before = yield* subscriptions.take(name, fence(1))
      const to = EventId.make("18446744073709551615-1")
      const takeOver = sql`update subscriptions set fence = 2 where name = ${name}`
      const result = yield* overtaken(takeOver, subscriptions.advance(name, fence(1), to))
      if (Result.isSuccess(result)) return assert.fail("it was advanced")
      assert.deepInclude(result.failure, { _tag: "SubscriptionStale", newest: fence(2) })
      assert.strictEqual(yield* subscriptions.take(name, fence(2)), before)
    })
  )

  it.effect("that is further than any Event can be stays there", () =>
    Effect.gen(function* () {
      const [feed, subscriptions] = [yield* EventFeed, yield* Subscriptions]
      const name = SubscriberName.make("far")
      yield* subscriptions.advance(name, fence(1), EventId.make("99999999999999999999-99999999999999999999"))
      const after = yield* subscriptions.take(name, fence(1))
      assert.strictEqual(after, "18446744073709551615-9223372036854775807")
      assert.deepStrictEqual(yield* feed.read({ after, limit: 1 }), [])
    })
  )
})
