// Waiting longer after each try, never longer than a cap, and never in step with others.
import { Duration, Effect, Random, Schedule } from "effect"

/** Delays that grow by half from `first` to at most `cap`, each jittered. */
export const backoff = (first: Duration.Input, cap: Duration.Input): Schedule.Schedule<Duration.Duration> =>
  Schedule.exponential(first, 1.5).pipe(
    Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.fromInputUnsafe(cap)))),
    Schedule.jittered
  )

/** How long who waits for a Slot may go without a look, at most. */
const longestWait = 30_000

/**
 * The pauses of who waits for what may take a day and is told of it by Hints where they are heard: they double from 20 ms to
 * at most 30 s, jittered, so that a day costs no more than 2,900 looks. `atMost` shortens them.
 */
export const waiting = (atMost: Duration.Duration): Schedule.Schedule<Duration.Duration> =>
  Schedule.exponential("20 millis", 2).pipe(
    Schedule.modifyDelay(({ duration }) =>
      Effect.map(Random.next, (random) => {
        const longest = Math.min(longestWait, Duration.toMillis(atMost))
        const millis = Duration.toMillis(duration)
        return Duration.millis(millis < longest ? millis * (1 - 0.3 * random) : longest * (1 - 0.002 * random))
      })
    )
  )
