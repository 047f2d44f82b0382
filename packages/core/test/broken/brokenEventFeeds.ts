// EventFeeds that make the mistakes their contract exists for.

import { Effect, Order } from "effect"
import type { Event } from "../../src/domain/Event.ts"
import { EventFeed } from "../../src/port/EventFeed.ts"
import { altered, type Broken } from "./Broken.ts"

const bySubject = Order.mapInput(Order.String, ({ subject }: Event) => subject)

/** Broken EventFeeds. */
export const brokenEventFeeds: ReadonlyArray<Broken> = [
  {
    what: "an EventFeed in the order of what things happened to",
    contract: "EventFeed",
    violates: ["X12 what happens", "X12 a reader that follows"],
    layer: altered(EventFeed, (original) => ({
      read: (query) => Effect.map(original.read(query), (found) => [...found].sort(bySubject))
    }))
  },
  {
    what: "an EventFeed that answers the last Event again",
    contract: "EventFeed",
    violates: ["X12 reading goes on", "X12 a reader that follows"],
    layer: altered(EventFeed, (original, { events }) => ({
      read: (query) =>
        Effect.map(original.read(query), (found) => [...events.filter(({ id }) => id === query.after), ...found])
    }))
  },
  {
    what: "an EventFeed that shows a Tenant the Events of all",
    contract: "EventFeed",
    violates: ["X12 a Tenant's Events"],
    layer: altered(EventFeed, (original) => ({ read: ({ tenant: _, ...query }) => original.read(query) }))
  }
]
