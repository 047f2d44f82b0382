// Ends a Deployment from outside: a request on record, which its holder carries out, wherever it is and whatever restarts.
import { Duration, Effect, Schedule } from "effect"
import type { DeploymentId } from "../domain/App.ts"
import { type Deployment, isTerminal } from "../domain/Deployment.ts"
import type { DeploymentNotFound } from "../port/DeploymentRequest.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { StoreError } from "../port/StoreError.ts"

/**
 * Asks a Deployment to end as `cancelled` and waits for its end, at most five seconds unless told otherwise. Answers it as
 * it stands then: `cancelled` with everything that it made released, still in progress and `cancelling`, or the end that
 * it had before. Interrupted, the request stands.
 */
export const cancel = Effect.fn("cancel")(function* (
  deployment: DeploymentId,
  patience: Duration.Input = Duration.seconds(5)
): Effect.fn.Return<Deployment, DeploymentNotFound | StoreError, DeploymentStore> {
  const store = yield* DeploymentStore
  let seen = yield* store.requestCancel(deployment)
  const hasEnded = Effect.map(store.get(deployment), (present) => isTerminal((seen = present).status))
  if (!isTerminal(seen.status)) {
    yield* hasEnded.pipe(
      Effect.repeat({ until: (has) => has, schedule: Schedule.spaced("100 millis") }),
      Effect.timeoutOption(patience)
    )
  }
  return seen
})
