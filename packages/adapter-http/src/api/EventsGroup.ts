// The route of Events, as data. A part of the API (Api.ts).
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { EventId } from "@lockkeeper/core/domain/Event"
import { Authorization } from "./Authorization.ts"
import { Event } from "./Objects.ts"
import * as Problems from "./Problems.ts"
import { RequestErrors } from "./RequestErrors.ts"

/** What happened, as it happens. */
export class EventsGroup extends HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.get("follow", "/v1/events", {
      query: {
        after: Schema.optionalKey(
          EventId.annotate({ description: "The id of the last event that was seen; wins over `Last-Event-ID`" })
        )
      },
      headers: { "last-event-id": Schema.optionalKey(Schema.String) },
      success: HttpApiSchema.StreamSse({ data: Event }),
      error: Problems.StoreUnavailable
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Follow what happens",
        description:
          "Server-sent events, first those that happened already, of the tenants that the token may see. None is left out and none comes twice; `id` is the cursor to go on after."
      })
    )
  )
  .middleware(RequestErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Events", description: "What happened, as it happens" })) {}
