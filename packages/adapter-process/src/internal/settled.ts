// The edge between promises and effects: an interruption aborts the work and waits until it has stopped, so that what
// cleans up afterwards never races with it. Also pins time to the real clock, which child processes live by.

import { Clock, Effect } from "effect"

/** Runs a promise that honours the signal. Whoever interrupts it waits until the promise has settled. */
export const settled = <A, E>(
  run: (signal: AbortSignal) => Promise<A>,
  onError: (cause: unknown) => E
): Effect.Effect<A, E> =>
  Effect.callback<A, E>((resume) => {
    const controller = new AbortController()
    const work = run(controller.signal).then(
      (value) => resume(Effect.succeed(value)),
      (cause: unknown) => resume(Effect.fail(onError(cause)))
    )
    return Effect.promise(() => {
      controller.abort()
      return work
    })
  })

/** Uses the real clock, also under a test clock. */
export const inRealTime = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Clock.Clock, Clock.Clock.defaultValue())
