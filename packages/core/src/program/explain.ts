// Why a Deployment is where it is. It only looks.
import { Effect } from "effect"
import type { DeploymentId } from "../domain/App.ts"
import { type Explanation, explained } from "../domain/Explanation.ts"
import type { DeploymentNotFound } from "../port/DeploymentRequest.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { StoreError } from "../port/StoreError.ts"

/**
 * Says why a Deployment is where it is: it waits for a Slot of its Tenant or behind another Deployment of its App, it is in
 * somebody's hands, it was asked to stop, or it has ended. All of it is of one moment, which may be over when it is read.
 */
export const explain = Effect.fn("explain")(function* (
  deployment: DeploymentId
): Effect.fn.Return<Explanation, DeploymentNotFound | StoreError, DeploymentStore> {
  const store = yield* DeploymentStore
  return explained(yield* store.standing(deployment))
})
