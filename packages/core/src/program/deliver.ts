// Tells a Subscriber of every Event, in order, at least once, and passes over what it refuses for good. Any Replica may run it; the one that holds the Subscriber's
// lease does the work. It only reads what Deployments write, so that no Subscriber can hold one up.
import { Duration, Effect } from "effect"
import type { Event, EventId } from "../domain/Event.ts"
import type { Fence } from "../domain/Lease.ts"
import { EventFeed, EventUnreadable } from "../port/EventFeed.ts"
import { Hints } from "../port/Hints.ts"
import { Leases } from "../port/Leases.ts"
import type { StoreError } from "../port/StoreError.ts"
import { Subscriber, SubscriberError } from "../port/Subscriber.ts"
import { type SubscriberName, Subscriptions, type SubscriptionStale } from "../port/Subscriptions.ts"
import { backoff } from "./backoff.ts"
import { monotonicMillis, type Renewal, untilLost } from "./lease.ts"
import { countTold } from "./metrics.ts"
import { Replica } from "./Replica.ts"

/** The ports that telling a Subscriber needs. */
export type DeliverPorts = EventFeed | Hints | Leases | Replica | Subscriber | Subscriptions

/** How long a new Event may go unnoticed while no Hint of it comes: half a second, unless it is said. */
export interface DeliverOptions {
  readonly pollEvery?: Duration.Input | undefined
}

/** How many Events one call reads. */
const batch = 100

/** How often an Event is offered that is refused, with growing pauses: about three minutes together. */
const refusals = 12

/** How long an Event is offered to a Subscriber that is unavailable. */
const patience = Duration.hours(6)

/** A Subscriber that does not come to an end by itself is given so long. */
const longest = Duration.minutes(1)

/**
 * Tells a Subscriber of what happens, for ever: from the end of the feed on for a new one, else where it was left.
 * One Event at a time: the next one is offered when it was taken, or passed over after it was refused twelve times or could
 * not be told for six hours. Both count from the first try of whoever holds the lease, who says so in the log. One that
 * cannot be read is passed over at once: waiting would mend nothing and would hold up every other. Its row stays, and its id
 * is in the log and its number in the counter, so that a person can tell it; whoever mends the row does not have it told.
 */
export const deliver = Effect.fnUntraced(function* (
  subscriber: SubscriberName,
  { pollEvery = Duration.millis(500) }: DeliverOptions = {}
): Effect.fn.Return<never, never, DeliverPorts> {
  const leases = yield* Leases
  const subscriptions = yield* Subscriptions
  const { id: replica, terms } = yield* Replica
  const lease = `subscriber/${subscriber}`
  const acquire = leases.acquire(lease, replica, terms.ttl)

  const renewal = (fence: Fence) =>
    Effect.match(acquire, {
      onFailure: (): Renewal => "unanswered",
      onSuccess: (current): Renewal => (fence === current ? "renewed" : "refused")
    })

  const turn = Effect.gen(function* () {
    const sentAt = yield* monotonicMillis
    const fence = yield* acquire
    if (fence === undefined) return
    yield* Effect.logInfo(`this replica tells ${subscriber} what happens`, { fence })
    yield* Effect.raceFirst(
      Effect.scoped(tellAll(subscriber, fence, pollEvery)),
      untilLost(terms, renewal(fence), sentAt)
    )
    yield* Effect.logWarning(`this replica lost the lease of ${subscriber}`, { fence })
  })

  const release = Effect.ignore(Effect.timeout(leases.release(lease, replica), "1 second"))
  const rest = Effect.sleep(terms.renewEvery)

  yield* Effect.orDie(untilStored(subscriptions.begin(subscriber)))
  return yield* turn.pipe(
    Effect.catchCause((cause) =>
      Effect.andThen(Effect.logWarning(`${subscriber} is not told for now`, cause), release)
    ),
    Effect.andThen(rest),
    Effect.forever,
    Effect.ensuring(release)
  )
})

const tellAll = Effect.fnUntraced(function* (subscriber: SubscriberName, fence: Fence, pollEvery: Duration.Input) {
  const feed = yield* EventFeed
  const subscriptions = yield* Subscriptions
  const wait = yield* (yield* Hints).listen("events")
  let after = yield* untilStored(subscriptions.take(subscriber, fence))
  while (true) {
    const events = yield* untilStored(
      Effect.catchTag(feed.read({ after, limit: batch }), "EventUnreadable", inItsPlace)
    )
    for (const event of events) {
      yield* event instanceof EventUnreadable ? passOver(event.event, event.message) : tell(event)
      after = event instanceof EventUnreadable ? event.event : event.id
      yield* untilStored(subscriptions.advance(subscriber, fence, after))
    }
    if (events.length === 0) yield* wait(pollEvery)
  }
})

/** An Event that cannot be read, in the place where it stands. */
const inItsPlace = (unreadable: EventUnreadable) => Effect.succeed([unreadable])

const passOver = (event: EventId, why: string) =>
  Effect.andThen(countTold("passed_over"), Effect.logError(`event ${event} is passed over: ${why}`))

/** Offers an Event until it is taken or there is no point in it any more. */
const tell = Effect.fn("tell")(function* (event: Event): Effect.fn.Return<void, never, Subscriber> {
  const { deliver } = yield* Subscriber
  const begunAt = yield* monotonicMillis
  let refused = 0

  const isWorthAnother = ({ reason }: SubscriberError) =>
    reason === "refused"
      ? Effect.sync(() => ++refused < refusals)
      : Effect.map(monotonicMillis, (now) => now - begunAt < Duration.toMillis(patience))

  const once = Effect.suspend(() => deliver(event)).pipe(
    Effect.timeoutOrElse({ duration: longest, orElse: () => unavailable("it did not answer in a minute") }),
    Effect.catchDefect((defect) =>
      Effect.andThen(Effect.logError("telling a subscriber failed", defect), unavailable("it failed unexpectedly"))
    ),
    Effect.tapError(({ message }) =>
      Effect.andThen(countTold("failed"), Effect.logWarning(`event ${event.id} was not taken: ${message}`))
    )
  )

  yield* once.pipe(
    Effect.retry({ schedule: backoff("1 second", "5 minutes"), while: isWorthAnother }),
    Effect.andThen(countTold("delivered")),
    Effect.catch(({ message }) => passOver(event.id, message))
  )
})

const unavailable = (detail: string) => Effect.fail(new SubscriberError({ reason: "unavailable", detail }))

/** Asks a store that is away until it answers. Whatever else a store says ends the turn: another replica may read it. */
const untilStored = <A, R>(
  work: Effect.Effect<A, StoreError | SubscriptionStale, R>
): Effect.Effect<A, SubscriptionStale, R> =>
  work.pipe(
    Effect.tapErrorTag("StoreError", (error) => Effect.logWarning("telling waits for the store", error)),
    Effect.retry({
      schedule: backoff("200 millis", "5 seconds"),
      while: (error) => error._tag === "StoreError" && error.reason === "unavailable"
    }),
    Effect.catchTag("StoreError", Effect.die)
  )
