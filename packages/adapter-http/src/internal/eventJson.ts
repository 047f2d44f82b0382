// An Event as text, the same wherever it goes over the wire.
import { Schema } from "effect"
import { Event } from "../api/Objects.ts"

/** The JSON of an Event. */
export const eventJson: (event: Event) => string = Schema.encodeSync(Schema.fromJsonString(Event))
