// How the tables in memory are read and changed as Jobs, apart from the methods of their store (memoryJobStore.ts).
import type { DateTime } from "effect"
import type { AppId } from "../domain/App.ts"
import type { Item, ItemInput } from "../domain/Job.ts"
import { type MemoryTables, publishOf } from "./MemoryState.ts"

/** How many Items there are, and how many of them have ended. */
export const countsOf = (items: ReadonlyArray<Item>) => ({
  total: items.length,
  done: items.filter(({ status }) => status === "done").length,
  failed: items.filter(({ status }) => status === "failed").length
})

/** An Item that waits, at its place. */
export const pending = (item: ItemInput, index: number): Item => ({
  number: index + 1,
  item,
  status: "pending",
  exitCode: null,
  result: null,
  finishedAt: null
})

/** Cancels the Jobs of an App that is not live any more: at once those that wait, by their holders those that run. */
export const endJobsOf = (state: MemoryTables, now: DateTime.Utc, app: AppId): void => {
  for (const row of state.jobs.values()) {
    if (row.job.app !== app) continue
    if (row.job.status === "running") row.isStopRequested = true
    if (row.job.status !== "queued") continue
    row.job = { ...row.job, status: "cancelled", finishedAt: now }
    publishOf(state, now, "job.cancelled", row.job, row.job.id)
  }
}
