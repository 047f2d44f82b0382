// A Deployment in somebody's hands: who holds it under which Fence, and how that ends.
import { Schema } from "effect"
import { type App, DeploymentId } from "../domain/App.ts"
import { type Deployment, type DeploymentFailure, StopStatus } from "../domain/Deployment.ts"
import { WorkId } from "../domain/Job.ts"
import type { Fence, LeaseTerms, ReplicaId } from "../domain/Lease.ts"
import type { Release } from "../domain/Release.ts"
import type { Source } from "../domain/Source.ts"

/** The caller no longer owns the Deployment or the Job: its lease ran out, or somebody else ended it. Its work must stop. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", { work: WorkId }) {}

/** The Deployment was asked to stop and ends as that says. Its work must stop; nothing was changed. */
export class StopRequested extends Schema.TaggedError<StopRequested>()("StopRequested", {
  deployment: DeploymentId,
  as: StopStatus
}) {}

/** A Deployment and the Fence under which its holder acts on it; every durable write of the holder carries it. */
export interface Claim {
  readonly deployment: Deployment
  readonly app: App
  readonly source: Source
  readonly fence: Fence
  readonly replica: ReplicaId
}

/** Who asks for work, under which terms; with `deployment`, for that one only. */
export interface AdmissionRequest {
  readonly replica: ReplicaId
  readonly terms: LeaseTerms
  readonly deployment?: DeploymentId | undefined
}

/** How a Deployment ends. */
export type DeploymentOutcome =
  | { readonly status: "healthy" }
  | { readonly status: "failed"; readonly error: DeploymentFailure }
  | { readonly status: StopStatus }

/** The current Release of a live App and the Deployment that made it. */
export interface Serving {
  readonly app: App
  readonly release: Release
  readonly deployment: DeploymentId
  readonly fence: Fence
  /** The newest Fence of any of the App's Deployments that have ended: traffic may have been switched under it, and back. */
  readonly routeFence: Fence
}
