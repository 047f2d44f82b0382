// Keeps a Run for longer or shorter once it is decided how it ends, so that somebody can look at it.
import { type DateTime, Effect } from "effect"
import type { Run, RunId } from "../domain/Run.ts"
import type { RunEnded, RunNotFound } from "../port/RunRequest.ts"
import { RunStore } from "../port/RunStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { ensureKeepable, type KeepTooLong } from "./beginRun.ts"

/** Says until when a Run is kept, at most a day ahead; a time that is over ends its being kept. */
export const keepRun = Effect.fn("keepRun")(function* (
  run: RunId,
  until: DateTime.Utc
): Effect.fn.Return<Run, KeepTooLong | RunEnded | RunNotFound | StoreError, RunStore> {
  yield* ensureKeepable(until)
  return yield* (yield* RunStore).keep(run, until)
})
