// JobStores that make mistakes where Jobs begin and come to their Slots.

import { Effect } from "effect"
import type { AppId } from "../../src/domain/App.ts"
import type { JobId } from "../../src/domain/Job.ts"
import { defaultJobCap, type JobCap, type TenantName } from "../../src/domain/Tenant.ts"
import { JobRefused, type JobRequest } from "../../src/port/JobRequest.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import { hasFreeSlot } from "../../src/port/memorySlots.ts"
import type { MemoryTables } from "../../src/port/MemoryState.ts"
import { altered, type Broken } from "./Broken.ts"

const tenantOf = ({ apps }: MemoryTables, { of }: JobRequest): TenantName | undefined =>
  "tenant" in of ? of.tenant : apps.get(of.app)?.app.tenant

/** Does something under another cap. */
const underCap = <A, E>(
  { caps }: MemoryTables,
  tenant: TenantName | undefined,
  cap: JobCap,
  self: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    if (tenant === undefined) return self
    const kept = caps.get(tenant)
    caps.set(tenant, cap)
    return Effect.ensuring(
      self,
      Effect.sync(() => (kept === undefined ? caps.delete(tenant) : caps.set(tenant, kept)))
    )
  })

/** Does something while an App is live, whatever it is. */
const asLive = <A, E>({ apps }: MemoryTables, id: AppId, self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const row = apps.get(id)
    if (row === undefined) return self
    const { app } = row
    row.app = { ...app, status: "live" }
    return Effect.ensuring(
      self,
      Effect.sync(() => (row.app = app))
    )
  })

/** Does something while some of the Jobs that wait stand elsewhere in the queue. */
const movedTo = <A, E>(
  { jobs }: MemoryTables,
  position: number,
  isMoved: (job: JobId) => boolean,
  self: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const rows = [...jobs.values()].filter(({ job }) => job.status === "queued" && isMoved(job.id))
    const kept = rows.map((row) => ({ row, position: row.position }))
    for (const row of rows) row.position = position
    return Effect.ensuring(
      self,
      Effect.sync(() => kept.forEach(({ position, row }) => (row.position = position)))
    )
  })

const withoutCount = ({ reason }: JobRefused) =>
  new JobRefused({ reason: reason._tag === "JobCapReached" ? { ...reason, running: 0 } : reason })

