// Waiting longer after each try, never longer than a cap, and never in step with others.
import { Duration, Effect, Schedule } from "effect"

/** Delays that grow by half from `first` to at most `cap`, each jittered. */
export const backoff = (first: Duration.Input, cap: Duration.Input): Schedule.Schedule<Duration.Duration> =>
  Schedule.exponential(first, 1.5).pipe(
    Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.fromInputUnsafe(cap)))),
    Schedule.jittered
  )
