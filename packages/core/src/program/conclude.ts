// The end of a Deployment: one truthful status, written after everything was released and every line was stored.
import { Cause, Effect, Exit, Ref } from "effect"
import type { DeploymentId } from "../domain/App.ts"
import { type Deployment, type DeploymentFailure, isTerminal } from "../domain/Deployment.ts"
import type { Redactor } from "../domain/Redactor.ts"
import type { Claim, DeploymentOutcome, LeaseLost, StopRequested } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { StoreError } from "../port/StoreError.ts"
import type { LogWriter } from "./DeploymentLog.ts"
import type { StepError } from "./deploySteps.ts"
import { ended } from "./ended.ts"
import { countEnded } from "./metrics.ts"

/**
 * Writes how a Deployment ended. When its end was being written as `healthy` and the outcome is not known, it is looked
 * up; if it is not there, or if traffic could not be switched back, nothing is written: the Reaper settles it after the
 * lease. When somebody else has ended it, their word stands.
 */
export const conclude = Effect.fn("conclude")(function* (
  claim: Claim,
  exit: Exit.Exit<Deployment, StepError | LeaseLost>,
  committed: Ref.Ref<boolean>,
  log: LogWriter
): Effect.fn.Return<Deployment, StoreError, DeploymentStore> {
  const { id } = claim.deployment
  if (Exit.isSuccess(exit)) {
    yield* log.end
    return exit.value
  }
  if (yield* Ref.get(committed)) {
    const found = yield* lookedUp(id)
    if (isTerminal(found.status)) {
      yield* countEnded(found)
      yield* log.end
      return found
    }
    const error = Cause.squash(exit.cause)
    yield* Effect.logError(`the end of ${id} could not be written`, exit.cause)
    return yield* error instanceof StoreError
      ? error
      : new StoreError({ operation: "finish", reason: "unavailable", cause: error })
  }

  const outcome = redacted(outcomeOf(exit.cause), yield* log.redactor)
  if (Cause.hasDies(exit.cause)) yield* Effect.logError(`${id} ended by a defect`, exit.cause)
  yield* log.say({ stream: "system", line: outcome.status === "failed" ? outcome.error.detail : outcome.status })
  yield* log.end

  return yield* ended(claim, outcome).pipe(
    Effect.catchTags({
      LeaseLost: () => lookedUp(id),
      AppGone: () => lookedUp(id),
      StopRequested: () => lookedUp(id)
    })
  )
})

const lookedUp = Effect.fnUntraced(function* (deployment: DeploymentId) {
  const store = yield* DeploymentStore
  return yield* store
    .get(deployment)
    .pipe(
      Effect.catchTag("DeploymentNotFound", (cause) =>
        Effect.fail(new StoreError({ operation: "finish", reason: "unexpected", cause }))
      )
    )
})

const outcomeOf = (cause: Cause.Cause<StepError | LeaseLost>): DeploymentOutcome => {
  const error = Cause.findErrorOption(cause)
  if (error._tag === "Some") {
    const { value } = error
    return value._tag === "StopRequested" ? { status: value.as } : { status: "failed", error: failureOf(value) }
  }
  return Cause.hasInterruptsOnly(cause)
    ? { status: "cancelled" }
    : { status: "failed", error: { code: "engine_unavailable", detail: "an internal error; the server's log has it" } }
}

/** The words of an error may be those of a program that was told secrets. */
const redacted = (outcome: DeploymentOutcome, redactor: Redactor): DeploymentOutcome =>
  outcome.status === "failed"
    ? { ...outcome, error: { ...outcome.error, detail: redactor.text(outcome.error.detail) } }
    : outcome

/** What a Deployment says about an error. */
export const failureOf = (error: Exclude<StepError | LeaseLost, StopRequested>): DeploymentFailure => {
  switch (error._tag) {
    case "SourceError":
      return { code: error.reason, detail: error.detail }
    case "RuntimeError":
      return { code: error.reason === "name_conflict" ? "start_failed" : error.reason, detail: error.detail }
    case "RouterError":
      return { code: error.reason === "port_conflict" ? "port_conflict" : "store_unavailable", detail: error.detail }
    case "StepFailed":
      return error.failure
    case "AppGone":
      return { code: "app_gone", detail: "the app is no longer live" }
    case "LeaseLost":
      return { code: "lease_lost", detail: "the server that deployed it lost its lease" }
    case "StoreError":
      return { code: "store_unavailable", detail: error.message }
  }
}
