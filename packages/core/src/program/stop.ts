// Noticing that somebody asked a Deployment to stop: from any replica, and also when every hint of it was lost.
import { Duration, Effect, type Scope } from "effect"
import { type Claim, StopRequested } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { Hints } from "../port/Hints.ts"

/** How long a request to stop may go unnoticed while the store answers and no Hint of it comes. */
const lookEvery = Duration.millis(500)

/** Fails once the Deployment of a Claim was asked to stop; never succeeds. While the store is away, nothing is noticed. */
export const stopped = Effect.fnUntraced(function* (
  claim: Claim
): Effect.fn.Return<never, StopRequested, DeploymentStore | Hints | Scope.Scope> {
  const store = yield* DeploymentStore
  const hints = yield* Hints
  const wait = yield* hints.listen("stops")
  const { id: deployment } = claim.deployment
  while (true) {
    yield* wait(lookEvery)
    const as = yield* Effect.orElseSucceed(store.stopRequested(claim), () => undefined)
    if (as !== undefined) return yield* new StopRequested({ deployment, as })
  }
})
