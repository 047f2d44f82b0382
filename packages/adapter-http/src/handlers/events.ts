// The stream of Events.
import { Deferred, Effect, Option, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { EventId } from "@lockkeeper/core/domain/Event"
import type { EventFeed } from "@lockkeeper/core/port/EventFeed"
import type { Hints } from "@lockkeeper/core/port/Hints"
import { Api } from "../api/Api.ts"
import { Caller } from "../api/Authorization.ts"
import { InvalidBody } from "../api/Problems.ts"
import { eventResponse, followEvents } from "../internal/eventStream.ts"
import { Stopping } from "../internal/Stopping.ts"
import { unavailable } from "./outcomes.ts"

/** Handles the route of Events. Its streams end when the server stops. */
export const eventsHandlers = HttpApiBuilder.group(
  Api,
  "events",
  Effect.fnUntraced(function* (handlers) {
    const ports = yield* Effect.context<EventFeed | Hints>()
    const stopping = yield* Stopping

    return handlers.handleAll({
      follow: Effect.fnUntraced(function* ({ query, headers }) {
        const caller = yield* Caller
        const after = query.after ?? (yield* lastSeen(headers["last-event-id"]))
        const tenant = caller.tenant === "*" ? undefined : caller.tenant
        const events = yield* followEvents({ after, tenant }).pipe(Effect.catchTags({ StoreError: unavailable }))
        return eventResponse(events, Deferred.await(stopping))
      }, Effect.provideContext(ports))
    })
  })
)

/** What a client that comes back has seen; one that has seen nothing sends none, or an empty one. */
const lastSeen = (header: string | undefined): Effect.Effect<EventId | undefined, InvalidBody> =>
  header === undefined || header === ""
    ? Effect.succeed(undefined)
    : Option.match(Schema.decodeOption(EventId)(header), {
        onNone: () => Effect.fail(new InvalidBody({ detail: "headers.last-event-id: not a cursor of an event" })),
        onSome: Effect.succeed
      })
