// What every feed of Events keeps: one order for all readers, nothing skipped and nothing twice, whatever is written
// while they read.
import { Effect } from "effect"
import type { Event, EventId } from "../domain/Event.ts"
import type { TenantName } from "../domain/Tenant.ts"
import type { AppStore } from "../port/AppStore.ts"
import type { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EnvStore } from "../port/EnvStore.ts"
import { EventFeed } from "../port/EventFeed.ts"
import { type Contract, equal, eventually, holds, law, present } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index + 1)

const parts = (id: EventId): ReadonlyArray<bigint> => id.split("-").map(BigInt)

const isBefore = (one: EventId, other: EventId): boolean => {
  const [[a = 0n, b = 0n], [c = 0n, d = 0n]] = [parts(one), parts(other)]
  return a < c || (a === c && b < d)
}

const follow = Effect.fnUntraced(function* (tenant: TenantName, count: number, limit: number) {
  const feed = yield* EventFeed
  const seen: Array<Event> = []
  const next = Effect.suspend(() => feed.read({ tenant, limit, after: seen.at(-1)?.id }))
  while (seen.length < count) {
    seen.push(...(yield* eventually("one more Event in the feed", next, (events) => events.length > 0)))
  }
  return seen
})

/** The laws of {@link EventFeed}. */
export const EventFeedContract: Contract<EventFeed | AppStore | DeploymentStore | EnvStore> = [
  law(
    "X12",
    "what happens one after the other is read in that order, under growing ids and with what it happened to",
    Effect.gen(function* () {
      const app = yield* Given.registered()
      yield* Given.revised(app, { A: "1" })
      const { deployment } = yield* Given.deployed(app)
      yield* Given.revised(app, { A: "2" })
      const events = yield* Given.eventsOf(app.tenant)
      yield* equal(
        "the Events",
        events.map(({ type, subject }) => [String(type), subject]),
        [
          ["app.live", app.id],
          ["env.changed", app.id],
          ["deployment.queued", deployment.id],
          ["deployment.building", deployment.id],
          ["deployment.deploying", deployment.id],
          ["deployment.healthy", deployment.id],
          ["env.changed", app.id]
        ]
      )
      const ids = events.map(({ id }) => id)
      const grow = ids.every((id, index) => ids.slice(0, index).every((earlier) => isBefore(earlier, id)))
      yield* holds("growing ids", grow, ids)
      yield* equal("the App of each", new Set(events.map((event) => event.app)), new Set([app.id]))
    })
  ),

  law(
    "X12",
    "reading goes on after any Event, in parts of any size",
    Effect.gen(function* () {
      const feed = yield* EventFeed
      const app = yield* Given.registered()
      for (const value of numbers(4)) yield* Given.revised(app, { A: String(value) })
      const all = yield* Given.eventsOf(app.tenant)
      yield* equal("how many Events there are", all.length, 5)
      for (const size of [1, 2, 5]) {
        yield* equal(`the Events in parts of ${size}`, (yield* follow(app.tenant, 5, size)).slice(0, 5), [...all])
      }
      const third = yield* present("a third Event", all[2])
      const rest = yield* feed.read({ tenant: app.tenant, after: third.id, limit: 2 })
      yield* equal("what follows the third", rest, all.slice(3))
    })
  ),

  law(
    "X12",
    "a Tenant's Events are only its own, and who asks for no Tenant sees those of all",
    Effect.gen(function* () {
      const feed = yield* EventFeed
      const [one, other] = [yield* Given.registered(), yield* Given.registered()]
      const own = yield* Given.eventsOf(one.tenant)
      yield* equal(
        "the Events of one Tenant",
        own.map((event) => event.app),
        [one.id]
      )
      const foreign = yield* Given.eventsOf(other.tenant)
      yield* equal(
        "the Events of the other",
        foreign.map((event) => event.app),
        [other.id]
      )
      const first = yield* present("an Event", own[0])
      const everybody = feed.read({ after: first.id, limit: 1_000 })
      const isOther = (events: ReadonlyArray<Event>) => events.some((event) => event.app === other.id)
      yield* eventually("the other Tenant's Event among all", everybody, isOther)
    })
  ),

  law(
    "X12",
    "a reader that follows while twelve write sees every Event exactly once",
    Effect.gen(function* () {
      const apps = yield* Given.registeredTogether(12)
      const { tenant } = yield* present("an App", apps[0])
      const write = Effect.forEach(
        apps,
        (app) => Effect.forEach(numbers(4), (value) => Given.revised(app, { A: String(value) })),
        {
          concurrency: "unbounded"
        }
      )
      const [seen] = yield* Effect.all([follow(tenant, 60, 7), write], { concurrency: "unbounded" })
      const final = yield* Given.eventsOf(tenant)
      yield* equal("how many Events there are", final.length, 60)
      yield* equal(
        "what the reader saw",
        seen.map(({ id }) => id),
        final.map(({ id }) => id)
      )
    })
  )
]
