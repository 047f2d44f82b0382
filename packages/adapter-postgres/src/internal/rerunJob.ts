// Runs a Job again: one attempt more of the same Job, through the same admission as a new one.

import { AppId } from "@lockkeeper/core/domain/App"
import { type JobId, JobKind, JobStatus, OnFull } from "@lockkeeper/core/domain/Job"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { type Begun, JobNotFound, JobRefused, type Worker } from "@lockkeeper/core/port/JobRequest"
import { Effect, Schema } from "effect"
import { leaseEnd } from "./claims.ts"
import { type Database, rowsOf } from "./Database.ts"
import { type Entry, type Ground, jobGround, refuse } from "./jobGround.ts"
import { begunJobRows, heldJobColumns, inSlots, jobClaimOf, moveJobs, waitingUntil } from "./jobRows.ts"

const Ended = Schema.Struct({
  tenant: TenantName,
  app: Schema.NullOr(AppId),
  kind: JobKind,
  status: JobStatus,
  onFull: OnFull,
  hasCommand: Schema.Boolean
})

const endedRows = rowsOf(Ended)

/** Builds `rerun`. */
export const rerunJob = (db: Database) => {
  const { sql } = db
  const { entries, groundOf } = jobGround(db)

  /** The Job, which has ended; what changes of it is certain once its Tenant is held, since no other way leads out of an end. */
  const ended = Effect.fnUntraced(function* (job: JobId) {
    const [row] = yield* endedRows(sql`select tenant, app, kind, status, on_full as "onFull",
        command is not null as "hasCommand" from jobs where id = ${job}`)
    if (row === undefined) return yield* new JobNotFound({ job })
    const { kind, status } = row
    if (status === "queued" || status === "running") return yield* refuse({ _tag: "AlreadyRunning" })
    if (status === "succeeded" || kind === "slot") return yield* refuse({ _tag: "NothingToDo" })
    return row
  })

  const standing = ({ slot }: Entry, by: Worker) =>
    slot === null
      ? sql`status = 'queued', started_at = null,
          replica = case when command is null then ${by.replica} end,
          lease_until = case when command is null then ${waitingUntil(sql, by)} end`
      : sql`status = 'running', fence = j.fence + 1, replica = ${by.replica}, slot = ${slot},
          lease_until = ${leaseEnd(sql, by.terms)}, started_at = clock_timestamp()`

  const entered = (job: JobId, { of }: Ground, entry: Entry, by: Worker) =>
    begunJobRows(
      moveJobs(
        sql,
        sql`update jobs j set attempt = j.attempt + 1, exit_code = null, recoveries = 0, stop_requested_at = null,
            position = nextval('deployments_position_seq'), items_failed = 0, finished_at = null,
            release = case when command is not null then ${of?.release ?? null}::text end,
            image = case when command is not null then ${of?.image ?? null}::text end,
            env_revision = case when command is not null then ${of?.envRevision ?? null}::int end,
            ${standing(entry, by)}
          where j.id = ${job} and j.status in ('failed', 'cancelled') returning j.*`,
        inSlots(sql),
        heldJobColumns
      )
    )

  const again = Effect.fnUntraced(function* (job: JobId, by: Worker, lockTimeout: string) {
    const { app, onFull, tenant } = yield* ended(job)
    const ground = yield* groundOf([{ of: app === null ? { tenant } : { app }, onFull }], lockTimeout)
    const [entry] = entries(ground, [yield* ended(job)])
    if (entry === undefined) return yield* Effect.die("nothing is said of a Job that was asked for")
    if (entry instanceof JobRefused) return yield* entry
    const [row] = yield* entered(job, ground, entry, by)
    if (row === undefined) return yield* new JobNotFound({ job })
    yield* sql`update job_items set status = 'pending', exit_code = null, result = null, finished_at = null
      where job = ${job} and status = 'failed'`
    const claim = jobClaimOf({ ...row, replica: by.replica, queuePosition: entry.position })
    const begun: Begun = { job: claim.job, claim: entry.slot === null ? undefined : claim, created: true }
    return begun
  })

  return (job: JobId, by: Worker) =>
    db.transaction<Begun, JobNotFound | JobRefused>("JobStore.rerun", (lockTimeout) => again(job, by, lockTimeout))
}
