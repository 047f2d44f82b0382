// Lets a fiber wait for "something changed" without missing a change that comes while it looks.
import { Deferred, Effect } from "effect"

/** Something that changes. */
export interface Signal {
  /** What ends with the next change. Taken before looking, so that no change is missed in between. */
  readonly next: () => Effect.Effect<void>
  /** Tells everybody who waits. */
  readonly notify: () => void
}

/** Makes a signal. */
export const makeSignal = (): Signal => {
  let pending = Deferred.makeUnsafe<void>()
  return {
    next: () => Deferred.await(pending),
    notify: () => {
      const done = pending
      pending = Deferred.makeUnsafe<void>()
      Deferred.doneUnsafe(done, Effect.void)
    }
  }
}
