// What is tidied up beside the work: tried until the engine answers, and never in anybody's way.

import { type Duration, Effect, Schedule, type Scope } from "effect"
import type { EngineError } from "./EngineError.ts"

/** Does something once in the background, as soon as the engine lets it, and again now and then where that is asked for. */
export const inBackground = (
  what: string,
  work: Effect.Effect<unknown, EngineError>,
  every?: Duration.Duration
): Effect.Effect<void, never, Scope.Scope> => {
  const once = work.pipe(
    Effect.tapError((error) => Effect.logDebug(`${what} failed and is tried again`, error)),
    Effect.retry(Schedule.spaced("5 seconds"))
  )
  const repeated = every === undefined ? once : Effect.repeat(once, Schedule.spaced(every))
  return Effect.asVoid(Effect.forkScoped(repeated))
}
