// Why a Deployment is where it is, decided from what its store knows of it at one moment.
import { Schema } from "effect"
import { DeploymentId, ReleaseId } from "./App.ts"
import { Deployment, DeploymentFailure, DeploymentStatus, StopStatus } from "./Deployment.ts"
import { ReplicaId } from "./Lease.ts"
import { JobCap, TenantName } from "./Tenant.ts"

/** What is done of a Deployment in progress; `switching` is when traffic may be on its way to the new version. */
export const DeploymentStep = Schema.Literals(["building", "deploying", "switching"])

const held = {
  step: DeploymentStep,
  replica: ReplicaId,
  leaseUntil: Schema.DateTimeUtc,
  leaseLost: Schema.Boolean
}

const slots = { tenant: TenantName, limit: JobCap, running: Schema.Int }

/**
 * Where a Deployment stands, as its store knows it at one moment. `since` is when what it does now began: waiting, a step, or
 * its end. `holder` is null while it waits and when it has ended; `behind` is the Deployment in progress of the same App, when
 * that is another one; `limit` and `running` are how many Slots its Tenant has (null is no cap) and how many are taken.
 */
export const Standing = Schema.Struct({
  deployment: Deployment,
  since: Schema.DateTimeUtc,
  holder: Schema.NullOr(Schema.Struct(held)),
  stop: Schema.NullOr(Schema.Struct({ as: StopStatus, at: Schema.DateTimeUtc })),
  behind: Schema.NullOr(DeploymentId),
  ...slots
})

/** The type of {@link Standing}. */
export interface Standing extends Schema.Schema.Type<typeof Standing> {}

const common = { deployment: DeploymentId, since: Schema.DateTimeUtc, detail: Schema.String }

/**
 * Why a Deployment is where it is, since when, and in one sentence for a person. `position` is 1 for the next one of the
 * Tenant; a `limit` of null is no cap. A holder whose lease is lost is dead or hangs: the Reaper ends its Deployment.
 */
export const Explanation = Schema.Union([
  Schema.Struct({ why: Schema.Literal("waiting_for_slot"), ...common, ...slots, position: Schema.Int }),
  Schema.Struct({ why: Schema.Literal("waiting_for_deployment"), ...common, activeDeployment: DeploymentId }),
  Schema.Struct({ why: Schema.Literal("in_progress"), ...common, ...held }),
  Schema.Struct({
    why: Schema.Literal("stopping"),
    ...common,
    ...held,
    as: StopStatus,
    stopRequestedAt: Schema.DateTimeUtc
  }),
  Schema.Struct({
    why: Schema.Literal("ended"),
    ...common,
    status: DeploymentStatus,
    release: Schema.NullOr(ReleaseId),
    error: Schema.NullOr(DeploymentFailure)
  })
])

/** The type of {@link Explanation}. */
export type Explanation = typeof Explanation.Type

/** Says why a Deployment stands where it does. */
export const explained = (standing: Standing): Explanation => {
  const { deployment, holder, since } = standing
  const { error, id, release, status } = deployment
  if (holder !== null) return inProgress(standing, holder)
  if (status === "queued") return waiting(standing)
  const detail = error === null ? `it ended ${status}` : `it ended ${status}, ${error.code}: ${error.detail}`
  return { why: "ended", deployment: id, since, detail, status, release, error }
}

const waiting = ({ behind, deployment, limit, running, since, tenant }: Standing): Explanation => {
  const { id, queuePosition } = deployment
  if (behind !== null) {
    const detail = `it waits for ${behind}, which is in progress for the same app`
    return { why: "waiting_for_deployment", deployment: id, since, detail, activeDeployment: behind }
  }
  const position = queuePosition ?? 1
  const of = limit === null ? "a slot" : `one of the ${limit} slots`
  const detail = `it waits for ${of} of tenant ${tenant}, at place ${position}; ${running} in use`
  return { why: "waiting_for_slot", deployment: id, since, detail, tenant, limit, running, position }
}

const inProgress = ({ deployment, since, stop }: Standing, holder: NonNullable<Standing["holder"]>): Explanation => {
  const { leaseLost, replica, step } = holder
  const hands = `${step} on ${replica}${leaseLost ? ", which lost its lease" : ""}`
  const facts = { deployment: deployment.id, since, ...holder }
  if (stop === null) return { why: "in_progress", ...facts, detail: `it is ${hands}` }
  const detail = `it was asked to end ${stop.as} and is ${hands}`
  return { why: "stopping", ...facts, detail, as: stop.as, stopRequestedAt: stop.at }
}
