// Jobs on PostgreSQL. Who takes several rows takes the Tenant first, then the App, then the Job. How they begin is in
// internal/beginJob.ts, and whose turn it is in internal/slots.ts.

import { isJobId, type Job, JobId, JobStatus } from "@lockkeeper/core/domain/Job"
import type { LeaseTerms, ReplicaId } from "@lockkeeper/core/domain/Lease"
import { cut, type Page, type PageRequest } from "@lockkeeper/core/domain/Page"
import { LeaseLost } from "@lockkeeper/core/port/Claim"
import {
  type JobClaim,
  type JobFilter,
  JobNotFound,
  type JobOutcome,
  type Worker,
  waitingLeases
} from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Duration, Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { beginJob, taken, waitingUntil } from "./internal/beginJob.ts"
import { leaseEnd } from "./internal/claims.ts"
import { database, rowsOf } from "./internal/Database.ts"
import {
  freedSlots,
  heldJobColumns,
  heldJobRows,
  jobClaimOf,
  jobColumns,
  jobRows,
  listedJobRows,
  moveJobs
} from "./internal/jobRows.ts"
import { type Candidate, slots } from "./internal/slots.ts"

const stopRows = rowsOf(Schema.Struct({ asked: Schema.Boolean }))
const lostRows = rowsOf(Schema.Struct({ id: JobId, status: JobStatus }))

/** What came of one try: a Claim, nothing to do for this Tenant, or somebody else is at it. */
type Attempt = JobClaim | "nothing" | "locked"

