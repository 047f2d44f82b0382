// Runs laws that wait without waiting: the time of their clock passes with every turn of the others.

import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"

const timePasses = Effect.forever(Effect.andThen(Effect.yieldNow, TestClock.adjust("20 millis")))

/** Runs it on a state and a clock of its own. */
export const inNoTime = <A, E, R, R2, E2>(self: Effect.Effect<A, E, R>, state: Layer.Layer<R2, E2>) =>
  Effect.provide(Effect.raceFirst(self, timePasses), [Layer.fresh(state), Layer.fresh(TestClock.layer())])
