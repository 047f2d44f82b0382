// What every Subscriber keeps: it takes an Event as it is, says truly when it has not, and never takes long about it. Somebody
// has to listen for that, whom the test of an adapter provides.
import { DateTime, Effect, Fiber, Option } from "effect"
import { AppId } from "../domain/App.ts"
import { type Event, EventId } from "../domain/Event.ts"
import { Subscriber } from "../port/Subscriber.ts"
import { type Contract, equal, eventually, holds, law, present, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

/** Who listens behind the Subscriber. */
export interface SubscriberFixture<R> {
  /**
   * What becomes of each Event from now on: it is taken, refused, answered as failed, or gets no answer. What refuses or fails says
   * {@link subscriberCanary}.
   */
  readonly does: (what: "take" | "refuse" | "fail" | "nothing") => Effect.Effect<void, never, R>
  /** What has arrived, in order, also what was not taken. */
  readonly arrived: Effect.Effect<ReadonlyArray<Event>, never, R>
}

/** A text that nothing may repeat of what a Subscriber says. */
export const subscriberCanary = "a canary that sings 51c9"

const something = Effect.gen(function* () {
  const app = AppId.make(`app_${yield* Given.freshLetters}`)
  const event: Event = {
    id: EventId.make("18446744073709551615-9223372036854775807"),
    type: "deployment.failed",
    at: DateTime.makeUnsafe("2026-02-03T04:05:06.789Z"),
    tenant: yield* Given.freshTenant,
    app,
    subject: `dep_${yield* Given.freshLetters}`,
    data: { number: 7, code: "source_unreachable", name: 'quoted "ö" \u2028 🚢', release: null }
  }
  return event
})

const deliver = (event: Event) => Effect.flatMap(Subscriber, (subscriber) => subscriber.deliver(event))

const failed = Effect.flatMap(something, (event) => refused("SubscriberError", deliver(event)))

/** The laws of {@link Subscriber}, with somebody who listens. */
export const makeSubscriberContract = <R>({ arrived, does }: SubscriberFixture<R>): Contract<Subscriber | R> => [
  law(
    "X12",
    "an Event that is taken has arrived as it is, and again when it is delivered again",
    Effect.gen(function* () {
      const event = yield* something
      yield* does("take")
      const before = (yield* arrived).length
      yield* deliver(event)
      yield* deliver(event)
      yield* equal("what has arrived", (yield* arrived).slice(before), [event, event])
    })
  ),

  law(
    "X12",
    "a Subscriber that refuses an Event has not taken it, and says so",
    Effect.gen(function* () {
      yield* does("refuse")
      yield* equal("the reason", (yield* failed).reason, "refused")
      yield* does("take")
    })
  ),

  law(
    "X12",
    "a Subscriber that is broken has not taken an Event, and may take it another time",
    Effect.gen(function* () {
      yield* does("fail")
      const before = (yield* arrived).length
      yield* equal("the reason", (yield* failed).reason, "unavailable")
      yield* equal("how often it was asked", (yield* arrived).length - before, 1)
      yield* does("take")
      yield* Effect.flatMap(something, deliver)
    })
  ),

  law(
    "H24",
    "a Subscriber that says nothing is unavailable, before half a minute is over",
    Effect.gen(function* () {
      yield* does("nothing")
      const seen = yield* Effect.timeoutOption(failed, "30 seconds")
      const error = yield* present("an end within half a minute", Option.getOrUndefined(seen))
      yield* equal("the reason", error.reason, "unavailable")
      yield* does("take")
    })
  ),

  law(
    "H24",
    "telling that is interrupted is over at once",
    Effect.gen(function* () {
      yield* does("nothing")
      const before = (yield* arrived).length
      const telling = yield* Effect.forkChild(Effect.flatMap(something, deliver))
      yield* eventually("the Event arrives", arrived, ({ length }) => length > before)
      const ending = Effect.timeoutOption(Fiber.interrupt(telling), "1 second")
      yield* holds("its end within a second", Option.isSome(yield* ending))
      yield* does("take")
    })
  ),

  law(
    "INV-11",
    "what is said of a failure shows nothing of what the Subscriber says",
    Effect.gen(function* () {
      for (const what of ["refuse", "fail"] as const) {
        yield* does(what)
        const { detail, message } = yield* failed
        yield* holds("words of its own", !`${detail} ${message}`.includes(subscriberCanary), [detail, message])
      }
      yield* does("take")
    })
  )
]
