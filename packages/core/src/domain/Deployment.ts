// One attempt to make a version of an App serve. The table says which status may follow which; nothing else does.
import { Schema } from "effect"
import { AppId, DeploymentId, ReleaseId } from "./App.ts"
import { Revision } from "./Env.ts"
import { Policy } from "./Policy.ts"
import { Commit, OpenSource } from "./Source.ts"
import { ImageDigest } from "./Workload.ts"

/** Where a Deployment stands. The last four are terminal. */
export const DeploymentStatus = Schema.Literals([
  "queued",
  "building",
  "deploying",
  "healthy",
  "failed",
  "cancelled",
  "superseded"
])

/** The type of {@link DeploymentStatus}. */
export type DeploymentStatus = typeof DeploymentStatus.Type

/** Which statuses may follow each one. */
export const deploymentTransitions: { readonly [From in DeploymentStatus]: ReadonlyArray<DeploymentStatus> } = {
  queued: ["building", "failed", "cancelled", "superseded"],
  building: ["deploying", "failed", "cancelled", "superseded"],
  deploying: ["healthy", "failed", "cancelled", "superseded"],
  healthy: [],
  failed: [],
  cancelled: [],
  superseded: []
}

/** Whether nothing follows a status. */
export const isTerminal = (status: DeploymentStatus): boolean => deploymentTransitions[status].length === 0

/** The statuses from which one may be reached: what a guarded write allows as its source. */
export const sourcesOf = (to: DeploymentStatus): ReadonlyArray<DeploymentStatus> =>
  DeploymentStatus.literals.filter((from) => deploymentTransitions[from].includes(to))

/** A webhook's id of one delivery: the same delivery never makes a second Deployment. */
export const DeliveryId = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,255}$/)).pipe(Schema.brand("DeliveryId"))

/** The type of {@link DeliveryId}. */
export type DeliveryId = typeof DeliveryId.Type

/** How a Deployment ends that was asked to stop. */
export const StopStatus = Schema.Literals(["cancelled", "superseded"])

/** The type of {@link StopStatus}. */
export type StopStatus = typeof StopStatus.Type

/** What asked for a Deployment. */
export const Trigger = Schema.Struct({
  kind: Schema.Literals(["manual", "webhook", "redeploy", "rollback", "start"]),
  deliveryId: Schema.optionalKey(DeliveryId)
})

/** The type of {@link Trigger}. */
export interface Trigger extends Schema.Schema.Type<typeof Trigger> {}

/** Why a Deployment failed, as a closed set that programs may act on. */
export const DeploymentFailureCode = Schema.Literals([
  "source_unreachable",
  "host_key_mismatch",
  "auth_failed",
  "ref_not_found",
  "checksum_mismatch",
  "no_build_file",
  "build_failed",
  "pre_deploy_failed",
  "start_failed",
  "port_conflict",
  "unhealthy",
  "deadline_exceeded",
  "engine_unavailable",
  "store_unavailable",
  "image_gone",
  "app_gone",
  "lease_lost"
])

/** The type of {@link DeploymentFailureCode}. */
export type DeploymentFailureCode = typeof DeploymentFailureCode.Type

/** Why a Deployment failed: the code, and one sentence for a person that never holds a secret. */
export const DeploymentFailure = Schema.Struct({ code: DeploymentFailureCode, detail: Schema.String })

/** The type of {@link DeploymentFailure}. */
export interface DeploymentFailure extends Schema.Schema.Type<typeof DeploymentFailure> {}

/**
 * A Deployment as its store answers it. `number` counts per App; `queuePosition` is 1 for the next one, null when not queued;
 * `cancelling` says that it was asked to stop and that its end, `cancelled`, has not come yet.
 */
export const Deployment = Schema.Struct({
  id: DeploymentId,
  app: AppId,
  number: Schema.Int,
  status: DeploymentStatus,
  trigger: Trigger,
  policy: Policy,
  source: OpenSource,
  commit: Schema.NullOr(Commit),
  image: Schema.NullOr(ImageDigest),
  envRevision: Revision,
  release: Schema.NullOr(ReleaseId),
  queuePosition: Schema.NullOr(Schema.Int),
  error: Schema.NullOr(DeploymentFailure),
  cancelling: Schema.Boolean,
  createdAt: Schema.DateTimeUtc,
  startedAt: Schema.NullOr(Schema.DateTimeUtc),
  finishedAt: Schema.NullOr(Schema.DateTimeUtc)
})

/** The type of {@link Deployment}. */
export interface Deployment extends Schema.Schema.Type<typeof Deployment> {}
