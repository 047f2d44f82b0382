// Writing the end of a Deployment so that an answer lost on the way is looked up and never guessed.
import { Effect } from "effect"
import type { Deployment } from "../domain/Deployment.ts"
import type { AppGone } from "../port/AppStore.ts"
import type { Claim, DeploymentOutcome, LeaseLost, StopRequested } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { backoff } from "./backoff.ts"
import { countEnded } from "./metrics.ts"

/**
 * Ends a Deployment, trying for about half a minute while the store is away. When a try that seemed to fail had been
 * written after all, its outcome is the answer. A `StoreError` means that the outcome is not known. What is written is
 * counted.
 */
export const ended = Effect.fn("ended")(function* (
  claim: Claim,
  outcome: DeploymentOutcome
): Effect.fn.Return<Deployment, LeaseLost | StopRequested | AppGone | StoreError, DeploymentStore> {
  const store = yield* DeploymentStore
  return yield* store.finish(claim, outcome).pipe(
    Effect.catchTag("LeaseLost", (lost) => writtenBefore(claim, lost, outcome)),
    Effect.retry({
      while: (error) => error._tag === "StoreError" && error.reason === "unavailable",
      schedule: backoff("50 millis", "2 seconds"),
      times: 20
    }),
    Effect.tap(countEnded)
  )
})

const writtenBefore = Effect.fnUntraced(function* (claim: Claim, lost: LeaseLost, outcome: DeploymentOutcome) {
  const store = yield* DeploymentStore
  const found = yield* store
    .get(claim.deployment.id)
    .pipe(Effect.catchTag("DeploymentNotFound", () => Effect.fail(lost)))
  return found.status === outcome.status ? found : yield* lost
})
