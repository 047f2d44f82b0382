// Begins Jobs, and runs them again. Whoever does so holds the Tenant's row until the end of the transaction: what is admitted
// at once is counted exactly, and positions are in the order in which they are seen. Then the App's row is held, so that no
// Job begins of one that has ended.

import { AppId, AppStatus, ReleaseId } from "@lockkeeper/core/domain/App"
import { Revision } from "@lockkeeper/core/domain/Env"
import { JobId, JobKind, JobStatus, OnFull } from "@lockkeeper/core/domain/Job"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { ImageDigest } from "@lockkeeper/core/domain/Workload"
import {
  type Begun,
  JobNotFound,
  jobQueueLimit,
  JobRefused,
  type JobRelease,
  type JobRequest,
  type Worker,
  waitingLeases
} from "@lockkeeper/core/port/JobRequest"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Duration, Effect, Schema } from "effect"
import { leaseEnd } from "./claims.ts"
import { type Database, rowsOf } from "./Database.ts"
import { isUniqueViolation } from "./faults.ts"
import { heldJobColumns, heldJobRows, jobClaimOf, jobColumns, jobRows, moveJobs } from "./jobRows.ts"
import { slots } from "./slots.ts"

const appRows = rowsOf(Schema.Struct({ id: AppId, status: AppStatus }))
const tenantRows = rowsOf(Schema.Struct({ tenant: TenantName }))
const releaseRows = rowsOf(Schema.Struct({ release: ReleaseId, image: ImageDigest, envRevision: Revision }))
const idRows = rowsOf(Schema.Struct({ id: JobId }))
const countRows = rowsOf(Schema.Struct({ waiting: Schema.Int }))
const againRows = rowsOf(
  Schema.Struct({
    tenant: TenantName,
    app: Schema.NullOr(AppId),
    kind: JobKind,
    status: JobStatus,
    onFull: OnFull,
    hasCommand: Schema.Boolean
  })
)

const refuse = (reason: JobRefused["reason"]) => new JobRefused({ reason })

