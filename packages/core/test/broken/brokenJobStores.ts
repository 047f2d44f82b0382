// JobStores that make mistakes where Jobs change hands, end and are run again.

import { Clock, DateTime, Effect } from "effect"
import { hasEnded, type JobStatus } from "../../src/domain/Job.ts"
import { Fence } from "../../src/domain/Lease.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import type { JobClaim } from "../../src/port/JobRequest.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import { type JobRow, type MemoryTables, publishOf } from "../../src/port/MemoryState.ts"
import { altered, type Broken } from "./Broken.ts"

const rowOf = ({ jobs }: MemoryTables, claim: JobClaim): JobRow | undefined => {
  const row = jobs.get(claim.job.id)
  return row?.fence === claim.fence ? row : undefined
}

/** Does something while a Job has another status; if that fails, it has its own again. */
const passedOffAs = <A, E>(row: JobRow, status: JobStatus, self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const { job } = row
    row.job = { ...job, status }
    return Effect.onError(self, () => Effect.sync(() => (row.job = job)))
  })

const withFence = (state: MemoryTables, claim: JobClaim, fence: Fence): JobClaim => {
  const row = state.jobs.get(claim.job.id)
  if (row !== undefined) row.fence = fence
  return { ...claim, fence }
}

/** JobStores that are broken where leases and Fences are kept. */
const brokenLeases: ReadonlyArray<Broken> = [
  {
    what: "a JobStore that takes a Job over under the Fence that it had",
    contract: "JobStore",
    violates: ["INV-1 a Job whose lease ran out"],
    layer: altered(JobStore, (original, state) => ({
      claimAbandoned: (by, limit) =>
        Effect.map(original.claimAbandoned(by, limit), (claims) =>
          claims.map((claim) => withFence(state, claim, Fence.make(claim.fence - 1)))
        )
    }))
  },
  {
    what: "a JobStore that does not count how often a Job was lost",
    contract: "JobStore",
    violates: ["INV-1 a Job whose lease ran out", "H45"],
    layer: altered(JobStore, (original, { jobs }) => ({
      claimAbandoned: (by, limit) =>
        Effect.map(original.claimAbandoned(by, limit), (claims) =>
          claims.map((claim) => {
            const row = jobs.get(claim.job.id)
            if (row !== undefined) row.recoveries = 0
            return { ...claim, recoveries: 0 }
          })
        )
    }))
  },
  {
    what: "a JobStore that renews what has run out",
    contract: "JobStore",
    violates: ["INV-1 a Job whose lease ran out"],
    layer: altered(JobStore, (original, state) => ({
      renew: (claim, terms) =>
        Effect.suspend(() => {
          const row = rowOf(state, claim)
          if (row !== undefined) row.leaseUntil = Number.POSITIVE_INFINITY
          return original.renew(claim, terms)
        })
    }))
  },
  {
    what: "a JobStore that looks for what is abandoned, waits and takes it",
    contract: "JobStore",
    violates: ["INV-1 a Job whose lease ran out"],
    layer: altered(JobStore, (original, { jobs }) => ({
      claimAbandoned: Effect.fnUntraced(function* (by, limit) {
        const now = yield* Clock.currentTimeMillis
        const found = [...jobs.values()].filter(({ leaseUntil }) => leaseUntil <= now)
        yield* Effect.yieldNow
        for (const row of found) row.leaseUntil = 0
        return yield* original.claimAbandoned(by, limit)
      })
    }))
  },
  {
    what: "a JobStore whose leases do not last longer when they are renewed",
    contract: "JobStore",
    violates: ["INV-1 a lease that is renewed"],
    layer: altered(JobStore, (original, state) => ({
      renew: (claim, terms) =>
        Effect.suspend(() => {
          const row = rowOf(state, claim)
          const before = row?.leaseUntil ?? 0
          return Effect.tap(original.renew(claim, terms), () =>
            Effect.sync(() => {
              if (row !== undefined) row.leaseUntil = before
            })
          )
        })
    }))
  },
  {
    what: "a JobStore that ends Jobs under any Fence",
    contract: "JobStore",
    violates: ["INV-1 a Job whose lease ran out", "K9"],
    layer: altered(JobStore, (original, { jobs }) => ({
      finish: (claim, outcome) =>
        original.finish({ ...claim, fence: jobs.get(claim.job.id)?.fence ?? claim.fence }, outcome)
    }))
  },
  {
    what: "a JobStore that hands out what has ended as abandoned",
    contract: "JobStore",
    violates: ["INV-1 a lease that is renewed"],
    layer: altered(JobStore, (original, { jobs }) => ({
      claimAbandoned: Effect.fnUntraced(function* (by, limit) {
        const claims = yield* original.claimAbandoned(by, limit)
        const ended = [...jobs.values()].filter(({ job }) => hasEnded(job.status))
        const more = ended.map(({ fence, job, of, recoveries, task }) => {
          const claim: JobClaim = { job, task, of: of ?? null, fence, replica: by.replica, recoveries }
          return claim
        })
        return [...claims, ...more].slice(0, limit)
      })
    }))
  }
]

