// Begins Jobs, and runs them again. Whoever does so holds the Tenant's row until the end of the transaction: what is admitted
// at once is counted exactly, and positions are in the order in which they are seen. Then the App's row is held, so that no
// Job begins of one that has ended.

import { AppId, AppStatus, ReleaseId } from "@lockkeeper/core/domain/App"
import { Revision } from "@lockkeeper/core/domain/Env"
import { type JobId, JobKind, JobStatus, OnFull } from "@lockkeeper/core/domain/Job"
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
import type { Statement } from "effect/sql"
import { leaseEnd } from "./claims.ts"
import { type Database, rowsOf } from "./Database.ts"
import { isUniqueViolation } from "./faults.ts"
import { heldJobColumns, heldJobRows, jobClaimOf, jobColumns, jobRows, moveJobs } from "./jobRows.ts"
import { slots } from "./slots.ts"

const appRows = rowsOf(Schema.Struct({ id: AppId, status: AppStatus }))
const tenantRows = rowsOf(Schema.Struct({ tenant: TenantName }))
const releaseRows = rowsOf(Schema.Struct({ release: ReleaseId, image: ImageDigest, envRevision: Revision }))
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
    if ("tenant" in of) return of.tenant
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

  /** Makes and holds a Tenant that is not there yet. */
  const made = Effect.fnUntraced(function* (tenant: TenantName, lockTimeout?: string) {
    yield* sql`select ${db.limits(lockTimeout)}`
    yield* sql`insert into tenants (name) values (${tenant}) on conflict do nothing`
    return (yield* slot.locked(tenant)) ?? (yield* Effect.die("the Tenant of a Job is not there"))
  })

  /** Holds the Tenant, and answers the Slot that is free for whoever comes now; refused when there is no room. */
  const room = Effect.fnUntraced(function* (tenant: TenantName, onFull: OnFull, lockTimeout?: string) {
    const state = (yield* slot.locked(tenant, { lockTimeout })) ?? (yield* made(tenant, lockTimeout))
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

  /** Puts a Job that has ended into a Slot, or into the queue. */
  const entered = Effect.fnUntraced(function* (id: JobId, free: number | undefined, by: Worker) {
    if (free !== undefined) return yield* given(taken(db, id, free, by))
    yield* moveJobs(
      sql,
      sql`update jobs j set status = 'queued', started_at = null, finished_at = null, ${waiting(db, by)}
        where j.id = ${id} returning j.*`
    )
    return yield* placed(id)
  })

  /** What the one who asked for a Job is told that is theirs already. */
  const given = Effect.fnUntraced(function* (moved: Statement.Statement<object>) {
    const [row] = yield* heldJobRows(moved)
    const claim = jobClaimOf(row ?? (yield* Effect.die("a Job that was just made is not there")))
    return { job: claim.job, claim, created: true }
  })

  /** What they are told that waits: its place is counted once it is there. */
  const placed = Effect.fnUntraced(function* (id: JobId) {
    const [job] = yield* jobRows(sql`select ${sql.literal(jobColumns)} from jobs j where j.id = ${id}`)
    return { job: job ?? (yield* Effect.die("a Job that was just made is not there")), claim: undefined, created: true }
  })

  const standing = ({ by, task }: JobRequest, free: number | undefined) => {
    if (free !== undefined) {
      return sql`'running', 1, ${by.replica}, ${leaseEnd(sql, by.terms)}, ${free}, clock_timestamp()`
    }
    return task.command === null
      ? sql`'queued', 0, ${by.replica}, ${waitingUntil(sql, by)}, null, null`
      : sql`'queued', 0, null, null, null, null`
  }

  const row = (request: JobRequest, tenant: TenantName, of: JobRelease | undefined, free: number | undefined) => {
    const { items, key, onFull, task } = request
    const app = "app" in request.of ? request.of.app : null
    const kind = items !== undefined ? "batch" : task.command === null ? "slot" : "command"
    return sql`insert into jobs as j
      (tenant, app, kind, key, command, timeout_seconds, item_concurrency, on_item_failure, on_full,
        release, image, env_revision, items_total, status, fence, replica, lease_until, slot, started_at)
      values (${tenant}, ${app}, ${kind}, ${key ?? null},
        ${task.command === null ? null : JSON.stringify(task.command)}::jsonb, ${task.timeoutSeconds},
        ${task.itemConcurrency}, ${task.onItemFailure}, ${onFull},
        ${of?.release ?? null}, ${of?.image ?? null}, ${of?.envRevision ?? null}::int, ${items?.length ?? 0},
        ${standing(request, free)})
      returning j.*`
  }

  const insert = Effect.fnUntraced(function* (
    request: JobRequest,
    tenant: TenantName,
    of: JobRelease | undefined,
    free: number | undefined
  ) {
    const { items = [] } = request
    const made = row(request, tenant, of, free)
    const claimed = free === undefined ? undefined : yield* given(moveJobs(sql, made, inSlots(sql), heldJobColumns))
    const [job] = claimed === undefined ? yield* jobRows(moveJobs(sql, made)) : [claimed.job]
    if (job === undefined) return yield* Effect.die("an insert returned no row")
    if (items.length > 0) {
      yield* sql`insert into job_items (job, number, item)
        select ${job.id}, n, item from unnest(${items}::text[]) with ordinality as t (item, n)`
    }
    return claimed ?? (yield* placed(job.id))
  })

  const keyed = ({ key, of }: JobRequest) =>
    jobRows(sql`select ${sql.literal(jobColumns)} from jobs j
      where j.key = ${key ?? null} and j.tenant = ${"tenant" in of ? of.tenant : null}`)

  const begun = Effect.fnUntraced(function* (request: JobRequest, lockTimeout: string) {
    const tenant = yield* tenantOf(request.of)
    const place = yield* Effect.catchTag(room(tenant, request.onFull, lockTimeout), "JobRefused", (refused) =>
      Effect.succeed(refused)
    )
    const [earlier] = request.key === undefined ? [] : yield* keyed(request)
    if (earlier !== undefined) return { job: earlier, claim: undefined, created: false }
    const of = "app" in request.of ? yield* releaseOf(request.of.app, request.task.command !== null) : undefined
    if (place instanceof JobRefused) return yield* place
    return yield* insert(request, tenant, of, place)
  })

  const begin = (request: JobRequest): Effect.Effect<Begun, JobRefused | StoreError> =>
    db
      .transaction<Begun, JobRefused>("JobStore.begin", (lockTimeout) => begun(request, lockTimeout))
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

/** Gives a Job that waits, or has ended, to a worker, in a Slot that is free. */
export const taken = ({ sql }: Database, id: JobId, slot: number, by: Worker) =>
  moveJobs(
    sql,
    sql`update jobs j set status = 'running', fence = j.fence + 1, replica = ${by.replica}, slot = ${slot},
        lease_until = ${leaseEnd(sql, by.terms)}, started_at = clock_timestamp(), finished_at = null
      where j.id = ${id} and j.status <> 'running' returning j.*`,
    inSlots(sql),
    heldJobColumns
  )

const inSlots = (sql: Database["sql"]) =>
  sql`, placed as (insert into slots (tenant, number, job, fence) select tenant, slot, id, fence from moved)`
