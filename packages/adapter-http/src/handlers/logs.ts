// A log as the answer of a route.
import { Effect } from "effect"
import { logItems, type LogQuery, logResponse } from "../internal/logStream.ts"
import { notFound, unavailable } from "./outcomes.ts"

/** Answers a log from where it is asked for, as the client accepts it. */
export const logOf = (query: LogQuery, accept: string | undefined) =>
  Effect.flatMap(logItems(query), (items) => logResponse(items, accept)).pipe(
    Effect.catchTags({
      DeploymentNotFound: () => Effect.fail(notFound()),
      JobNotFound: () => Effect.fail(notFound()),
      StoreError: unavailable
    })
  )
