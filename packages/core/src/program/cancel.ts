// Ends a Deployment from outside: a request on record, which its holder carries out, wherever it is and whatever restarts.
import { Duration, Effect } from "effect"
import type { DeploymentId } from "../domain/App.ts"
import { type Deployment, isTerminal } from "../domain/Deployment.ts"
import type { DeploymentNotFound } from "../port/DeploymentRequest.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { Hints } from "../port/Hints.ts"
import type { StoreError } from "../port/StoreError.ts"
import { countStop, type StopOutcome } from "./metrics.ts"

/** How long the end of the Deployment may go unnoticed while no Hint of it comes. */
const lookEvery = Duration.millis(100)

/**
 * Asks a Deployment to end as `cancelled` and waits for its end, at most five seconds unless told otherwise. Answers it as
 * it stands then: `cancelled` with everything that it made released, still in progress and `cancelling`, or the end that
 * it had before. Interrupted, the request stands.
 */
export const cancel = Effect.fn("cancel")(function* (
  deployment: DeploymentId,
  patience: Duration.Input = Duration.seconds(5)
): Effect.fn.Return<Deployment, DeploymentNotFound | StoreError, DeploymentStore | Hints> {
  const store = yield* DeploymentStore
  const hints = yield* Hints
  let seen = yield* Effect.tapError(store.requestCancel(deployment), ({ _tag }) =>
    countStop(_tag === "StoreError" ? "store_failed" : "not_found")
  )
  const end = Effect.gen(function* () {
    const wait = yield* hints.listen("deployments")
    while (!isTerminal((seen = yield* store.get(deployment)).status)) yield* wait(lookEvery)
  })
  if (!isTerminal(seen.status)) yield* Effect.timeoutOption(Effect.scoped(end), patience)
  yield* countStop(outcomeOf(seen))
  return seen
})

const outcomeOf = ({ status }: Deployment): StopOutcome => {
  if (status === "cancelled") return status
  return isTerminal(status) ? "ended_otherwise" : "cancelling"
}
