// Reads what happened. Writing is the stores' business: an Event is part of the transaction that made it happen.
import { Context, Effect, Layer, Schema } from "effect"
import { type Event, EventId } from "../domain/Event.ts"
import type { TenantName } from "../domain/Tenant.ts"
import { MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** Which Events: those after `after` (all without it) of `tenant` (every Tenant without it), at most `limit`. */
export interface EventQuery {
  readonly after?: EventId | undefined
  readonly tenant?: TenantName | undefined
  readonly limit: number
}

/**
 * What is kept of an Event is not what it must be. It was left as it is, and nobody can be told of it; whoever reads on after
 * it misses no other.
 */
export class EventUnreadable extends Schema.TaggedError<EventUnreadable>()("EventUnreadable", {
  event: EventId,
  cause: Schema.Defect()
}) {
  override readonly message = `event ${this.event} cannot be read`
}

/** Reads Events in the order of their ids. */
export class EventFeed extends Context.Service<
  EventFeed,
  {
    /**
     * Events in order. One that is answered is final, and none with a smaller id appears later. One that cannot be read ends
     * the answer before it, and is an `EventUnreadable` when it is the first.
     */
    readonly read: (query: EventQuery) => Effect.Effect<ReadonlyArray<Event>, EventUnreadable | StoreError>
  }
>()("@lockkeeper/core/port/EventFeed") {
  /** Events in memory. */
  static readonly layerMemory: Layer.Layer<EventFeed, never, MemoryState> = Layer.effect(
    EventFeed,
    Effect.map(MemoryState, (state) =>
      EventFeed.of({
        read: ({ after, tenant, limit }) =>
          Effect.sync(() =>
            state.events
              .filter((event) => isAfter(event.id, after) && (tenant === undefined || event.tenant === tenant))
              .slice(0, limit)
          )
      })
    )
  )
}

const isAfter = (id: EventId, after: EventId | undefined): boolean =>
  after === undefined || numberOf(id) > numberOf(after)

const numberOf = (id: EventId): number => Number(id.slice(id.indexOf("-") + 1))
