// A row that cannot be read stands in nobody's way: Apps expire and are taken down beside a damaged one, and Events are
// told after one. What is damaged stays as it is.

import { assert, layer } from "@effect/vitest"
import type { AppId } from "@lockkeeper/core/domain/App"
import type { Event } from "@lockkeeper/core/domain/Event"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EventFeed, EventUnreadable } from "@lockkeeper/core/port/EventFeed"
import { Journal } from "@lockkeeper/core/port/Journal"
import { Subscriber } from "@lockkeeper/core/port/Subscriber"
import { SubscriberName, Subscriptions } from "@lockkeeper/core/port/Subscriptions"
import { deliver } from "@lockkeeper/core/program/deliver"
import { Replica } from "@lockkeeper/core/program/Replica"
import { eventually } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { DateTime, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { opened, stores } from "./support/stores.ts"

const past = DateTime.makeUnsafe(0)

/** The statuses of Apps, as the database has them. */
const statuses = Effect.fnUntraced(function* (apps: ReadonlyArray<{ readonly id: AppId }>) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ status: string }>`select status from unnest(${apps.map(({ id }) => id)}::text[])
    with ordinality i (id, n) join apps a using (id) order by n`
  return rows.map(({ status }) => status)
})

/** A live App with a Release. */
const servingApp = Effect.gen(function* () {
  const app = yield* Given.registered()
  yield* Given.deployed(app)
  return app
})

const damagedApp = Effect.fnUntraced(function* (request: Parameters<typeof Given.registered>[0] = {}) {
  const sql = yield* SqlClient.SqlClient
  const app = yield* Given.registered(request)
  yield* sql`update apps set health_check = '{}' where id = ${app.id}`
  return app
})

