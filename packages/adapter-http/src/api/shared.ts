// What the routes of an App, of its Deployments and of Jobs have in common.
import { Schema } from "effect"
import { HttpApiSchema } from "effect/http-api"
import { LogItem } from "./Objects.ts"
import * as Problems from "./Problems.ts"

/** The path of an App. */
export const app = { app: Schema.String }

/** What every route of something that exists may answer. */
export const found = [Problems.NotFound, Problems.StoreUnavailable] as const

/** Where something that was made is. */
export const location = { location: Schema.String }

/** Why a Deployment may not begin, whatever it is made from. */
export const refusals = [Problems.DeploymentInProgress, Problems.RevisionMismatch, Problems.QueueFull] as const

/** Which part of a log, and whether to wait for what comes. */
export const logQuery = {
  after: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
  follow: Schema.optionalKey(Schema.Literals(["true", "false"]))
}

/** How a log is answered, and where somebody goes on who lost the connection. */
export const logHeaders = {
  accept: Schema.optionalKey(Schema.String),
  "last-event-id": Schema.optionalKey(Schema.String)
}

/** A log as it is answered. */
export const logLines = HttpApiSchema.StreamNdjson({ schema: LogItem })

/** How a client finds out that a log is not over yet. */
export const goesOn =
  "The last item says that the log has ended. A log that is followed ends without it when the server stops: go on `after` the last `seq`."
