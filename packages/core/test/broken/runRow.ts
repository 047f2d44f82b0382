// What broken RunStores do to a row of a Run.

import { Effect } from "effect"
import type { Run, RunId, RunStatus } from "../../src/domain/Run.ts"
import type { MemoryTables } from "../../src/port/MemoryState.ts"
import type { RunRow } from "../../src/port/RunRequest.ts"

/** The row of a Run. */
export const rowOf = ({ runs }: MemoryTables, id: RunId): RunRow | undefined => runs.get(id)

/** Changes what is said of a Run. */
export const changed = (row: RunRow | undefined, change: Partial<Run>): void => {
  if (row !== undefined) row.run = { ...row.run, ...change }
}

/** Does something while a Run has another status; if that fails, it has its own again. */
export const passedOffAs = <A, E>(row: RunRow | undefined, status: RunStatus, self: Effect.Effect<A, E>) =>
  Effect.suspend(() => {
    const before = row?.run.status
    changed(row, { status })
    return Effect.onError(self, () =>
      Effect.sync(() => (before === undefined ? undefined : changed(row, { status: before })))
    )
  })