layer(stores(), { excludeTestServices: true })("a row that cannot be read", (it) => {
  it.effect("B6 R5: of Apps whose time is over keeps no other from expiring, however many they are", () =>
    Effect.gen(function* () {
      const apps = yield* AppStore
      const damaged = yield* Effect.replicateEffect(damagedApp({ expiresAt: past }), 12)
      const readable = yield* Effect.replicateEffect(Given.registered({ expiresAt: past }), 4)
      const claimed: Array<AppId> = []
      const pass = Effect.map(apps.claimExpired(10), (found) => {
        assert.isAtMost(found.length, 10)
        claimed.push(...found.map(({ id }) => id))
      })
      yield* Effect.repeat(pass, { until: () => claimed.length >= readable.length, times: 200 })
      assert.sameMembers(
        claimed,
        readable.map(({ id }) => id)
      )
      assert.deepStrictEqual(
        yield* statuses(readable),
        Array.from(readable, () => "expired")
      )
      assert.deepStrictEqual(
        yield* statuses(damaged),
        Array.from(damaged, () => "live")
      )
      const sql = yield* SqlClient.SqlClient
      const told =
        yield* sql`select from events where type = 'app.expired' and app = any(${damaged.map(({ id }) => id)})`
      assert.isEmpty(told)

      const held = yield* Given.registered({ expiresAt: past })
      const release = yield* opened(sql`select from apps where id = ${held.id} for no key update`)
      assert.isEmpty(yield* Effect.timeout(apps.claimExpired(100), "2 seconds"))
      yield* release
      yield* sql`update apps set expires_at = null where id = any(${damaged.map(({ id }) => id)})`
    })
  )

  it.effect("B6 R5: of an App that ends keeps no other from being taken down", () =>
    Effect.gen(function* () {
      const [apps, sql] = [yield* AppStore, yield* SqlClient.SqlClient]
      const damaged = yield* damagedApp()
      const readable = yield* Given.registered()
      yield* sql`update apps set status = 'deleting', settled = false where id = ${damaged.id}`
      yield* apps.mark(readable.id, "deleting")
      const ending = yield* apps.ending(10_000)
      assert.isFalse(ending.some(({ app }) => app.id === damaged.id))
      const found = ending.find(({ app }) => app.id === readable.id)
      if (found === undefined) return assert.fail("it does not end")
      assert.isTrue(yield* apps.settle(found))
      assert.deepStrictEqual(yield* statuses([damaged]), ["deleting"])
    })
  )

  const servingDamages = {
    "its App": (app: AppId) => ["apps", "health_check = '{}'", "id", app] as const,
    "its Release": (app: AppId) => ["releases", "image = 'odd'", "app", app] as const
  }

  it.effect.each(Object.entries(servingDamages))(
    "INV-8: of what serves (%s) keeps no other App from being told as serving",
    ([, damage]) =>
      Effect.gen(function* () {
        const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
        const [damaged, readable] = [yield* servingApp, yield* servingApp]
        const [table, set, key, id] = damage(damaged.id)
        yield* sql`update ${sql(table)} set ${sql.literal(set)} where ${sql(key)} = ${id}`
        const serving = yield* deployments.serving
        assert.isTrue(serving.some(({ app }) => app.id === readable.id))
        assert.isFalse(serving.some(({ app }) => app.id === damaged.id))
        yield* sql`update apps set status = 'stopped' where id = ${damaged.id}`
      })
  )

  it.effect("INV-7 INV-8: of an intent keeps no other from being known as this replica's, or from being released", () =>
    Effect.gen(function* () {
      const [journal, deployments, sql] = [yield* Journal, yield* DeploymentStore, yield* SqlClient.SqlClient]
      const claim = yield* Given.claimed(yield* Given.registered())
      const { app, deployment, fence, replica } = claim
      const names = [yield* Given.freshWorkloadName, yield* Given.freshWorkloadName]
      const intent = { app: app.id, work: deployment.id, fence, replica }
      yield* Effect.forEach(names, (name) => journal.intend({ ...intent, name }))
      const [damaged, readable] = names
      yield* sql`update intents set workload = '{"id":"1"}', confirmed_at = now() where name = ${damaged ?? ""}`
      const heldNames = Effect.map(journal.heldBy(replica), (held) => held.map(({ name }) => name))
      assert.deepStrictEqual(yield* heldNames, [readable])
      yield* deployments.finish(claim, Given.endings[0])
      const unowned = (yield* journal.unowned(10_000)).map(({ name }) => name)
      assert.include(unowned, readable)
      assert.notInclude(unowned, damaged)
      yield* Effect.forEach(names, journal.released)
    })
  )

  const damages = [
    "type = 'odd'",
    "tenant = 'No Tenant'",
    "app = ''",
    `data = '{"nested":{}}'`,
    `data = '[]', count = 3`,
    `data = '{"revision":["1"]}', count = 3`
  ]

  it.effect.each(damages)(
    "X12: of an Event (%s) ends what is read before it, and is named when it is first",
    (damage) =>
      Effect.gen(function* () {
        const [feed, sql] = [yield* EventFeed, yield* SqlClient.SqlClient]
        const after = (yield* Given.eventsOf((yield* Given.registered()).tenant)).at(-1)?.id
        const [before, damaged, next] = [
          yield* Given.registered(),
          yield* Given.registered(),
          yield* Given.registered()
        ]
        yield* Given.eventsOf(next.tenant)
        const row = sql<{ row: string }>`select e::text as row from events e where subject = ${damaged.id}`
        yield* sql`update events set ${sql.literal(damage)} where subject = ${damaged.id}`
        const kept = yield* row
        const read = Effect.fnUntraced(function* (from: Event["id"] | undefined) {
          return yield* feed.read({ after: from, limit: 1_000 })
        })
        const subjects = (events: ReadonlyArray<Event>) => events.map(({ subject }) => subject)
        const first = yield* read(after)
        assert.strictEqual(subjects(first).at(-1), before.id)
        let from = first.at(-1)?.id
        const rest: Array<string> = []
        for (let each = 0; each < 10; each++) {
          const part = yield* Effect.catchTag(read(from), "EventUnreadable", (error) => Effect.succeed(error))
          if (!(part instanceof EventUnreadable)) {
            rest.push(...subjects(part))
            break
          }
          from = part.event
        }
        assert.strictEqual(rest[0], next.id)
        assert.deepStrictEqual(yield* row, kept)
        yield* sql`delete from events where subject = ${damaged.id}`
      })
  )

  it.effect("X12 U7: of Events is passed over, and a Subscriber is told of every other, in order", () =>
    Effect.gen(function* () {
      const [sql, subscriptions] = [yield* SqlClient.SqlClient, yield* Subscriptions]
      const name = SubscriberName.make("beside-damage")
      yield* subscriptions.begin(name)
      const told: Array<string> = []
      const subscriber = Subscriber.of({ deliver: ({ subject }) => Effect.sync(() => void told.push(subject)) })
      const apps = yield* Effect.replicateEffect(Given.registered(), 150)
      const isDamaged = (index: number) => index < 2 || (index >= 40 && index < 45) || index === 149
      const damaged = apps.filter((_, index) => isDamaged(index)).map(({ id }) => id)
      yield* sql`update events set type = 'odd' where subject = any(${damaged}::text[])`
      const fiber = yield* deliver(name).pipe(
        Effect.provideService(Subscriber, subscriber),
        Effect.provideService(Replica, { id: ReplicaId.make("teller"), terms: Given.longTerms }),
        Effect.forkChild
      )
      const marker = yield* Given.registered()
      yield* eventually(
        "the last Event",
        Effect.sync(() => told),
        (all) => all.includes(marker.id)
      )
      yield* Fiber.interrupt(fiber)
      const expected = apps.filter((_, index) => !isDamaged(index)).map(({ id }) => id)
      assert.deepStrictEqual(told, [...expected, marker.id])
    })
  )
})