/** JobStores that are broken where Jobs end or wait again. */
const brokenEnds: ReadonlyArray<Broken> = [
  {
    what: "a JobStore that ends a Job a second time",
    contract: "JobStore",
    violates: ["K3 every end"],
    layer: altered(JobStore, (original, state) => ({
      finish: (claim, outcome) => {
        const row = rowOf(state, claim)
        const finish = original.finish(claim, outcome)
        return row !== undefined && hasEnded(row.job.status) ? passedOffAs(row, "running", finish) : finish
      }
    }))
  },
  {
    what: "a JobStore that does not keep with what code a Job ended",
    contract: "JobStore",
    violates: ["K3 every end"],
    layer: altered(JobStore, (original) => ({
      finish: (claim, outcome) => original.finish(claim, { ...outcome, exitCode: null })
    }))
  },
  {
    what: "a JobStore that puts what is given back at the end of the queue",
    contract: "JobStore",
    violates: ["H45"],
    layer: altered(JobStore, (original, state) => ({
      giveBack: (claim) => {
        const row = rowOf(state, claim)
        if (row !== undefined) row.position = ++state.sequence
        return original.giveBack(claim)
      }
    }))
  },
  {
    what: "a JobStore that forgets a request to stop when the holder says how the Job ended",
    contract: "JobStore",
    violates: ["INV-4"],
    layer: altered(JobStore, (original, state) => ({
      finish: (claim, outcome) => {
        const row = rowOf(state, claim)
        if (row !== undefined) row.isStopRequested = false
        return original.finish(claim, outcome)
      }
    }))
  },
  {
    what: "a JobStore that withdraws nothing that waits",
    contract: "JobStore",
    violates: ["INV-4", "X12"],
    layer: altered(JobStore, (original, { jobs }) => ({
      requestCancel: (job) => (jobs.get(job)?.job.status === "queued" ? original.get(job) : original.requestCancel(job))
    }))
  },
  {
    what: "a JobStore that keeps it to itself that the App of a Job has ended",
    contract: "JobStore",
    violates: ["INV-6"],
    layer: altered(JobStore, (original, { apps }) => ({
      stopRequested: (claim) => {
        const app = claim.job.app === null ? undefined : apps.get(claim.job.app)?.app
        return app === undefined || app.status === "live" ? original.stopRequested(claim) : Effect.succeed(false)
      }
    }))
  },
  {
    what: "an AppStore that settles an App while a Job of it runs",
    contract: "JobStore",
    violates: ["INV-6"],
    layer: altered(AppStore, (original, { jobs }) => ({
      settle: (ending) =>
        Effect.suspend(() => {
          const running = [...jobs.values()].find(({ job }) => job.app === ending.app.id && job.status === "running")
          if (running === undefined) return original.settle(ending)
          const { job } = running
          running.job = { ...job, status: "cancelled" }
          return Effect.ensuring(
            original.settle(ending),
            Effect.sync(() => (running.job = job))
          )
        })
    }))
  },
  {
    what: "a JobStore that says twice that a Job has ended",
    contract: "JobStore",
    violates: ["X12"],
    layer: altered(JobStore, (original, state) => ({
      finish: (claim, outcome) =>
        Effect.tap(original.finish(claim, outcome), (job) =>
          Effect.map(DateTime.now, (now) => publishOf(state, now, `job.${job.status}`, job, job.id))
        )
    }))
  },
  {
    what: "a JobStore that lists the Jobs of all Apps",
    contract: "JobStore",
    violates: ["JobStore-1"],
    layer: altered(JobStore, (original) => ({
      list: ({ status, tenant }, page) => original.list({ status, tenant }, page)
    }))
  },
  {
    what: "a JobStore that lists the oldest Jobs of a page first",
    contract: "JobStore",
    violates: ["JobStore-1"],
    layer: altered(JobStore, (original) => ({
      list: (filter, page) =>
        Effect.map(original.list(filter, page), ({ items, nextCursor }) => ({
          items: [...items].reverse(),
          nextCursor
        }))
    }))
  }
]

/** JobStores that are broken where Jobs are run again. */
const brokenReruns: ReadonlyArray<Broken> = [
  {
    what: "a JobStore that runs again what has succeeded",
    contract: "JobStore",
    violates: ["K9"],
    layer: altered(JobStore, (original, { jobs }) => ({
      rerun: (job, by) => {
        const row = jobs.get(job)
        const rerun = original.rerun(job, by)
        return row?.job.status === "succeeded" ? passedOffAs(row, "failed", rerun) : rerun
      }
    }))
  },
  {
    what: "a JobStore that looks whether a Job has ended, waits and runs it again",
    contract: "JobStore",
    violates: ["K9"],
    layer: altered(JobStore, (original, { jobs }) => ({
      rerun: Effect.fnUntraced(function* (job, by) {
        const row = jobs.get(job)
        const isFailed = row?.job.status === "failed"
        yield* Effect.yieldNow
        const rerun = original.rerun(job, by)
        return yield* isFailed ? passedOffAs(row, "failed", rerun) : rerun
      })
    }))
  },
  {
    what: "a JobStore that runs a Job again in the Release that it ran in first",
    contract: "JobStore",
    violates: ["K2 a Job is run again"],
    layer: altered(JobStore, (original, { jobs }) => ({
      rerun: (job, by) => {
        const row = jobs.get(job)
        const of = row?.of
        return Effect.map(original.rerun(job, by), (begun) => {
          if (row !== undefined) row.of = of
          return { ...begun, claim: begun.claim === undefined ? undefined : { ...begun.claim, of: of ?? null } }
        })
      }
    }))
  }
]

/** JobStores that are broken in another way than how Jobs begin. */
export const brokenJobStores: ReadonlyArray<Broken> = [...brokenLeases, ...brokenEnds, ...brokenReruns]
