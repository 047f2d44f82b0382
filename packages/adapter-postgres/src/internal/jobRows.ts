// Rows of Jobs as the domain's Jobs, and the one shape in which their status changes: the change and its Event are one
// statement.

import { type AppId, ReleaseId } from "@lockkeeper/core/domain/App"
import { Revision } from "@lockkeeper/core/domain/Env"
import { Item, ItemCounts, Job, JobId, OnItemFailure } from "@lockkeeper/core/domain/Job"
import { Fence, ReplicaId } from "@lockkeeper/core/domain/Lease"
import { Command, ImageDigest } from "@lockkeeper/core/domain/Workload"
import { type JobClaim, JobKey, type Worker, waitingLeases } from "@lockkeeper/core/port/JobRequest"
import { Duration, Effect, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { leaseEnd } from "./claims.ts"
import { Instant, Int8 } from "./columns.ts"
import { eachRowOf, rowsOf } from "./Database.ts"
import { waitingUpTo } from "./deploymentRows.ts"

/** The columns of a Job, from a table or an earlier part of the statement named `j`. */
export const jobColumns = `
  j.id, j.tenant, j.app, j.kind, j.status, j.attempt, j.exit_code as "exitCode",
  jsonb_build_object('total', j.items_total, 'done', j.items_done, 'failed', j.items_failed) as items,
  case when j.status = 'queued' then ${waitingUpTo("j")} end as "queuePosition",
  j.created_at as "createdAt", j.started_at as "startedAt", j.finished_at as "finishedAt"`

/** The further columns of a Claim. */
export const heldJobColumns = `${jobColumns}, j.command, j.timeout_seconds as "timeoutSeconds",
  j.item_concurrency as "itemConcurrency", j.on_item_failure as "onItemFailure",
  j.release, j.image, j.env_revision as "envRevision", j.fence, j.replica, j.recoveries`

const jobFields = {
  ...Job.fields,
  items: ItemCounts,
  createdAt: Instant,
  startedAt: Schema.NullOr(Instant),
  finishedAt: Schema.NullOr(Instant)
}

/** Reads Jobs. */
export const jobRows = rowsOf(Schema.Struct(jobFields))

/** Reads Jobs, each for itself. */
export const eachJobRow = eachRowOf(JobId, Schema.Struct(jobFields))

/** Reads Jobs with where they stand in the list of all. */
export const listedJobRows = rowsOf(Schema.Struct({ ...jobFields, listed: Int8 }))

const heldRows = {
  ...jobFields,
  command: Schema.NullOr(Command),
  timeoutSeconds: Schema.Int,
  itemConcurrency: Schema.Int,
  onItemFailure: OnItemFailure,
  release: Schema.NullOr(ReleaseId),
  image: Schema.NullOr(ImageDigest),
  envRevision: Schema.NullOr(Revision),
  fence: Int8.pipe(Schema.decodeTo(Fence)),
  replica: ReplicaId,
  recoveries: Schema.Int
}

/** Reads Jobs that somebody holds. */
export const heldJobRows = rowsOf(Schema.Struct(heldRows))

/** Reads Jobs that were begun just now: those that run are their caller's. */
export const begunJobRows = rowsOf(Schema.Struct({ ...heldRows, replica: Schema.NullOr(ReplicaId) }))

/** Reads Jobs with their keys. */
export const keyedJobRows = rowsOf(Schema.Struct({ ...jobFields, key: JobKey }))

/** A Claim, from a row of {@link heldJobRows}. */
export const jobClaimOf = (row: Schema.Struct.Type<typeof heldRows>): JobClaim => {
  const { command, envRevision, fence, image, itemConcurrency, onItemFailure, ...rest } = row
  const { recoveries, release, replica, timeoutSeconds, ...job } = rest
  const of = release === null || image === null || envRevision === null ? null : { release, image, envRevision }
  return { job, task: { command, timeoutSeconds, itemConcurrency, onItemFailure }, of, fence, replica, recoveries }
}

/** Reads Items. */
export const itemRows = rowsOf(Schema.Struct({ ...Item.fields, finishedAt: Schema.NullOr(Instant) }))

/** The columns of an Item, from a table named `i`. */
export const itemColumns = `i.number, i.item, i.status, i.exit_code as "exitCode", i.result, i.finished_at as "finishedAt"`

/**
 * Changes the status of Jobs and answers them. `change` is the part of the statement that ends in `returning j.*`; `after`
 * are further parts over the changed rows, `moved`, which are answered in an order.
 */
export const moveJobs = (
  sql: SqlClient.SqlClient,
  change: Statement.Fragment,
  after: Statement.Fragment = sql.literal(""),
  columns: string = jobColumns,
  order: string = "j.id"
): Statement.Statement<object> =>
  sql<object>`with moved as (${change}),
    told as (insert into events (type, tenant, app, subject) select 'job.' || status, tenant, app, id from moved)
    ${after}
    select ${sql.literal(columns)} from moved j order by ${sql.literal(order)}`

/** Takes the Slots of the Jobs that a statement has let run. */
export const inSlots = (sql: SqlClient.SqlClient): Statement.Fragment =>
  sql`, placed as (insert into slots (tenant, number, job, fence)
    select tenant, slot, id, fence from moved where status = 'running')`

/** Until when somebody who waits is believed to. */
export const waitingUntil = (sql: SqlClient.SqlClient, { terms }: Worker): Statement.Fragment =>
  leaseEnd(sql, { ...terms, ttl: Duration.times(terms.ttl, waitingLeases) })

/** Gives back the Slots of the Jobs that a statement has changed. */
export const freedSlots = (sql: SqlClient.SqlClient): Statement.Fragment =>
  sql`, freed as (delete from slots s using moved where s.job = moved.id)`

/**
 * Cancels the Jobs of Apps that are not live any more: at once those that wait, by their holders those that run. All are held
 * first, in the order in which admission holds them: one that changes hands meanwhile is neither in the next statement.
 */
export const endJobsOf = (sql: SqlClient.SqlClient, apps: ReadonlyArray<AppId>) =>
  Effect.andThen(
    sql`select from jobs where app = any(${apps}::text[]) and status in ('queued', 'running')
      order by id for no key update`,
    sql`with ended as (
      update jobs set status = 'cancelled', finished_at = clock_timestamp(), lease_until = null
      where app = any(${apps}::text[]) and status = 'queued' returning *
    ), told as (
      insert into events (type, tenant, app, subject) select 'job.cancelled', tenant, app, id from ended
    )
    update jobs set stop_requested_at = clock_timestamp()
    where app = any(${apps}::text[]) and status = 'running' and stop_requested_at is null`
  )
