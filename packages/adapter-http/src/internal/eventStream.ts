// Events as a response: what happened after a cursor, then what happens, until the client goes or the server stops. Reading
// never ends by itself: a store that is away is asked again, so that a client that waits is not sent away. An Event that
// cannot be read is passed over, and said in the log.
import { Effect, Stream } from "effect"
import type { HttpServerResponse } from "effect/http"
import type { EventId } from "@lockkeeper/core/domain/Event"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import { EventFeed, type EventUnreadable } from "@lockkeeper/core/port/EventFeed"
import { Hints, type HintWait } from "@lockkeeper/core/port/Hints"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import type { Event } from "../api/Objects.ts"
import { eventJson } from "./eventJson.ts"
import { pings, streamed } from "./streamed.ts"

/** Which Events to follow: those after a cursor (all without it), of one Tenant (every one without it). */
export interface EventStreamQuery {
  readonly after: EventId | undefined
  readonly tenant: TenantName | undefined
}

interface Position {
  readonly after: EventId | undefined
  readonly idle: number
}

interface Part {
  readonly events: ReadonlyArray<Event>
  readonly after: EventId | undefined
}

const partSize = 500
/** How long a new Event may go unnoticed while no Hint of it comes. */
const pauseMillis = (idle: number): number => Math.min(1_000, 250 * 1.5 ** Math.min(idle - 1, 4))

/** The Events, endless. The first part is read at once, so that a store that is away is not taken for quiet. */
export const followEvents = Effect.fnUntraced(function* ({
  after,
  tenant
}: EventStreamQuery): Effect.fn.Return<Stream.Stream<Event>, StoreError, EventFeed | Hints> {
  const feed = yield* EventFeed
  const hints = yield* Hints
  const read = (from: EventId | undefined) =>
    feed.read({ after: from, tenant, limit: partSize }).pipe(
      Effect.map((events): Part => ({ events, after: events.at(-1)?.id ?? from })),
      Effect.catchTag("EventUnreadable", passedOver)
    )
  const first = yield* read(after)

  const next = (wait: HintWait) =>
    Effect.fnUntraced(function* (position: Position) {
      if (position.idle > 0) yield* wait(pauseMillis(position.idle))
      const part = yield* read(position.after).pipe(
        Effect.tapError((error) => Effect.logWarning("a stream of events waits for the store", error)),
        Effect.orElseSucceed((): Part => ({ events: [], after: position.after }))
      )
      return [part.events, positionAfter(position, part)] as const
    })
  return Stream.concat(
    Stream.fromIterable(first.events),
    Effect.map(hints.listen("events"), (wait) =>
      Stream.unfold(positionAfter({ after, idle: 0 }, first), next(wait)).pipe(Stream.flatMap(Stream.fromIterable))
    ).pipe(Stream.unwrap)
  )
})

const passedOver = (unreadable: EventUnreadable) =>
  Effect.as(Effect.logError("a stream of events goes on without one", unreadable), {
    events: [],
    after: unreadable.event
  } satisfies Part)

const positionAfter = (position: Position, { after }: Part): Position =>
  after === position.after ? { after, idle: position.idle + 1 } : { after, idle: 0 }

const asText = (event: Event): string => `id: ${event.id}\nevent: ${event.type}\ndata: ${eventJson(event)}\n\n`

/** Server-sent events with a comment every 15 seconds, until `stopped` succeeds: the client goes on elsewhere after the last one. */
export const eventResponse = (
  events: Stream.Stream<Event>,
  stopped: Effect.Effect<void>
): HttpServerResponse.HttpServerResponse =>
  streamed(Stream.interruptWhen(Stream.merge(Stream.map(events, asText), pings), stopped), "text/event-stream")
