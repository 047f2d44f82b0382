// RunStores that make the mistakes their contract exists for.

import { Effect } from "effect"
import { Fence } from "../../src/domain/Lease.ts"
import { isOver } from "../../src/domain/Run.ts"
import type { MemoryTables } from "../../src/port/MemoryState.ts"
import type { RunClaim } from "../../src/port/RunRequest.ts"
import { RunStore } from "../../src/port/RunStore.ts"
import { altered, type Broken } from "./Broken.ts"
import { changed, passedOffAs, rowOf } from "./runRow.ts"

/** The Claim under whatever Fence is the newest. */
const anyFence = (state: MemoryTables, claim: RunClaim): RunClaim => ({
  ...claim,
  fence: rowOf(state, claim.run.id)?.fence ?? claim.fence
})

/** RunStores that are broken where Runs are made, taken and kept. */
export const brokenRunStores: ReadonlyArray<Broken> = [
  {
    what: "a RunStore that makes Runs under any Fence of their Job",
    contract: "RunStore",
    violates: ["INV-1"],
    layer: altered(RunStore, (original, { jobs }) => ({
      create: (request) => original.create({ ...request, fence: jobs.get(request.job)?.fence ?? request.fence })
    }))
  },
  {
    what: "a RunStore that makes several Runs of one Job",
    contract: "RunStore",
    violates: ["H12"],
    layer: altered(RunStore, (original, { runs }) => ({
      create: (request) =>
        Effect.suspend(() => {
          const others = [...runs].filter(([id]) => id !== request.id)
          for (const [id] of others) runs.delete(id)
          return Effect.ensuring(
            original.create(request),
            Effect.sync(() => {
              for (const [id, row] of others) runs.set(id, row)
            })
          )
        })
    }))
  },
  {
    what: "a RunStore in which a Run is anew what it was made as when it is made again",
    contract: "RunStore",
    violates: ["H12"],
    layer: altered(RunStore, (original, { runs }) => ({
      create: (request) => {
        if (runs.get(request.id)?.job === request.job) runs.delete(request.id)
        return original.create(request)
      }
    }))
  },
  {
    what: "a RunStore that gives a Run to who is older than its holder",
    contract: "RunStore",
    violates: ["H31 a Run", "H31 of several"],
    layer: altered(RunStore, (original, { runs }) => ({
      take: (job, fence) => {
        const row = [...runs.values()].find((each) => each.job === job)
        if (row !== undefined) row.fence = Fence.make(1)
        return original.take(job, fence)
      }
    }))
  },
  {
    what: "a RunStore that records under any Fence",
    contract: "RunStore",
    violates: ["H31 a Run"],
    layer: altered(RunStore, (original, state) => ({
      record: (claim, progress) => original.record(anyFence(state, claim), progress)
    }))
  },
  {
    what: "a RunStore that ends Runs under any Fence",
    contract: "RunStore",
    violates: ["H31 a Run"],
    layer: altered(RunStore, (original, state) => ({
      finish: (claim, cleanup) => original.finish(anyFence(state, claim), cleanup)
    }))
  },
  {
    what: "a RunStore that knows nothing of a Run that has ended",
    contract: "RunStore",
    violates: ["H31 a Run", "H17"],
    layer: altered(RunStore, (original) => ({
      take: (job, fence) =>
        Effect.map(original.take(job, fence), (claim) =>
          claim === undefined || isOver(claim.run.status) ? undefined : claim
        )
    }))
  },
  {
    what: "a RunStore that forgets the Credentials",
    contract: "RunStore",
    violates: ["H29"],
    layer: altered(RunStore, (original) => ({
      record: (claim, { credentials: _, ...progress }) => original.record(claim, progress)
    }))
  },
  {
    what: "a RunStore that takes nothing for left before it is torn down",
    contract: "RunStore",
    violates: ["H37 from"],
    layer: altered(RunStore, (original, state) => ({
      record: (claim, progress) =>
        Effect.tap(original.record(claim, progress), () =>
          Effect.sync(() => changed(rowOf(state, claim.run.id), { cleanup: claim.run.cleanup }))
        )
    }))
  },
  {
    what: "a RunStore that knows only the steps that were recorded last",
    contract: "RunStore",
    violates: ["H37 from"],
    layer: altered(RunStore, (original, state) => ({
      record: (claim, progress) => {
        if (progress.steps !== undefined) changed(rowOf(state, claim.run.id), { steps: [] })
        return original.record(claim, progress)
      }
    }))
  },
  {
    what: "a RunStore in which what has ended is still somebody's",
    contract: "RunStore",
    violates: ["H37 whatever"],
    layer: altered(RunStore, (original, { runs }) => ({
      unowned: (ids) => Effect.map(original.unowned(ids), (left) => left.filter((id) => !runs.has(id)))
    }))
  },
  {
    what: "a RunStore that lists the oldest Runs of a page first",
    contract: "RunStore",
    violates: ["RunStore-1"],
    layer: altered(RunStore, (original) => ({
      list: (filter, page) =>
        Effect.map(original.list(filter, page), ({ items, nextCursor }) => ({
          items: [...items].reverse(),
          nextCursor
        }))
    }))
  },
  {
    what: "a RunStore that keeps what is torn down",
    contract: "RunStore",
    violates: ["H40 a Run says"],
    layer: altered(RunStore, (original, state) => ({
      keep: (id, until) => {
        const row = rowOf(state, id)
        const keep = original.keep(id, until)
        return row?.run.status === "teardown" ? passedOffAs(row, "running", keep) : keep
      }
    }))
  },
  {
    what: "a RunStore that tears a Run down whatever its holder has seen",
    contract: "RunStore",
    violates: ["H40 a Run that is kept"],
    layer: altered(RunStore, (original) => ({ tearDown: (claim) => original.tearDown(claim) }))
  },
  {
    what: "a RunStore that keeps what somebody asked to end",
    contract: "RunStore",
    violates: ["H40 a Run that will not"],
    layer: altered(RunStore, (original, state) => ({
      keep: (id, until) => {
        const row = rowOf(state, id)
        const isAsked = row?.run.cancelling === true
        changed(row, { cancelling: false })
        return Effect.ensuring(
          original.keep(id, until),
          Effect.sync(() => changed(row, { cancelling: isAsked }))
        )
      }
    }))
  },
  {
    what: "a RunStore that keeps what is to end as cancelled",
    contract: "RunStore",
    violates: ["H40 a Run that will not"],
    layer: altered(RunStore, (original, state) => ({
      keep: (id, until) => {
        const row = rowOf(state, id)
        if (row?.outcome === "cancelled" && !row.run.cancelling) row.outcome = undefined
        return original.keep(id, until)
      }
    }))
  },
  {
    what: "a RunStore that keeps what was lost",
    contract: "RunStore",
    violates: ["H40 a Run that will not"],
    layer: altered(RunStore, (original, state) => ({
      keep: (id, until) => {
        const row = rowOf(state, id)
        if (row?.run.error?.code === "server_lost") changed(row, { error: null })
        return original.keep(id, until)
      }
    }))
  },
  {
    what: "a RunStore that keeps what is done in the Slot of a Job that was asked to end",
    contract: "RunStore",
    violates: ["H40 a Run that will not"],
    layer: altered(RunStore, (original, state) => ({
      keep: (id, until) => {
        const row = rowOf(state, id)
        const job = row === undefined ? undefined : state.jobs.get(row.job)
        if (job !== undefined) job.isStopRequested = false
        return original.keep(id, until)
      }
    }))
  }
]
