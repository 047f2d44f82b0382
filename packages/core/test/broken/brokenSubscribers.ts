// Subscribers that make the mistakes their contract exists for.

import { Effect } from "effect"
import { Subscriber, SubscriberError } from "../../src/port/Subscriber.ts"
import { subscriberCanary } from "../../src/testing/SubscriberContract.ts"
import { altered, type Broken } from "./Broken.ts"

/** Broken Subscribers. */
export const brokenSubscribers: ReadonlyArray<Broken> = [
  {
    what: "a Subscriber that leaves out what it has had",
    contract: "Subscriber",
    violates: ["X12 an Event that is taken"],
    layer: altered(Subscriber, (original, { told }) => ({
      deliver: (event) =>
        Effect.suspend(() =>
          told.events.some(({ subject }) => subject === event.subject) ? Effect.void : original.deliver(event)
        )
    }))
  },
  {
    what: "a Subscriber that is content with any answer",
    contract: "Subscriber",
    violates: ["X12 a Subscriber that refuses", "INV-11"],
    layer: altered(Subscriber, (original) => ({
      deliver: (event) =>
        Effect.catchIf(
          original.deliver(event),
          ({ reason }) => reason === "refused",
          () => Effect.void
        )
    }))
  },
  {
    what: "a Subscriber that tries again by itself",
    contract: "Subscriber",
    violates: ["X12 a Subscriber that is broken"],
    layer: altered(Subscriber, (original, { told }) => ({
      deliver: (event) =>
        told.ailment === "failure" ? Effect.retry(original.deliver(event), { times: 2 }) : original.deliver(event)
    }))
  },
  {
    what: "a Subscriber that waits for an answer for as long as it takes",
    contract: "Subscriber",
    violates: ["H24 a Subscriber that says nothing"],
    layer: altered(Subscriber, (original, { told }) => ({
      deliver: (event) =>
        Effect.suspend(() => {
          if (told.ailment !== "silence") return original.deliver(event)
          told.events.push(event)
          return Effect.never
        })
    }))
  },
  {
    what: "a Subscriber that cannot be interrupted",
    contract: "Subscriber",
    violates: ["H24 telling that is interrupted"],
    layer: altered(Subscriber, (original) => ({
      deliver: (event) => Effect.uninterruptible(original.deliver(event))
    }))
  },
  {
    what: "a Subscriber that quotes the answer",
    contract: "Subscriber",
    violates: ["INV-11"],
    layer: altered(Subscriber, (original) => ({
      deliver: (event) =>
        Effect.mapError(
          original.deliver(event),
          ({ detail, reason }) => new SubscriberError({ reason, detail: `${detail}: ${subscriberCanary}` })
        )
    }))
  }
]
