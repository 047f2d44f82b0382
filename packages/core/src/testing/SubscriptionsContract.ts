// What every keeper of Subscriptions keeps: each begins at the present end of the feed, only goes forward, and is in the
// hands of the newest Fence.
import { Effect } from "effect"
import { type Event, isAfter } from "../domain/Event.ts"
import { Fence } from "../domain/Lease.ts"
import type { TenantName } from "../domain/Tenant.ts"
import type { AppStore } from "../port/AppStore.ts"
import { EventFeed } from "../port/EventFeed.ts"
import { SubscriberName, Subscriptions } from "../port/Subscriptions.ts"
import { type Contract, equal, eventually, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const freshName = Effect.map(Given.freshLetters, (letters) => SubscriberName.make(`contract-${letters}`))

const fence = (number: number): Fence => Fence.make(number)

const taken = (subscriber: SubscriberName, under: number) =>
  Effect.flatMap(Subscriptions, (subscriptions) => subscriptions.take(subscriber, fence(under)))

/** The Apps that the Events of a Tenant after a cursor are about, once there is one of this App among them. */
const appsAfter = Effect.fnUntraced(function* (after: Event["id"], tenant: TenantName, app: Event["app"]) {
  const feed = yield* EventFeed
  const events = yield* eventually("the Event of the App", feed.read({ after, tenant, limit: 100 }), (found) =>
    found.some((event) => event.app === app)
  )
  return events.map((event) => event.app)
})

/** So many Events of one Tenant that are in the feed. */
const happened = Effect.fnUntraced(function* (count: number) {
  const tenant = yield* Given.freshTenant
  for (let made = 0; made < count; made++) yield* Given.registered({ tenant })
  const events = yield* Given.eventsOf(tenant)
  yield* equal("how many Events there are", events.length, count)
  return events.map(({ id }) => id)
})

/** The laws of {@link Subscriptions}. */
export const SubscriptionsContract: Contract<Subscriptions | EventFeed | AppStore> = [
  law(
    "X12",
    "a Subscriber that is seen for the first time is told what happens from then on and nothing older",
    Effect.gen(function* () {
      const subscriptions = yield* Subscriptions
      for (const begin of [subscriptions.begin, () => Effect.void]) {
        const [subscriber, tenant] = [yield* freshName, yield* Given.freshTenant]
        yield* Given.registered({ tenant })
        yield* Given.eventsOf(tenant)
        yield* begin(subscriber)
        const cursor = yield* taken(subscriber, 1)
        const later = yield* Given.registered({ tenant })
        const apps = yield* appsAfter(cursor, tenant, later.id)
        yield* equal("what it is told", apps, [later.id])
      }
    })
  ),

  law(
    "X12",
    "a Subscription that has begun is not begun again: what happened since is told to whoever takes it",
    Effect.gen(function* () {
      const subscriptions = yield* Subscriptions
      const [subscriber, tenant] = [yield* freshName, yield* Given.freshTenant]
      yield* subscriptions.begin(subscriber)
      const app = yield* Given.registered({ tenant })
      yield* Given.eventsOf(tenant)
      yield* subscriptions.begin(subscriber)
      const apps = yield* appsAfter(yield* taken(subscriber, 1), tenant, app.id)
      yield* equal("what it is told first", apps[0], app.id)
    })
  ),

  law(
    "Subscriptions-1",
    "whoever takes a Subscription goes on where the last one advanced to",
    Effect.gen(function* () {
      const subscriptions = yield* Subscriptions
      const subscriber = yield* freshName
      yield* subscriptions.begin(subscriber)
      const [first, second] = yield* happened(2)
      const [one, two] = [yield* present("an Event", first), yield* present("an Event", second)]
      yield* taken(subscriber, 1)
      yield* subscriptions.advance(subscriber, fence(1), one)
      yield* equal("the cursor under the same Fence", yield* taken(subscriber, 1), one)
      yield* subscriptions.advance(subscriber, fence(1), two)
      yield* equal("the cursor under the next Fence", yield* taken(subscriber, 2), two)
    })
  ),

  law(
    "INV-2",
    "an older Fence is told the newest, and neither takes a Subscription nor advances it",
    Effect.gen(function* () {
      const subscriptions = yield* Subscriptions
      const subscriber = yield* freshName
      yield* subscriptions.begin(subscriber)
      const [first, second] = yield* happened(2)
      const [one, two] = [yield* present("an Event", first), yield* present("an Event", second)]
      yield* taken(subscriber, 4)
      yield* subscriptions.advance(subscriber, fence(4), one)
      yield* taken(subscriber, 7)
      for (const older of [6, 4, 0]) {
        const late = yield* refused("SubscriptionStale", subscriptions.advance(subscriber, fence(older), two))
        yield* equal("the refusal", [late.subscriber, Number(late.newest)], [subscriber, 7])
      }
      yield* refused("SubscriptionStale", taken(subscriber, 6))
      yield* equal("the cursor", yield* taken(subscriber, 7), one)
    })
  ),

  law(
    "INV-2",
    "who advances under a newer Fence has the Subscription in hand from then on",
    Effect.gen(function* () {
      const subscriptions = yield* Subscriptions
      const subscriber = yield* freshName
      yield* subscriptions.begin(subscriber)
      const [first] = yield* happened(1)
      const one = yield* present("an Event", first)
      yield* taken(subscriber, 1)
      yield* subscriptions.advance(subscriber, fence(3), one)
      const late = yield* refused("SubscriptionStale", taken(subscriber, 2))
      yield* equal("the newest Fence", Number(late.newest), 3)
    })
  ),

  law(
    "Subscriptions-2",
    "a Subscription never goes back: of several advances, in any order, the furthest stands",
    Effect.gen(function* () {
      const subscriptions = yield* Subscriptions
      const subscriber = yield* freshName
      yield* subscriptions.begin(subscriber)
      const ids = yield* happened(4)
      const [last, oldest] = [yield* present("a last Event", ids.at(-1)), yield* present("a first Event", ids[0])]
      yield* taken(subscriber, 1)
      yield* together([2, 3, 0, 1].map((at) => subscriptions.advance(subscriber, fence(1), ids[at] ?? oldest)))
      yield* equal("the cursor", yield* taken(subscriber, 1), last)
      yield* subscriptions.advance(subscriber, fence(2), oldest)
      const cursor = yield* taken(subscriber, 2)
      yield* equal("the cursor after that", cursor, last)
      yield* holds("an order of Events", isAfter(cursor, oldest), [cursor, oldest])
    })
  ),

  law(
    "Subscriptions-3",
    "Subscriptions of different Subscribers have nothing to do with each other",
    Effect.gen(function* () {
      const subscriptions = yield* Subscriptions
      const [one, other] = [yield* freshName, yield* freshName]
      yield* subscriptions.begin(one)
      yield* subscriptions.begin(other)
      const before = yield* taken(other, 1)
      const [first] = yield* happened(1)
      yield* taken(one, 9)
      yield* subscriptions.advance(one, fence(9), yield* present("an Event", first))
      yield* equal("the cursor of the other", yield* taken(other, 1), before)
    })
  )
]
