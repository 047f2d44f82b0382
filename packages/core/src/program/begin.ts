// The one way in which a Deployment begins: every route and program that asks for one comes through here, and what came of it
// is counted.
import { Effect } from "effect"
import type { Deployment } from "../domain/Deployment.ts"
import type { DeploymentRefused, DeploymentRequest } from "../port/DeploymentRequest.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { type BegunOutcome, countBegun } from "./metrics.ts"

/**
 * Begins a Deployment, `queued`: whoever carries out Deployments takes it from there. `created` is false for a delivery seen
 * before, which answers the Deployment that it made. Refused, nothing was changed; when the store fails, nothing is started,
 * and whether it was written may not be known.
 */
export const begin = Effect.fn("begin")(function* (
  request: DeploymentRequest
): Effect.fn.Return<
  { readonly deployment: Deployment; readonly created: boolean },
  DeploymentRefused | StoreError,
  DeploymentStore
> {
  const store = yield* DeploymentStore
  const count = (outcome: BegunOutcome) => countBegun(request.trigger.kind, outcome)
  return yield* store.begin(request).pipe(
    Effect.tap(({ created }) => count(created ? "begun" : "repeated")),
    Effect.tapError((error) => count(error._tag === "StoreError" ? "store_failed" : outcomes[error.reason._tag]))
  )
})

const outcomes: { readonly [Tag in DeploymentRefused["reason"]["_tag"]]: BegunOutcome } = {
  AppGone: "app_gone",
  AppNotLive: "app_not_live",
  AppNotStopped: "app_not_stopped",
  DeploymentInProgress: "deployment_in_progress",
  NoRelease: "no_release",
  NoSource: "no_source",
  QueueFull: "queue_full",
  RevisionMismatch: "revision_mismatch"
}
