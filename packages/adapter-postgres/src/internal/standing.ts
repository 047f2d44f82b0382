// Where a Deployment stands, read in one statement, so that all of it is of one moment.

import { DeploymentId } from "@lockkeeper/core/domain/App"
import { StopStatus } from "@lockkeeper/core/domain/Deployment"
import { DeploymentStep, type Standing } from "@lockkeeper/core/domain/Explanation"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { JobCap, TenantName } from "@lockkeeper/core/domain/Tenant"
import { DeploymentNotFound } from "@lockkeeper/core/port/DeploymentRequest"
import { Effect, Schema } from "effect"
import { Instant } from "./columns.ts"
import { type Database, rowsOf } from "./Database.ts"
import { deploymentColumns, deploymentFields } from "./deploymentRows.ts"

const standingRows = rowsOf(
  Schema.Struct({
    ...deploymentFields,
    since: Instant,
    step: Schema.NullOr(DeploymentStep),
    replica: Schema.NullOr(ReplicaId),
    leaseUntil: Schema.NullOr(Instant),
    leaseLost: Schema.Boolean,
    stopAs: Schema.NullOr(StopStatus),
    stopAt: Schema.NullOr(Instant),
    behind: Schema.NullOr(DeploymentId),
    tenant: TenantName,
    limit: JobCap,
    running: Schema.Int
  })
)

/** Builds `standing`. */
export const standing = (db: Database) => {
  const { sql } = db
  return (deployment: DeploymentId) =>
    db.statement(
      "DeploymentStore.standing",
      Effect.gen(function* () {
        const [row] = yield* standingRows(sql`select ${sql.literal(deploymentColumns)},
            case d.status when 'queued' then d.created_at when 'building' then d.started_at
              when 'deploying' then coalesce(d.activated_at, (
                select max(h.at) from deployment_history h where h.deployment = d.id and h.status = 'deploying'
              )) else d.finished_at end as since,
            case when d.slot is null then null when d.activated_at is not null then 'switching' else d.status end as step,
            d.replica, d.lease_until as "leaseUntil",
            coalesce(d.lease_until <= clock_timestamp(), false) as "leaseLost",
            case when d.finished_at is null then d.stop_as end as "stopAs",
            case when d.finished_at is null then d.stop_requested_at end as "stopAt",
            (
              select o.id from deployments o
              where o.app = d.app and o.id <> d.id and o.status in ('building', 'deploying')
            ) as behind,
            d.tenant, t.job_cap as "limit", (select count(*)::int from slots s where s.tenant = d.tenant) as running
          from deployments d join tenants t on t.name = d.tenant where d.id = ${deployment}`)
        return row === undefined ? yield* new DeploymentNotFound({ deployment }) : standingOf(row)
      })
    )
}

type Row = Effect.Success<ReturnType<typeof standingRows<never, never>>>[number]

const standingOf = (row: Row): Standing => {
  const { behind, leaseLost, leaseUntil, limit, replica, running, since, step, stopAs, stopAt, tenant, ...deployment } =
    row
  const isHeld = step !== null && replica !== null && leaseUntil !== null
  return {
    deployment,
    since,
    holder: isHeld ? { step, replica, leaseUntil, leaseLost } : null,
    stop: stopAs !== null && stopAt !== null ? { as: stopAs, at: stopAt } : null,
    behind,
    tenant,
    limit,
    running
  }
}
