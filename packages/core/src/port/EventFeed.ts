// Reads what happened. Writing is the stores' business: an Event is part of the transaction that made it happen.
import { Context, Effect, Layer } from "effect"
import type { Event, EventId } from "../domain/Event.ts"
import type { TenantName } from "../domain/Tenant.ts"
import { MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** Which Events: those after `after` (all without it) of `tenant` (every Tenant without it), at most `limit`. */
export interface EventQuery {
  readonly after?: EventId | undefined
  readonly tenant?: TenantName | undefined
  readonly limit: number
}

/** Reads Events in the order of their ids. */
export class EventFeed extends Context.Service<
  EventFeed,
  {
    /** Events in order. One that is answered is final, and none with a smaller id appears later. */
    readonly read: (query: EventQuery) => Effect.Effect<ReadonlyArray<Event>, StoreError>
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
