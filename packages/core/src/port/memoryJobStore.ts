// The in-memory meaning of the JobStore: the same rules that a database enforces, one synchronous step each.
import { Clock, DateTime, Duration, Effect } from "effect"
import type { AppId } from "../domain/App.ts"
import { hasEnded, type Job, JobId } from "../domain/Job.ts"
import { Fence, type LeaseTerms, type ReplicaId } from "../domain/Lease.ts"
import { cut, type PageRequest } from "../domain/Page.ts"
import { maxJobCap, type TenantName } from "../domain/Tenant.ts"
import { LeaseLost } from "./Claim.ts"
import {
  type Begun,
  type JobClaim,
  type JobFilter,
  JobNotFound,
  type JobOutcome,
  jobQueueLimit,
  JobRefused,
  type JobRelease,
  type JobRequest,
  type Worker,
  waitingLeases
} from "./JobRequest.ts"
import type { JobStore } from "./JobStore.ts"
import { countsOf, pending } from "./memoryJobs.ts"
import { capOf, hasFreeSlot, isBehind, slotsTaken, waiting } from "./memorySlots.ts"
import { currentRelease, type JobRow, type MemoryTables, publishOf } from "./MemoryState.ts"

const refuse = (reason: JobRefused["reason"]) => new JobRefused({ reason })

