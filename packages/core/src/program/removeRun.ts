// Removes all that there is of a Run, and gives its block of addresses back after that. Whatever was made is found by the
// Run's id: nothing that was remembered is needed, and repeating it is safe.
import { Effect } from "effect"
import type { Cleanup } from "../domain/Run.ts"
import { Providers } from "../port/Providers.ts"
import type { RunCleanup } from "../port/RunRequest.ts"
import { backoff } from "./backoff.ts"
import { countRemoval } from "./metrics.ts"
import { RunDeadlines } from "./runDeadlines.ts"

/** What is to be removed, and from where. */
export type Removed = Pick<RunCleanup, "network" | "run" | "target">

/** Removes a Run, in a few tries. `pending` when something may be left: it can be asked for again. */
export const removeRun = Effect.fn("removeRun")(function* (
  removed: Removed,
  tries: number
): Effect.fn.Return<Exclude<Cleanup, "none">, never, Providers> {
  return yield* removedOnce(removed).pipe(
    Effect.sandbox,
    Effect.tapError(() => countRemoval("failed")),
    Effect.retry({ schedule: backoff("500 millis", "5 seconds"), times: tries - 1 }),
    Effect.andThen(countRemoval("removed")),
    Effect.as("done" as const),
    Effect.catch((cause) =>
      Effect.as(Effect.logWarning(`something of ${removed.run} is left to the reaper`, cause), "pending" as const)
    )
  )
})

const removedOnce = Effect.fnUntraced(function* ({ network, run, target }: Removed) {
  const providers = yield* Providers
  const { removal } = yield* RunDeadlines
  const provider = yield* Effect.timeout(providers.of(target), removal)
  yield* Effect.timeout(provider.remove(run), removal)
  if (network !== null) yield* Effect.timeout(provider.giveBack(network.lease, false), removal)
})