/** Builds `begin` and `rerun`. */
export const beginJob = (db: Database) => {
  const { sql } = db
  const slot = slots(db)

  const tenantOf = Effect.fnUntraced(function* (of: JobRequest["of"]) {
    if ("tenant" in of) {
      yield* sql`insert into tenants (name) values (${of.tenant}) on conflict do nothing`
      return of.tenant
    }
    const [row] = yield* tenantRows(sql`select tenant from apps where id = ${of.app}`)
    return row?.tenant ?? (yield* refuse({ _tag: "AppGone", app: of.app }))
  })

  /** Holds the App while it is live, and answers the Release in which a command runs. */
  const releaseOf = Effect.fnUntraced(function* (app: AppId, hasCommand: boolean) {
    const [row] = yield* appRows(sql`select id, status from apps where id = ${app} for share`)
    if (row === undefined || row.status === "deleted") return yield* refuse({ _tag: "AppGone", app })
    if (row.status !== "live") return yield* refuse({ _tag: "AppNotLive", app, status: row.status })
    if (!hasCommand) return undefined
    const [release] = yield* releaseRows(sql`select id as release, image, env_revision as "envRevision"
      from releases where app = ${app} and current`)
    return release ?? (yield* refuse({ _tag: "NoRelease", app }))
  })

  /** Holds the Tenant, and answers the Slot that is free for whoever comes now; refused when there is no room. */
  const room = Effect.fnUntraced(function* (tenant: TenantName, onFull: OnFull) {
    const state = yield* slot.locked(tenant)
    if (state === undefined) return yield* Effect.die("the Tenant of a Job is not there")
    if (state.isFree && state.id === null) return state.slot
    const { cap: limit, taken: running } = state
    if (onFull === "reject") return yield* refuse({ _tag: "JobCapReached", limit, running })
    const [count] = yield* countRows(sql`select count(*)::int as waiting from (
        (select 1 from jobs where tenant = ${tenant} and status = 'queued' limit ${jobQueueLimit})
        union all (select 1 from deployments where tenant = ${tenant} and status = 'queued' limit ${jobQueueLimit})
      ) q`)
    if ((count?.waiting ?? 0) >= jobQueueLimit) return yield* refuse({ _tag: "QueueFull", limit: jobQueueLimit })
    return undefined
  })

  /** Puts a Job that is neither queued nor running into a Slot, or into the queue. */
  const entered = Effect.fnUntraced(function* (id: JobId, free: number | undefined, by: Worker) {
    if (free === undefined) {
      yield* moveJobs(
        sql,
        sql`update jobs j set status = 'queued', started_at = null, finished_at = null, ${waiting(db, by)}
          where j.id = ${id} returning j.*`
      )
      const [job] = yield* jobRows(sql`select ${sql.literal(jobColumns)} from jobs j where j.id = ${id}`)
      return {
        job: job ?? (yield* Effect.die("a Job that was just made is not there")),
        claim: undefined,
        created: true
      }
    }
    const [row] = yield* heldJobRows(taken(db, id, free, by))
    const claim = jobClaimOf(row ?? (yield* Effect.die("a Job that was just made is not there")))
    return { job: claim.job, claim, created: true }
  })

  const insert = Effect.fnUntraced(function* (request: JobRequest, tenant: TenantName, of: JobRelease | undefined) {
    const { items, key, onFull, task } = request
    const app = "app" in request.of ? request.of.app : null
    const kind = items !== undefined ? "batch" : task.command === null ? "slot" : "command"
    const [row] = yield* idRows(sql`insert into jobs
      (tenant, app, kind, key, status, finished_at, command, timeout_seconds, item_concurrency, on_item_failure, on_full,
        release, image, env_revision, items_total)
      values (${tenant}, ${app}, ${kind}, ${key ?? null}, 'cancelled', clock_timestamp(),
        ${task.command === null ? null : JSON.stringify(task.command)}::jsonb, ${task.timeoutSeconds},
        ${task.itemConcurrency}, ${task.onItemFailure}, ${onFull},
        ${of?.release ?? null}, ${of?.image ?? null}, ${of?.envRevision ?? null}::int, ${items?.length ?? 0})
      returning id`)
    if (row === undefined) return yield* Effect.die("an insert returned no row")
    if (items !== undefined && items.length > 0) {
      yield* sql`insert into job_items (job, number, item)
        select ${row.id}, n, item from unnest(${items}::text[]) with ordinality as t (item, n)`
    }
    return row.id
  })

  const keyed = ({ key, of }: JobRequest) =>
    jobRows(sql`select ${sql.literal(jobColumns)} from jobs j
      where j.key = ${key ?? null} and j.tenant = ${"tenant" in of ? of.tenant : null}`)

  const begun = Effect.fnUntraced(function* (request: JobRequest) {
    const tenant = yield* tenantOf(request.of)
    const place = yield* Effect.catchTag(room(tenant, request.onFull), "JobRefused", (refused) =>
      Effect.succeed(refused)
    )
    const [earlier] = request.key === undefined ? [] : yield* keyed(request)
    if (earlier !== undefined) return { job: earlier, claim: undefined, created: false }
    const of = "app" in request.of ? yield* releaseOf(request.of.app, request.task.command !== null) : undefined
    if (place instanceof JobRefused) return yield* place
    return yield* entered(yield* insert(request, tenant, of), place, request.by)
  })

  const begin = (request: JobRequest): Effect.Effect<Begun, JobRefused | StoreError> =>
    db
      .transaction<Begun, JobRefused>("JobStore.begin", begun(request))
      .pipe(Effect.retry({ times: 2, while: (error) => error._tag === "StoreError" && isUniqueViolation(error.cause) }))

  const lockedAgain = Effect.fnUntraced(function* (job: JobId) {
    yield* sql`select from tenants t join jobs j on j.tenant = t.name where j.id = ${job} for no key update of t`
    const [row] = yield* againRows(sql`select tenant, app, kind, status, on_full as "onFull",
        command is not null as "hasCommand" from jobs where id = ${job}`)
    return row ?? (yield* new JobNotFound({ job }))
  })

  const again = Effect.fnUntraced(function* (job: JobId, by: Worker) {
    const { app, hasCommand, kind, onFull, status, tenant } = yield* lockedAgain(job)
    if (status === "queued" || status === "running") return yield* refuse({ _tag: "AlreadyRunning" })
    if (status === "succeeded" || kind === "slot") return yield* refuse({ _tag: "NothingToDo" })
    const of = app === null ? undefined : yield* releaseOf(app, hasCommand)
    const free = yield* room(tenant, onFull)
    yield* sql`update job_items set status = 'pending', exit_code = null, result = null, finished_at = null
      where job = ${job} and status = 'failed'`
    yield* sql`update jobs set attempt = attempt + 1, exit_code = null, recoveries = 0, stop_requested_at = null,
        position = nextval('deployments_position_seq'), items_failed = 0, release = ${of?.release ?? null},
        image = ${of?.image ?? null}, env_revision = ${of?.envRevision ?? null}::int
      where id = ${job}`
    return yield* entered(job, free, by)
  })

  const rerun = (job: JobId, by: Worker) =>
    db.transaction<Begun, JobNotFound | JobRefused>("JobStore.rerun", again(job, by))

  return { begin, rerun }
}

/** Until when somebody who waits is believed to. */
export const waitingUntil = (sql: Database["sql"], { terms }: Worker) =>
  leaseEnd(sql, { ...terms, ttl: Duration.times(terms.ttl, waitingLeases) })

/** What has no command is carried out by whoever asked for it, and waits for as long as that one asks for it. */
const waiting = ({ sql }: Database, by: Worker) =>
  sql`replica = case when command is null then ${by.replica} end,
    lease_until = case when command is null then ${waitingUntil(sql, by)} end`

/** Gives a Job that waits, or is just made, to a worker, in a Slot that is free. */
export const taken = ({ sql }: Database, id: JobId, slot: number, by: Worker) =>
  moveJobs(
    sql,
    sql`update jobs j set status = 'running', fence = j.fence + 1, replica = ${by.replica}, slot = ${slot},
        lease_until = ${leaseEnd(sql, by.terms)}, started_at = clock_timestamp(), finished_at = null
      where j.id = ${id} and j.status <> 'running' returning j.*`,
    sql`, placed as (insert into slots (tenant, number, job, fence) select tenant, slot, id, fence from moved)`,
    heldJobColumns
  )
