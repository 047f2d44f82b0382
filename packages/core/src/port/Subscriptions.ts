// Keeps how far each Subscriber has been told of what happened. Telling it is the business of `deliver`; here is only what
// has to outlive the one who tells.
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { EventId, isAfter } from "../domain/Event.ts"
import { Fence } from "../domain/Lease.ts"
import { MemoryState, type SubscriptionRow } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** What a Subscriber is known by, whatever becomes of its address: up to 63 characters. */
export const SubscriberName = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9-]{0,62}$/)).pipe(
  Schema.brand("SubscriberName")
)

/** The type of {@link SubscriberName}. */
export type SubscriberName = typeof SubscriberName.Type

/** A newer Fence has the Subscription in hand; nothing was changed. */
export class SubscriptionStale extends Schema.TaggedError<SubscriptionStale>()("SubscriptionStale", {
  subscriber: SubscriberName,
  newest: Fence
}) {
  override readonly message = `the subscription of ${this.subscriber} is in other hands, under the fence ${this.newest}`
}

/** Keeps Subscriptions. */
export class Subscriptions extends Context.Service<
  Subscriptions,
  {
    /** There is a Subscription: the one that there was, else one from the present end of the feed on. */
    readonly begin: (subscriber: SubscriberName) => Effect.Effect<void, StoreError>
    /**
     * Up to where a Subscriber has been told; begins where it has not begun. From now on, every older
     * Fence is refused.
     */
    readonly take: (subscriber: SubscriberName, fence: Fence) => Effect.Effect<EventId, SubscriptionStale | StoreError>
    /** A Subscriber has been told up to this Event, which it stays when it has been told further. */
    readonly advance: (
      subscriber: SubscriberName,
      fence: Fence,
      to: EventId
    ) => Effect.Effect<void, SubscriptionStale | StoreError>
  }
>()("@lockkeeper/core/port/Subscriptions") {
  /** Subscriptions in memory. */
  static readonly layerMemory: Layer.Layer<Subscriptions, never, MemoryState> = Layer.effect(
    Subscriptions,
    Effect.map(MemoryState, (state) => {
      const present = (): SubscriptionRow => ({
        cursor: EventId.make(`0-${state.lastEvent}`),
        fence: Fence.make(0)
      })

      const written = (subscriber: SubscriberName, fence: Fence, to?: EventId) =>
        Effect.flatMap(Clock.currentTimeMillis, (toldAt) => {
          const row = state.subscriptions.get(subscriber) ?? present()
          if (row.fence > fence) return new SubscriptionStale({ subscriber, newest: row.fence })
          const cursor = to !== undefined && isAfter(to, row.cursor) ? to : row.cursor
          state.subscriptions.set(subscriber, { cursor, fence, toldAt })
          return Effect.succeed(cursor)
        })

      return Subscriptions.of({
        begin: (subscriber) =>
          Effect.map(Clock.currentTimeMillis, (toldAt) => {
            if (!state.subscriptions.has(subscriber)) state.subscriptions.set(subscriber, { ...present(), toldAt })
          }),
        take: (subscriber, fence) => written(subscriber, fence),
        advance: (subscriber, fence, to) => Effect.asVoid(written(subscriber, fence, to))
      })
    })
  )
}
