// Time that never jumps, for limits that somebody waits under: whoever sets the clock of the machine neither ends a wait nor
// makes it longer.

import { Clock, Effect } from "effect"

/** Milliseconds since some fixed moment. */
export type Now = () => number

/** The monotonic time of the clock that is in use. */
export const monotonic: Effect.Effect<Now> = Effect.map(
  Clock.Clock,
  (clock) => () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
)