/** Makes the store. */
export const make: Effect.Effect<JobStore["Service"], never, SqlClient.SqlClient> = Effect.gen(function* () {
  const db = yield* database
  const { sql } = db
  const slot = slots(db)
  const columns = sql.literal(jobColumns)

  const orLost = Effect.fnUntraced(function* ({ job }: JobClaim, rows: ReadonlyArray<Job>) {
    const [row] = rows
    return row ?? (yield* new LeaseLost({ work: job.id }))
  })

  const found = Effect.fnUntraced(function* (job: JobId) {
    const [row] = yield* jobRows(sql`select ${columns} from jobs j where j.id = ${job}`)
    return row ?? (yield* new JobNotFound({ job }))
  })

  const get = (job: JobId) => db.statement("JobStore.get", found(job))

  const list = ({ app, status, tenant }: JobFilter, page: PageRequest) =>
    db.statement<Page<Job>>(
      "JobStore.list",
      Effect.map(
        listedJobRows(sql`select ${columns}, j.listed from jobs j
          where j.tenant = coalesce(${tenant ?? null}, j.tenant)
            and (${app ?? null}::text is null or j.app = ${app ?? null})
            and j.status = coalesce(${status ?? null}, j.status)
            and (${page.cursor ?? null}::bigint is null or j.listed < ${page.cursor ?? null}::bigint)
          order by j.listed desc limit ${page.limit + 1}`),
        (rows) =>
          cut(
            page,
            rows,
            ({ listed }) => listed,
            ({ listed: _, ...job }): Job => job
          )
      )
    )

  const attempt = (by: Worker, { served, tenant }: Candidate, job: JobId | undefined, wait: boolean) =>
    db.transaction<Attempt>("JobStore.admit", (lockTimeout) =>
      Effect.gen(function* () {
        const state = yield* slot.locked(tenant, { served: wait ? undefined : served, lockTimeout })
        if (state === undefined) return "locked"
        const { id, isFree, kind } = state
        if (job === undefined && kind !== "job") return "nothing"
        if (!isFree || id === null || !isJobId(id) || id !== (job ?? id)) return "nothing"
        const [row] = yield* heldJobRows(taken(db, id, state.slot, by))
        return row === undefined ? "locked" : jobClaimOf(row)
      })
    )

  const stillWaiting = (by: Worker, job: JobId) =>
    db.statement<void>(
      "JobStore.admit",
      Effect.asVoid(sql`update jobs set lease_until = ${waitingUntil(sql, by)}
        where id = ${job} and status = 'queued' and command is null and replica = ${by.replica}
          and lease_until < clock_timestamp() + ${(Duration.toMillis(by.terms.ttl) * waitingLeases) / 2}::float8 * interval '1 millisecond'`)
    )

  const admit = Effect.fnUntraced(function* (
    by: Worker,
    job?: JobId
  ): Effect.fn.Return<JobClaim | undefined, StoreError> {
    if (job !== undefined) yield* stillWaiting(by, job)
    const candidates = job === undefined ? slot.candidates("job") : slot.candidateOf("job", job)
    let tenants = yield* db.statement<ReadonlyArray<Candidate>>("JobStore.admit", candidates)
    for (const wait of [false, true, true]) {
      const locked: Array<Candidate> = []
      for (const tenant of tenants) {
        const outcome = yield* passingOver(job, attempt(by, tenant, job, wait))
        if (outcome === "locked") locked.push(tenant)
        else if (outcome !== "nothing") return outcome
      }
      tenants = locked
    }
    return undefined
  })

  const renew = ({ fence, job }: JobClaim, terms: LeaseTerms) =>
    db.statement(
      "JobStore.renew",
      Effect.gen(function* () {
        const renewed = yield* sql`update jobs set lease_until = ${leaseEnd(sql, terms)}
          where id = ${job.id} and fence = ${fence} and status = 'running' and lease_until > clock_timestamp()
          returning id`
        if (renewed.length === 0) return yield* new LeaseLost({ work: job.id })
      })
    )

  const stopRequested = ({ job }: JobClaim) =>
    db.statement<boolean>(
      "JobStore.stopRequested",
      Effect.map(
        stopRows(sql`select stop_requested_at is not null as asked from jobs where id = ${job.id}`),
        ([row]) => row?.asked === true
      )
    )

  const requestCancel = (job: JobId) =>
    db.transaction(
      "JobStore.requestCancel",
      Effect.gen(function* () {
        yield* sql`select from jobs where id = ${job} for no key update`
        yield* sql`update jobs set stop_requested_at = clock_timestamp()
          where id = ${job} and status = 'running' and stop_requested_at is null`
        const [withdrawn] = yield* jobRows(
          moveJobs(
            sql,
            sql`update jobs j set status = 'cancelled', finished_at = clock_timestamp(), lease_until = null
              where j.id = ${job} and j.status = 'queued' returning j.*`
          )
        )
        return withdrawn ?? (yield* found(job))
      })
    )

  /** One statement is a transaction of its own: it says itself how long it waits for the row. */
  const finish = (claim: JobClaim, { exitCode, status }: JobOutcome) =>
    db.statement<Job, LeaseLost>(
      "JobStore.finish",
      Effect.flatMap(
        jobRows(
          moveJobs(
            sql,
            sql`update jobs j set status = case when stop_requested_at is null then ${status} else 'cancelled' end,
                exit_code = ${exitCode}::int, finished_at = clock_timestamp(), lease_until = null, slot = null
              from (select ${db.limits()} offset 0) l
              where j.id = ${claim.job.id} and j.fence = ${claim.fence} and j.status = 'running'
                and (${status}::text <> 'succeeded' or j.items_done = j.items_total)
              returning j.*`,
            freedSlots(sql)
          )
        ),
        (rows) => orLost(claim, rows)
      )
    )

  const giveBack = (claim: JobClaim) =>
    db.transaction(
      "JobStore.giveBack",
      Effect.gen(function* () {
        const { fence, job } = claim
        const given = yield* moveJobs(
          sql,
          sql`update jobs j set status = case when stop_requested_at is null then 'queued' else 'cancelled' end,
              finished_at = case when stop_requested_at is null then null else clock_timestamp() end,
              started_at = case when stop_requested_at is null then null else started_at end,
              lease_until = null, slot = null
            where j.id = ${job.id} and j.fence = ${fence} and j.status = 'running'
              and (j.command is not null or j.stop_requested_at is not null) returning j.*`,
          freedSlots(sql)
        )
        if (given.length === 0) return yield* new LeaseLost({ work: job.id })
        return yield* Effect.catchTag(found(job.id), "JobNotFound", Effect.die)
      })
    )

  const abandon = (replica: ReplicaId) =>
    db.statement<void>(
      "JobStore.abandon",
      Effect.asVoid(sql`update jobs set lease_until = clock_timestamp()
        where replica = ${replica} and lease_until > clock_timestamp()`)
    )

  /** Whoever waited for these is gone. */
  const forgotten = moveJobs(
    sql,
    sql`update jobs j set status = 'cancelled', finished_at = clock_timestamp(), lease_until = null
      where j.status = 'queued' and j.lease_until <= clock_timestamp() returning j.*`
  )

  const takeOver = (by: Worker, job: JobId) =>
    db.transaction<Attempt>(
      "JobStore.claimAbandoned",
      Effect.gen(function* () {
        const [row] = yield* heldJobRows(sql`with moved as (
            update jobs set fence = fence + 1, recoveries = recoveries + 1, replica = ${by.replica},
              lease_until = ${leaseEnd(sql, by.terms)}
            where id = ${job} and status = 'running' and lease_until <= clock_timestamp()
            returning *
          ), placed as (
            update slots s set fence = moved.fence from moved where s.job = moved.id
          )
          select ${sql.literal(heldJobColumns)} from moved j`)
        return row === undefined ? "nothing" : jobClaimOf(row)
      })
    )

  const claimAbandoned = Effect.fnUntraced(function* (
    by: Worker,
    limit: number
  ): Effect.fn.Return<ReadonlyArray<JobClaim>, StoreError> {
    const lost = yield* db.statement<ReadonlyArray<{ readonly id: JobId; readonly status: JobStatus }>>(
      "JobStore.claimAbandoned",
      lostRows(sql`select id, status from jobs where lease_until <= clock_timestamp()
        order by position limit ${limit + 100}`)
    )
    if (lost.some(({ status }) => status === "queued")) {
      yield* db.transaction<void>("JobStore.claimAbandoned", Effect.asVoid(forgotten))
    }
    const claims: Array<JobClaim> = []
    for (const { id, status } of lost) {
      if (claims.length >= limit) break
      if (status === "queued") continue
      const outcome = yield* passingOver(undefined, takeOver(by, id))
      if (outcome !== "nothing" && outcome !== "locked") claims.push(outcome)
    }
    return claims
  })

  return JobStore.of({
    ...beginJob(db),
    get,
    list,
    admit,
    renew,
    stopRequested,
    requestCancel,
    finish,
    giveBack,
    abandon,
    claimAbandoned
  })
})

/** Provides the store. */
export const layer: Layer.Layer<JobStore, never, SqlClient.SqlClient> = Layer.effect(JobStore, make)

/** Goes on without a row that cannot be read, unless it is the one that was asked for. */
const passingOver = (job: JobId | undefined, self: Effect.Effect<Attempt, StoreError>) =>
  Effect.catchIf(
    self,
    (error) => error.reason === "corrupt" && job === undefined,
    (error) => Effect.as(Effect.logError("a Job is passed over, since its row cannot be read", error), skipped)
  )

const skipped: Attempt = "nothing"
