// Ends a Run from outside: a request on record, which its holder carries out, wherever it is and whatever restarts.
import { Effect } from "effect"
import type { Run, RunId } from "../domain/Run.ts"
import type { RunEnded, RunNotFound } from "../port/RunRequest.ts"
import { RunStore } from "../port/RunStore.ts"
import type { StoreError } from "../port/StoreError.ts"

/**
 * Asks a Run to end and answers it as it stands: it ends as `cancelled`, or as was decided before, without being kept any
 * longer. Its holder sees that within half a second, or half a minute while the Run is only kept, and at once where Hints
 * are heard. One that has ended as `cancelled` is answered as it is.
 */
export const cancelRun = Effect.fn("cancelRun")(function* (
  run: RunId
): Effect.fn.Return<Run, RunEnded | RunNotFound | StoreError, RunStore> {
  return yield* (yield* RunStore).requestCancel(run)
})
