// Noticing that somebody asked a Deployment to stop: from any replica, and also when every hint of it was lost.
import { Duration, Effect } from "effect"
import { type Claim, StopRequested } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"

/** How long a request to stop may go unnoticed while the store answers. */
const lookEvery = Duration.millis(500)

/** Fails once the Deployment of a Claim was asked to stop; never succeeds. While the store is away, nothing is noticed. */
export const stopped = Effect.fnUntraced(function* (
  claim: Claim
): Effect.fn.Return<never, StopRequested, DeploymentStore> {
  const store = yield* DeploymentStore
  const { id: deployment } = claim.deployment
  while (true) {
    yield* Effect.sleep(lookEvery)
    const as = yield* Effect.orElseSucceed(store.stopRequested(claim), () => undefined)
    if (as !== undefined) return yield* new StopRequested({ deployment, as })
  }
})
