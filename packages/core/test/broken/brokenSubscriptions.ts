// Subscriptions that make the mistakes their contract exists for.

import { Effect } from "effect"
import { EventId } from "../../src/domain/Event.ts"
import { Fence } from "../../src/domain/Lease.ts"
import { SubscriberName, Subscriptions } from "../../src/port/Subscriptions.ts"
import { altered, type Broken } from "./Broken.ts"

const first = { cursor: EventId.make("0-0"), fence: Fence.make(0) }

/** Broken Subscriptions. */
export const brokenSubscriptions: ReadonlyArray<Broken> = [
  {
    what: "Subscriptions that begin with all that ever happened",
    contract: "Subscriptions",
    violates: ["X12 a Subscriber that is seen"],
    layer: altered(Subscriptions, (original, { subscriptions }) => {
      const begin = (subscriber: SubscriberName) =>
        Effect.sync(() => {
          if (!subscriptions.has(subscriber)) subscriptions.set(subscriber, first)
        })
      return { begin, take: (subscriber, fence) => Effect.andThen(begin(subscriber), original.take(subscriber, fence)) }
    })
  },
  {
    what: "Subscriptions that begin anew each time",
    contract: "Subscriptions",
    violates: ["X12 a Subscription that has begun"],
    layer: altered(Subscriptions, (original, { subscriptions }) => ({
      begin: (subscriber) =>
        Effect.suspend(() => {
          subscriptions.delete(subscriber)
          return original.begin(subscriber)
        })
    }))
  },
  {
    what: "Subscriptions that begin anew under a new Fence",
    contract: "Subscriptions",
    violates: ["Subscriptions-1", "INV-2 an older Fence"],
    layer: altered(Subscriptions, (original, { subscriptions }) => ({
      take: (subscriber, fence) =>
        Effect.suspend(() => {
          const row = subscriptions.get(subscriber)
          if (row !== undefined && row.fence < fence && row.fence > 0) {
            subscriptions.set(subscriber, { ...row, cursor: first.cursor })
          }
          return original.take(subscriber, fence)
        })
    }))
  },
  {
    what: "Subscriptions that anybody advances",
    contract: "Subscriptions",
    violates: ["INV-2 an older Fence"],
    layer: altered(Subscriptions, (original, { subscriptions }) => ({
      advance: (subscriber, fence, to) => {
        const newest = subscriptions.get(subscriber)?.fence ?? fence
        return original.advance(subscriber, Fence.make(Math.max(newest, fence)), to)
      }
    }))
  },
  {
    what: "Subscriptions that anybody takes",
    contract: "Subscriptions",
    violates: ["INV-2 an older Fence", "INV-2 who advances"],
    layer: altered(Subscriptions, (original, { subscriptions }) => ({
      take: (subscriber, fence) => {
        const newest = subscriptions.get(subscriber)?.fence ?? fence
        return original.take(subscriber, Fence.make(Math.max(newest, fence)))
      }
    }))
  },
  {
    what: "Subscriptions that forget under which Fence they were advanced",
    contract: "Subscriptions",
    violates: ["INV-2 who advances"],
    layer: altered(Subscriptions, (original, { subscriptions }) => ({
      advance: (subscriber, fence, to) =>
        Effect.suspend(() => {
          const before = subscriptions.get(subscriber)?.fence ?? fence
          return Effect.tap(original.advance(subscriber, fence, to), () =>
            Effect.sync(() => {
              const row = subscriptions.get(subscriber)
              if (row !== undefined) subscriptions.set(subscriber, { ...row, fence: before })
            })
          )
        })
    }))
  },
  {
    what: "Subscriptions that go back",
    contract: "Subscriptions",
    violates: ["Subscriptions-2"],
    layer: altered(Subscriptions, (original, { subscriptions }) => ({
      advance: (subscriber, fence, to) =>
        Effect.tap(original.advance(subscriber, fence, to), () =>
          Effect.sync(() => void subscriptions.set(subscriber, { cursor: to, fence }))
        )
    }))
  },
  {
    what: "Subscriptions that cut long names",
    contract: "Subscriptions",
    violates: ["X12 a Subscriber that is seen", "INV-2 an older Fence", "Subscriptions-3"],
    layer: altered(Subscriptions, (original) => {
      const cut = (subscriber: SubscriberName) => SubscriberName.make(subscriber.slice(0, 9))
      return {
        begin: (subscriber) => original.begin(cut(subscriber)),
        take: (subscriber, fence) => original.take(cut(subscriber), fence),
        advance: (subscriber, fence, to) => original.advance(cut(subscriber), fence, to)
      }
    })
  }
]
