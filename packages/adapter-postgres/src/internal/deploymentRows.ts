// Rows of Deployments as the domain's Deployments, and the one shape in which their status changes: the change, its
// history and its Event are one statement.

import type { DeploymentId } from "@lockkeeper/core/domain/App"
import { Deployment, type StopStatus } from "@lockkeeper/core/domain/Deployment"
import { Fence, ReplicaId } from "@lockkeeper/core/domain/Lease"
import { Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { Instant, Int8, Sealed } from "./columns.ts"
import { rowsOf } from "./Database.ts"

/** How many Deployments and Jobs wait of the Tenant of a row, up to that one. */
export const waitingUpTo = (row: string): string => `(
    (select count(*) from deployments q
      where q.tenant = ${row}.tenant and q.status = 'queued' and q.position <= ${row}.position)
    + (select count(*) from jobs q where q.tenant = ${row}.tenant and q.status = 'queued' and q.position <= ${row}.position)
  )::int`

/** The columns of {@link deploymentFields}, from a table or an earlier part of the statement named `d`. */
export const deploymentColumns = `
  d.id, d.app, d.number, d.status,
  jsonb_strip_nulls(jsonb_build_object('kind', d.trigger_kind, 'deliveryId', d.delivery_id)) as trigger,
  d.policy, d.source, d.commit, d.image, d.env_revision as "envRevision", d.release,
  case when d.status = 'queued' then ${waitingUpTo("d")} end as "queuePosition",
  case when d.error_code is not null
    then jsonb_build_object('code', d.error_code, 'detail', d.error_detail) end as error,
  coalesce(d.stop_as = 'cancelled' and d.finished_at is null, false) as cancelling,
  d.created_at as "createdAt", d.started_at as "startedAt", d.finished_at as "finishedAt"`

/** A Deployment as a row. */
export const deploymentFields = {
  ...Deployment.fields,
  createdAt: Instant,
  startedAt: Schema.NullOr(Instant),
  finishedAt: Schema.NullOr(Instant)
}

/** Reads Deployments. */
export const deploymentRows = rowsOf(Schema.Struct(deploymentFields))

/** Reads Deployments with where they stand in the list of all. */
export const listedDeploymentRows = rowsOf(Schema.Struct({ ...deploymentFields, position: Int8 }))

/** Reads Deployments with who holds them, and their sealed deploy key. */
export const heldDeploymentRows = rowsOf(
  Schema.Struct({
    ...deploymentFields,
    sealed: Schema.NullOr(Sealed),
    fence: Int8.pipe(Schema.decodeTo(Fence)),
    replica: ReplicaId
  })
)

/** Drops a row's place from the Deployment. */
export const unlisted = ({ position: _, ...deployment }: Deployment & { readonly position: number }): Deployment =>
  deployment

/** Puts on record that a Deployment in progress is asked to end so. Who was asked before ends as it was asked first. */
export const requestStop = (
  sql: SqlClient.SqlClient,
  deployment: DeploymentId,
  as: StopStatus
): Statement.Statement<object> =>
  sql<object>`update deployments set stop_as = ${as}, stop_requested_at = clock_timestamp()
    where id = ${deployment} and status in ('building', 'deploying') and stop_as is null`

/**
 * Changes the status of Deployments and answers them. `change` is the part of the statement that ends in
 * `returning d.*`; `before` and `after` are further parts, those of `after` over the changed rows, `moved`.
 */
export const transition = (
  sql: SqlClient.SqlClient,
  change: Statement.Fragment,
  parts: { readonly before?: Statement.Fragment; readonly after?: Statement.Fragment } = {}
): Statement.Statement<object> => {
  const none = sql.literal("")
  return sql<object>`with ${parts.before ?? none} moved as (${change}),
    history as (insert into deployment_history (deployment, status, fence) select id, status, fence from moved),
    told as (
      insert into events (type, tenant, app, subject) select 'deployment.' || status, tenant, app, id from moved
    )
    ${parts.after ?? none}
    select ${sql.literal(deploymentColumns)} from moved d`
}
