// A log as the answer of a route. One that is followed ends when the server stops.
import { Deferred, Effect } from "effect"
import { logItems, type LogQuery, logResponse } from "../internal/logStream.ts"
import { Stopping } from "../internal/Stopping.ts"
import { notFound, unavailable } from "./outcomes.ts"

/** Answers a log from where it is asked for, as the client accepts it. */
export const logOf = Effect.fnUntraced(
  function* (query: LogQuery, accept: string | undefined) {
    const stopping = yield* Stopping
    const items = yield* logItems(query)
    return yield* logResponse(items, accept, query.mode === "follow" ? Deferred.await(stopping) : Effect.never)
  },
  Effect.catchTags({
    DeploymentNotFound: () => Effect.fail(notFound()),
    JobNotFound: () => Effect.fail(notFound()),
    RunNotFound: () => Effect.fail(notFound()),
    StoreError: unavailable
  })
)