/** Builds the store over the tables. */
export const makeMemoryJobs = (state: MemoryTables): typeof JobStore.Service => {
  const seen = (row: JobRow): Job => {
    const { position } = row
    const isEarlier = (other: { readonly position: number }) => other.position <= position
    const queuePosition = row.job.status === "queued" ? waiting(state, row.job.tenant).filter(isEarlier).length : null
    return { ...row.job, items: countsOf(row.items), queuePosition }
  }

  const moved = (now: DateTime.Utc, row: JobRow, change: Partial<Job>): Job => {
    row.job = { ...row.job, ...change }
    publishOf(state, now, `job.${row.job.status}`, row.job, row.job.id)
    return seen(row)
  }

  const claimed = (row: JobRow, by: Worker, millis: number): JobClaim => {
    row.fence = Fence.make(row.fence + 1)
    row.replica = by.replica
    row.leaseUntil = millis + Duration.toMillis(by.terms.ttl)
    const { fence, recoveries, task } = row
    return { job: seen(row), task, of: row.of ?? null, fence, replica: by.replica, recoveries }
  }

  const isAdmissible = ({ job, position }: JobRow): boolean =>
    job.status === "queued" && hasFreeSlot(state, job.tenant) && !isBehind(state, job.tenant, position)

  const taken = (now: DateTime.Utc, row: JobRow, by: Worker): JobClaim => {
    moved(now, row, { status: "running", startedAt: now, finishedAt: null, exitCode: null })
    return claimed(row, by, DateTime.toEpochMillis(now))
  }

  /** The Tenant of what is asked for and, with an App, the Release in which it is to run. */
  const placed = Effect.fnUntraced(function* (of: JobRequest["of"], hasCommand: boolean) {
    if ("tenant" in of) return { tenant: of.tenant, app: null, release: undefined }
    const app = state.apps.get(of.app)?.app
    if (app === undefined || app.status === "deleted") return yield* refuse({ _tag: "AppGone", app: of.app })
    if (app.status !== "live") return yield* refuse({ _tag: "AppNotLive", app: app.id, status: app.status })
    const release = hasCommand ? yield* releaseOf(app.id) : undefined
    return { tenant: app.tenant, app: app.id, release }
  })

  const releaseOf = Effect.fnUntraced(function* (app: AppId) {
    const release = currentRelease(state, app)
    if (release === undefined) return yield* refuse({ _tag: "NoRelease", app })
    const of: JobRelease = { release: release.id, image: release.image, envRevision: release.envRevision }
    return of
  })

  /** Whether there is room: for whoever does not wait a Slot, for others a place in the queue. */
  const ensureRoom = Effect.fnUntraced(function* (tenant: TenantName, onFull: JobRequest["onFull"]) {
    const isNext = hasFreeSlot(state, tenant) && !isBehind(state, tenant, Number.POSITIVE_INFINITY)
    if (isNext) return
    const limit = capOf(state, tenant) ?? maxJobCap
    if (onFull === "reject") return yield* refuse({ _tag: "JobCapReached", limit, running: slotsTaken(state, tenant) })
    if (waiting(state, tenant).length >= jobQueueLimit) {
      return yield* refuse({ _tag: "QueueFull", limit: jobQueueLimit })
    }
  })

  const entered = (now: DateTime.Utc, row: JobRow, by: Worker): Begun => {
    row.job = { ...row.job, status: "queued" }
    if (!isAdmissible(row)) {
      waits(row, by, DateTime.toEpochMillis(now))
      return { job: moved(now, row, {}), claim: undefined, created: true }
    }
    const claim = taken(now, row, by)
    return { job: claim.job, claim, created: true }
  }

  /** What has no command is carried out by whoever asked for it, and waits for as long as that one asks for it. */
  const waits = (row: JobRow, by: Worker, millis: number): void => {
    if (row.task.command !== null) return
    row.replica = by.replica
    row.leaseUntil = millis + waitingLeases * Duration.toMillis(by.terms.ttl)
  }

  const keyed = ({ key, of }: JobRequest): JobRow | undefined =>
    [...state.jobs.values()].find(
      (row) => key !== undefined && row.key === key && "tenant" in of && row.job.tenant === of.tenant
    )

  const begin = Effect.fnUntraced(function* (request: JobRequest) {
    const now = yield* DateTime.now
    const earlier = keyed(request)
    if (earlier !== undefined) return { job: seen(earlier), claim: undefined, created: false }
    const { app, release, tenant } = yield* placed(request.of, request.task.command !== null)
    yield* ensureRoom(tenant, request.onFull)
    const position = ++state.sequence
    const row: JobRow = {
      job: {
        id: JobId.make(`job_${position}`),
        tenant,
        app,
        kind: request.items !== undefined ? "batch" : request.task.command === null ? "slot" : "command",
        status: "queued",
        attempt: 1,
        exitCode: null,
        items: { total: 0, done: 0, failed: 0 },
        queuePosition: null,
        createdAt: now,
        startedAt: null,
        finishedAt: null
      },
      position,
      listed: position,
      task: request.task,
      onFull: request.onFull,
      of: release,
      items: (request.items ?? []).map(pending),
      key: request.key,
      ttlSeconds: request.ttlSeconds,
      fence: Fence.make(0),
      replica: undefined,
      leaseUntil: 0,
      recoveries: 0,
      isStopRequested: false
    }
    state.jobs.set(row.job.id, row)
    return entered(now, row, request.by)
  })

  const rerun = Effect.fnUntraced(function* (job: JobId, by: Worker) {
    const now = yield* DateTime.now
    const row = yield* found(job)
    if (!hasEnded(row.job.status)) return yield* refuse({ _tag: "AlreadyRunning" })
    if (row.job.status === "succeeded" || row.job.kind === "slot") return yield* refuse({ _tag: "NothingToDo" })
    const of = row.job.app === null ? { tenant: row.job.tenant } : { app: row.job.app }
    const { release, tenant } = yield* placed(of, row.task.command !== null)
    yield* ensureRoom(tenant, row.onFull)
    row.of = release
    row.recoveries = 0
    row.isStopRequested = false
    row.position = ++state.sequence
    row.items.forEach((item, index) => {
      if (item.status === "failed") row.items[index] = pending(item.item, index)
    })
    const { attempt } = row.job
    row.job = { ...row.job, attempt: attempt + 1, exitCode: null, startedAt: null, finishedAt: null }
    return entered(now, row, by)
  })

  const found = Effect.fnUntraced(function* (job: JobId) {
    return state.jobs.get(job) ?? (yield* new JobNotFound({ job }))
  })

  const list = ({ app, status, tenant }: JobFilter, page: PageRequest) =>
    Effect.sync(() => {
      const before = page.cursor === undefined ? Number.POSITIVE_INFINITY : Number(page.cursor)
      const rows = [...state.jobs.values()]
        .filter(({ job, listed }) => listed < before && job.tenant === (tenant ?? job.tenant))
        .filter(({ job }) => job.app === (app ?? job.app) && job.status === (status ?? job.status))
        .reverse()
      return cut(page, rows.slice(0, page.limit + 1), ({ listed }) => listed, seen)
    })

  const next = (isAsked: (row: JobRow) => boolean): JobRow | undefined =>
    [...state.jobs.values()]
      .filter((row) => isAdmissible(row) && isAsked(row))
      .toSorted((a, b) => a.position - b.position)[0]

  const admit = Effect.fnUntraced(function* (by: Worker, limit: number) {
    const now = yield* DateTime.now
    const claims: Array<JobClaim> = []
    while (claims.length < limit) {
      const row = next(({ task }) => task.command !== null)
      if (row === undefined) break
      claims.push(taken(now, row, by))
    }
    return claims
  })

  const admitJob = Effect.fnUntraced(function* (by: Worker, job: JobId) {
    const now = yield* DateTime.now
    const asked = state.jobs.get(job)
    if (asked?.job.status === "queued" && asked.replica === by.replica) waits(asked, by, DateTime.toEpochMillis(now))
    const row = next((one) => one.job.id === job)
    return row === undefined ? undefined : taken(now, row, by)
  })

  const held = Effect.fnUntraced(function* ({ fence, job }: JobClaim) {
    const row = state.jobs.get(job.id)
    if (row?.job.status !== "running" || row.fence !== fence) return yield* new LeaseLost({ work: job.id })
    return row
  })

  const renew = Effect.fnUntraced(function* (claim: JobClaim, terms: LeaseTerms) {
    const millis = yield* Clock.currentTimeMillis
    const row = yield* held(claim)
    if (row.leaseUntil <= millis) return yield* new LeaseLost({ work: claim.job.id })
    row.leaseUntil = millis + Duration.toMillis(terms.ttl)
  })

  const requestCancel = Effect.fnUntraced(function* (job: JobId) {
    const now = yield* DateTime.now
    const row = yield* found(job)
    if (row.job.status === "queued") return moved(now, row, { status: "cancelled", finishedAt: now })
    if (row.job.status === "running") row.isStopRequested = true
    return seen(row)
  })

  const finish = Effect.fnUntraced(function* (claim: JobClaim, { exitCode, status }: JobOutcome) {
    const now = yield* DateTime.now
    const row = yield* held(claim)
    const { done, total } = countsOf(row.items)
    if (status === "succeeded" && done < total) return yield* new LeaseLost({ work: claim.job.id })
    return moved(now, row, { status: row.isStopRequested ? "cancelled" : status, exitCode, finishedAt: now })
  })

  const giveBack = Effect.fnUntraced(function* (claim: JobClaim) {
    const now = yield* DateTime.now
    const row = yield* held(claim)
    if (row.task.command === null && !row.isStopRequested) return yield* new LeaseLost({ work: claim.job.id })
    return row.isStopRequested
      ? moved(now, row, { status: "cancelled", finishedAt: now })
      : moved(now, row, { status: "queued", startedAt: null })
  })

  const abandon = (replica: ReplicaId) =>
    Effect.sync(() => {
      for (const row of state.jobs.values()) if (row.replica === replica) row.leaseUntil = 0
    })

  const claimAbandoned = Effect.fnUntraced(function* (by: Worker, limit: number) {
    const millis = yield* Clock.currentTimeMillis
    const now = DateTime.makeUnsafe(millis)
    for (const row of state.jobs.values()) {
      const isForgotten = row.job.status === "queued" && row.task.command === null && row.leaseUntil <= millis
      if (isForgotten) moved(now, row, { status: "cancelled", finishedAt: now })
    }
    const lost = [...state.jobs.values()].filter(
      ({ job, leaseUntil }) => job.status === "running" && leaseUntil <= millis
    )
    return lost.slice(0, limit).map((row) => {
      row.recoveries += 1
      return claimed(row, by, millis)
    })
  })

  return {
    begin,
    rerun,
    get: (job) => Effect.map(found(job), seen),
    list,
    admit,
    admitJob,
    renew,
    stopRequested: ({ job }) => Effect.sync(() => state.jobs.get(job.id)?.isStopRequested === true),
    requestCancel,
    finish,
    giveBack,
    abandon,
    claimAbandoned
  }
}
