// Waiting for something to be seen, instead of for a time.

import { Duration, Effect, Schedule } from "effect"
import { inspect } from "node:util"

/** Longer from one look to the next: what takes long is looked for at leisure, since looking takes time from what it looks for. */
const pauses = Schedule.min([Schedule.exponential("20 millis", 1.4), Schedule.spaced("200 millis")])

/** Looks again and again until it is as wanted, and dies with what was seen last when that takes too long. */
export const eventually = <A, E, R>(
  what: string,
  look: Effect.Effect<A, E, R>,
  isWanted: (seen: A) => boolean,
  within: Duration.Input = "20 seconds"
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    let last: unknown = "nothing"
    const tooLate = () =>
      new Error(`${what}: not within ${Duration.format(Duration.fromInputUnsafe(within))}; seen last: ${inspect(last)}`)
    return look.pipe(
      Effect.tap((seen) => Effect.sync(() => void (last = seen))),
      Effect.repeat({ until: isWanted, schedule: pauses }),
      Effect.timeoutOrElse({ duration: within, orElse: () => Effect.suspend(() => Effect.die(tooLate())) })
    )
  })
