// Jobs on PostgreSQL. Who takes several rows takes the Tenant first, then the App, then the Job. How they begin is in
// internal/beginJob.ts, and whose turn it is in internal/slots.ts.

import { type Job, JobId, JobStatus } from "@lockkeeper/core/domain/Job"
import type { LeaseTerms, ReplicaId } from "@lockkeeper/core/domain/Lease"
import { cut, type Page, type PageRequest } from "@lockkeeper/core/domain/Page"
import { LeaseLost } from "@lockkeeper/core/port/Claim"
import { type JobClaim, type JobFilter, JobNotFound, type Worker } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Effect, Layer, Schema, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { admitJobs } from "./internal/admitJobs.ts"
import { beginJobs } from "./internal/beginJobs.ts"
import { leaseEnd } from "./internal/claims.ts"
import { database, rowsOf } from "./internal/Database.ts"
import { finishJobs } from "./internal/finishJobs.ts"
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
import { rerunJob } from "./internal/rerunJob.ts"

const stopRows = rowsOf(Schema.Struct({ asked: Schema.Boolean }))
const lostRows = rowsOf(Schema.Struct({ id: JobId, status: JobStatus }))

/** Makes the store. */
export const make: Effect.Effect<JobStore["Service"], never, SqlClient.SqlClient | Scope.Scope> = Effect.gen(
  function* () {
    const db = yield* database
    const { sql } = db
    const columns = sql.literal(jobColumns)

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
      db.transaction<JobClaim | undefined>(
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
          return row === undefined ? undefined : jobClaimOf(row)
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
        const claim = yield* passingOver(takeOver(by, id))
        if (claim !== undefined) claims.push(claim)
      }
      return claims
    })

    return JobStore.of({
      begin: yield* beginJobs(db),
      rerun: rerunJob(db),
      get,
      list,
      ...admitJobs(db),
      renew,
      stopRequested,
      requestCancel,
      finish: yield* finishJobs(db),
      giveBack,
      abandon,
      claimAbandoned
    })
  }
)

/** Provides the store. */
export const layer: Layer.Layer<JobStore, never, SqlClient.SqlClient> = Layer.effect(JobStore, make)

/** Goes on without a row that cannot be read. */
const passingOver = <A>(self: Effect.Effect<A, StoreError>): Effect.Effect<A | undefined, StoreError> =>
  Effect.catchIf(
    self,
    (error) => error.reason === "corrupt",
    (error) => Effect.as(Effect.logError("a Job is passed over, since its row cannot be read", error), undefined)
  )
