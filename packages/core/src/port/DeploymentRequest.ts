// What a Deployment is begun with, and the ways in which that is refused.
import { Schema } from "effect"
import { AppId, AppStatus, DeploymentId, type ReleaseId } from "../domain/App.ts"
import type { Trigger } from "../domain/Deployment.ts"
import { Revision } from "../domain/Env.ts"
import type { Policy } from "../domain/Policy.ts"
import type { GitRef, Source } from "../domain/Source.ts"

/** How many Deployments of one Tenant may wait for a Slot. */
export const queueLimit = 1_000

/** No Deployment of this id exists. */
export class DeploymentNotFound extends Schema.TaggedError<DeploymentNotFound>()("DeploymentNotFound", {
  deployment: Schema.String
}) {}

/** The App has no Release of this id. */
export class ReleaseNotFound extends Schema.TaggedError<ReleaseNotFound>()("ReleaseNotFound", {
  release: Schema.String
}) {}

/** A Deployment did not begin; nothing was changed. The reason says why, with what helps to act. */
export class DeploymentRefused extends Schema.TaggedError<DeploymentRefused>()("DeploymentRefused", {
  reason: Schema.Union([
    Schema.TaggedStruct("AppGone", { app: Schema.String }),
    Schema.TaggedStruct("AppNotLive", { app: AppId, status: AppStatus }),
    Schema.TaggedStruct("AppNotStopped", { app: AppId, status: AppStatus }),
    Schema.TaggedStruct("NoRelease", { app: AppId }),
    Schema.TaggedStruct("DeploymentInProgress", { activeDeployment: DeploymentId }),
    Schema.TaggedStruct("NoSource", { app: AppId }),
    Schema.TaggedStruct("RevisionMismatch", { actual: Revision }),
    Schema.TaggedStruct("QueueFull", { limit: Schema.Int })
  ])
}) {
  override readonly message = `the deployment was refused: ${this.reason._tag}`
}

/**
 * What a Deployment is begun with; what is absent is the App's. With a `release` nothing is built: the image is that of the
 * `current` Release, with the Env as it is now, or that of the Release that is named, with the Env that it had. A `start`
 * makes a stopped App live; every other Trigger asks for a live one.
 */
export interface DeploymentRequest {
  readonly app: AppId
  readonly trigger: Trigger
  readonly policy?: Policy | undefined
  readonly source?: Source | undefined
  readonly ref?: GitRef | undefined
  readonly release?: ReleaseId | "current" | undefined
  readonly minEnvRevision?: Revision | undefined
}
