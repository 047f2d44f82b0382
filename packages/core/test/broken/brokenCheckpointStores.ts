// CheckpointStores, and JobStores that a CheckpointStore relies on, that make the mistakes its contract exists for.

import { Effect } from "effect"
import type { Item, JobId } from "../../src/domain/Job.ts"
import { CheckpointStore } from "../../src/port/CheckpointStore.ts"
import type { JobClaim } from "../../src/port/JobRequest.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import type { MemoryTables } from "../../src/port/MemoryState.ts"
import { altered, type Broken } from "./Broken.ts"

const rowOf = ({ jobs }: MemoryTables, claim: JobClaim) => {
  const row = jobs.get(claim.job.id)
  return row?.fence === claim.fence ? row : undefined
}

/** Puts something else in the place of Items. */
const replaced = ({ jobs }: MemoryTables, job: JobId, other: (item: Item) => Item): void => {
  const items = jobs.get(job)?.items ?? []
  items.forEach((item, index) => (items[index] = other(item)))
}

const undone = (item: Item): Item => ({ ...item, status: "pending", exitCode: null, result: null, finishedAt: null })

/** Broken CheckpointStores. */
export const brokenCheckpointStores: ReadonlyArray<Broken> = [
  {
    what: "a CheckpointStore that sorts Items by what they are",
    contract: "CheckpointStore",
    violates: ["H13"],
    layer: altered(CheckpointStore, (original) => ({
      items: (job, page) =>
        Effect.map(original.items(job, page), ({ items, nextCursor }) => ({
          items: items.toSorted((a, b) => a.item.localeCompare(b.item)),
          nextCursor
        }))
    }))
  },
  {
    what: "a CheckpointStore that answers one Item more than it was asked for",
    contract: "CheckpointStore",
    violates: ["H13"],
    layer: altered(CheckpointStore, (original) => ({
      remaining: (job, after, limit) => original.remaining(job, after, limit + 1)
    }))
  },
  {
    what: "a CheckpointStore in which what is recorded last stands",
    contract: "CheckpointStore",
    violates: ["K5"],
    layer: altered(CheckpointStore, (original, state) => ({
      record: (claim, number, outcome) => {
        const row = rowOf(state, claim)
        const item = row?.items[number - 1]
        if (row !== undefined && item !== undefined) row.items[number - 1] = undone(item)
        return original.record(claim, number, outcome)
      }
    }))
  },
  {
    what: "a CheckpointStore that looks whether an Item has ended, waits and records it",
    contract: "CheckpointStore",
    violates: ["K5"],
    layer: altered(CheckpointStore, (original, state) => ({
      record: Effect.fnUntraced(function* (claim, number, outcome) {
        const row = rowOf(state, claim)
        const item = row?.items[number - 1]
        yield* Effect.yieldNow
        if (row !== undefined && item?.status === "pending") row.items[number - 1] = item
        return yield* original.record(claim, number, outcome)
      })
    }))
  },
  {
    what: "a CheckpointStore that leaves an Item that failed to be done",
    contract: "CheckpointStore",
    violates: ["K5"],
    layer: altered(CheckpointStore, (_, { jobs }) => ({
      remaining: (job, after, limit) =>
        Effect.sync(() =>
          (jobs.get(job)?.items ?? [])
            .filter(({ number, status }) => status !== "done" && number > after)
            .slice(0, limit)
        )
    }))
  },
  {
    what: "a CheckpointStore that records under any Fence",
    contract: "CheckpointStore",
    violates: ["R9"],
    layer: altered(CheckpointStore, (original, { jobs }) => ({
      record: (claim, number, outcome) =>
        original.record({ ...claim, fence: jobs.get(claim.job.id)?.fence ?? claim.fence }, number, outcome)
    }))
  },
  {
    what: "a CheckpointStore that records of a Job that has ended",
    contract: "CheckpointStore",
    violates: ["R9"],
    layer: altered(CheckpointStore, (original, state) => ({
      record: (claim, number, outcome) =>
        Effect.suspend(() => {
          const row = rowOf(state, claim)
          if (row === undefined) return original.record(claim, number, outcome)
          const { job } = row
          row.job = { ...job, status: "running" }
          return Effect.ensuring(
            original.record(claim, number, outcome),
            Effect.sync(() => (row.job = job))
          )
        })
    }))
  },
  {
    what: "a JobStore that runs a Batch again from its first Item",
    contract: "CheckpointStore",
    violates: ["K9"],
    layer: altered(JobStore, (original, state) => ({
      rerun: (job, by) =>
        Effect.suspend(() => {
          replaced(state, job, undone)
          return original.rerun(job, by)
        })
    }))
  },
  {
    what: "a JobStore that runs a Batch again without the Items that failed",
    contract: "CheckpointStore",
    violates: ["K9"],
    layer: altered(JobStore, (original, state) => ({
      rerun: (job, by) =>
        Effect.suspend(() => {
          const before = [...(state.jobs.get(job)?.items ?? [])]
          return Effect.tap(original.rerun(job, by), () =>
            Effect.sync(() => replaced(state, job, (item) => before[item.number - 1] ?? item))
          )
        })
    }))
  },
  {
    what: "a JobStore in which a Batch succeeds with Items left",
    contract: "CheckpointStore",
    violates: ["K4"],
    layer: altered(JobStore, (original, state) => ({
      finish: (claim, outcome) =>
        Effect.suspend(() => {
          if (outcome.status === "succeeded") {
            replaced(state, claim.job.id, (item) => ({ ...item, status: "done" }))
          }
          return original.finish(claim, outcome)
        })
    }))
  }
]
