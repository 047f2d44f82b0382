// Removes what is left of Runs that are over, and what bears the id of a Run that nobody carries out. Any replica may do it.
import { type Duration, Effect } from "effect"
import type { RunId } from "../domain/Run.ts"
import { Providers } from "../port/Providers.ts"
import type { Provider } from "../port/Provider.ts"
import type { RunCleanup } from "../port/RunRequest.ts"
import { RunStore } from "../port/RunStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { countRemoval, countReaped } from "./metrics.ts"
import { removeRun } from "./removeRun.ts"
import { RunDeadlines } from "./runDeadlines.ts"

/** The ports that reaping Runs needs. */
export type ReapRunPorts = Providers | RunStore

/** How many one pass takes on. */
const batch = 100

/**
 * Tries again to remove what could not be removed at the end of a Run, and removes what a Provider has of Runs that are not
 * in progress. Answers how many Runs have nothing left since. What fails stays for a later pass, and holds up nothing else.
 */
export const reapRuns = Effect.fn("reapRuns")(function* (): Effect.fn.Return<number, StoreError, ReapRunPorts> {
  const runs = yield* RunStore
  const providers = yield* Providers
  const { removal } = yield* RunDeadlines
  // What was made before a restart is only found by who can see it.
  yield* Effect.ignore(Effect.timeout(providers.of(providers.usual), removal))
  const left = yield* runs.uncleaned(batch)
  const made = yield* providers.made
  const [cleaned, strays] = yield* Effect.all(
    [
      Effect.forEach(left, clean, { concurrency: 8 }),
      Effect.forEach(made.values(), removeStrays, { concurrency: "unbounded" })
    ],
    { concurrency: 2 }
  )
  const count = cleaned.filter(Boolean).length + strays.flat().filter(Boolean).length
  yield* countReaped("run", count)
  return count
})

const clean = Effect.fnUntraced(function* (cleanup: RunCleanup) {
  const runs = yield* RunStore
  if ((yield* removeRun(cleanup, 1)) === "pending") return false
  return yield* runs.cleaned(cleanup.run).pipe(
    Effect.as(true),
    Effect.catchCause((cause) => Effect.as(Effect.logWarning(`${cleanup.run} is cleaned again`, cause), false))
  )
})

/** The Provider is asked first: a Run is on record before anything of it exists. */
const removeStrays = Effect.fnUntraced(function* (provider: Provider) {
  const runs = yield* RunStore
  const { removal } = yield* RunDeadlines
  const owned = yield* Effect.catch(Effect.timeout(provider.owned, removal), (error) =>
    Effect.as(Effect.logWarning("what there is of runs could not be listed", error), new Array<RunId>())
  )
  const strays = owned.length === 0 ? owned : yield* runs.unowned(owned)
  return yield* Effect.forEach(strays, (run) => removeStray(provider, run, removal), { concurrency: 8 })
})

const removeStray = (provider: Provider, run: RunId, limit: Duration.Duration) =>
  Effect.timeout(provider.remove(run), limit).pipe(
    Effect.andThen(countRemoval("removed")),
    Effect.as(true),
    Effect.catchCause((cause) =>
      Effect.as(Effect.andThen(countRemoval("failed"), Effect.logWarning(`something of ${run} is left`, cause)), false)
    )
  )