/** JobStores that are broken in `begin` or `admit`. */
export const brokenJobAdmissions: ReadonlyArray<Broken> = [
  {
    what: "a JobStore that does not say in which Release a Job runs",
    contract: "JobStore",
    violates: ["K2 with a free Slot"],
    layer: altered(JobStore, (original) => ({
      begin: (request) =>
        Effect.map(original.begin(request), (begun) => ({
          ...begun,
          claim: begun.claim === undefined ? undefined : { ...begun.claim, of: null }
        }))
    }))
  },
  {
    what: "a JobStore that begins Jobs of an App that is stopped",
    contract: "JobStore",
    violates: ["K2 what is not there"],
    layer: altered(JobStore, (original, state) => ({
      begin: (request) =>
        "app" in request.of ? asLive(state, request.of.app, original.begin(request)) : original.begin(request)
    }))
  },
  {
    what: "a JobStore that lets wait who would rather be refused",
    contract: "JobStore",
    violates: ["K1 without a free Slot", "K1 of many", "INV-3", "X6 a cap", "K2 a Job is run again"],
    layer: altered(JobStore, (original) => ({
      begin: (request) => original.begin({ ...request, onFull: "queue" })
    }))
  },
  {
    what: "a JobStore that refuses a Job and does not say how many run",
    contract: "JobStore",
    violates: ["K1 without a free Slot", "X6 a cap"],
    layer: altered(JobStore, (original) => ({
      begin: (request) => Effect.catchTag(original.begin(request), "JobRefused", (error) => withoutCount(error))
    }))
  },
  {
    what: "a JobStore that looks for a free Slot, waits and takes it",
    contract: "JobStore",
    violates: ["K1 of many"],
    layer: altered(JobStore, (original, state) => ({
      begin: Effect.fnUntraced(function* (request) {
        const tenant = tenantOf(state, request)
        const isFree = tenant !== undefined && hasFreeSlot(state, tenant)
        yield* Effect.yieldNow
        return yield* isFree ? underCap(state, tenant, null, original.begin(request)) : original.begin(request)
      })
    }))
  },
  {
    what: "a JobStore that gives a Slot to who asks for it first",
    contract: "JobStore",
    violates: ["X6 Jobs and Deployments", "H45"],
    layer: altered(JobStore, (original, state) => ({
      admitJob: (by, job) => movedTo(state, -1, (id) => id === job, original.admitJob(by, job))
    }))
  },
  {
    what: "a JobStore that admits as many as wait, however few are asked for",
    contract: "JobStore",
    violates: ["K1 X6"],
    layer: altered(JobStore, (original) => ({ admit: (by) => original.admit(by, 100) }))
  },
  {
    what: "a JobStore that admits one however many are asked for",
    contract: "JobStore",
    violates: ["K1 X6"],
    layer: altered(JobStore, (original) => ({ admit: (by) => original.admit(by, 1) }))
  },
  {
    what: "a JobStore that admits many at once, Deployments or not",
    contract: "JobStore",
    violates: ["K1 X6"],
    layer: altered(JobStore, (original, { jobs }) => ({
      admit: (by, limit) =>
        Effect.suspend(() => {
          for (const row of jobs.values()) row.position -= 1_000_000
          return Effect.ensuring(
            original.admit(by, limit),
            Effect.sync(() => jobs.forEach((row) => (row.position += 1_000_000)))
          )
        })
    }))
  },
  {
    what: "a JobStore in which Jobs go before Deployments",
    contract: "JobStore",
    violates: ["X6 Jobs and Deployments"],
    layer: altered(JobStore, (original, { jobs }) => ({
      admitJob: (by, job) =>
        Effect.suspend(() => {
          for (const row of jobs.values()) row.position -= 1_000_000
          return Effect.ensuring(
            original.admitJob(by, job),
            Effect.sync(() => jobs.forEach((row) => (row.position += 1_000_000)))
          )
        })
    }))
  },
  {
    what: "a JobStore that gives the Slot of who waits to whoever comes",
    contract: "JobStore",
    violates: ["INV-3"],
    layer: altered(JobStore, (original, state) => ({
      begin: (request) => movedTo(state, Number.POSITIVE_INFINITY, () => true, original.begin(request))
    }))
  },
  {
    what: "a JobStore that takes no cap for the default one",
    contract: "JobStore",
    violates: ["X6 a cap"],
    layer: altered(JobStore, (original, state) => ({
      begin: (request) => {
        const tenant = tenantOf(state, request)
        const hasNone = tenant !== undefined && state.caps.get(tenant) === null
        return hasNone ? underCap(state, tenant, defaultJobCap, original.begin(request)) : original.begin(request)
      }
    }))
  },
  {
    what: "a JobStore that makes a new Job for a key that it has seen",
    contract: "JobStore",
    violates: ["X10"],
    layer: altered(JobStore, (original) => ({
      begin: (request) => original.begin({ ...request, key: undefined })
    }))
  },
  {
    what: "a JobStore in which a key is the first Tenant's that uses it",
    contract: "JobStore",
    violates: ["X10"],
    layer: altered(JobStore, (original, { jobs }) => ({
      begin: (request) => {
        const first = [...jobs.values()].find(({ key }) => key !== undefined && key === request.key)
        return original.begin(first === undefined ? request : { ...request, of: { tenant: first.job.tenant } })
      }
    }))
  },
  {
    what: "a JobStore that says of a Job that there was that it has made it",
    contract: "JobStore",
    violates: ["X10"],
    layer: altered(JobStore, (original) => ({
      begin: (request) => Effect.map(original.begin(request), (begun) => ({ ...begun, created: true }))
    }))
  },
  {
    what: "a JobStore that gives to whoever asks for work what only its caller carries out",
    contract: "JobStore",
    violates: ["K1 X6", "K3 what only its caller"],
    layer: altered(JobStore, (original, { jobs }) => ({
      admit: (by, limit) => {
        const first = [...jobs.values()].find((row) => row.job.status === "queued")
        const given = first === undefined ? Effect.undefined : original.admitJob(by, first.job.id)
        return Effect.flatMap(given, (claim) =>
          claim === undefined ? original.admit(by, limit) : Effect.succeed([claim])
        )
      }
    }))
  },
  {
    what: "a JobStore in which a Job waits for ever for a caller that is gone",
    contract: "JobStore",
    violates: ["K3 what only its caller"],
    layer: altered(JobStore, (original, { jobs }) => ({
      claimAbandoned: (by, limit) =>
        Effect.suspend(() => {
          for (const row of jobs.values()) {
            if (row.job.status === "queued") row.leaseUntil = Number.POSITIVE_INFINITY
          }
          return original.claimAbandoned(by, limit)
        })
    }))
  },
  {
    what: "a JobStore that forgets a caller that still waits",
    contract: "JobStore",
    violates: ["K3 what only its caller"],
    layer: altered(JobStore, (original, { jobs }) => ({
      admitJob: (by, job) =>
        Effect.suspend(() => {
          const row = jobs.get(job)
          const until = row?.leaseUntil ?? 0
          return Effect.tap(original.admitJob(by, job), (claim) =>
            Effect.sync(() => {
              if (row !== undefined && claim === undefined) row.leaseUntil = until
            })
          )
        })
    }))
  }
]
