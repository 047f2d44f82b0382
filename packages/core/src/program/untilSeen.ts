// Looking again and again for what may take a day, and at once when a Hint says that it may be there.
import { Clock, Duration, Effect, Schedule } from "effect"
import { Hints, type HintTopic } from "../port/Hints.ts"
import type { Restore } from "./admission.ts"
import { waiting } from "./backoff.ts"

/** What wakes who looks, how long a pause is at most, how long the next one is, and what lets the pauses be interrupted. */
export interface Looking {
  readonly topic: HintTopic
  readonly atMost?: Duration.Duration | undefined
  readonly next?: Effect.Effect<Duration.Duration> | undefined
  readonly restore: Restore
}

/** Looks until there is something, and answers it. Only the pauses can be interrupted, so that nothing that was seen is lost. */
export const untilSeen = Effect.fnUntraced(function* <A, E, R>(
  look: Effect.Effect<A | undefined, E, R>,
  { atMost = Duration.infinity, next = Effect.succeed(Duration.infinity), restore, topic }: Looking
): Effect.fn.Return<A, E, R | Hints> {
  const paused = Effect.gen(function* () {
    const hints = yield* Hints
    const wait = yield* hints.listen(topic)
    const pauses = yield* Schedule.toStep(waiting(atMost))
    while (true) {
      const seen = yield* look
      if (seen !== undefined) return seen
      const [, pause] = yield* Effect.orDie(pauses(yield* Clock.currentTimeMillis, undefined))
      yield* restore(wait(Duration.min(pause, yield* next)))
    }
  })
  return yield* Effect.scoped(paused)
})
