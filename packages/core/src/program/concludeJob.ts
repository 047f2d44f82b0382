// The end of an attempt at a Job: one truthful status, written after everything was released and every line was stored.
import { Cause, Effect, Exit } from "effect"
import type { Job } from "../domain/Job.ts"
import type { LeaseLost } from "../port/Claim.ts"
import type { JobClaim, JobOutcome } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import { StoreError } from "../port/StoreError.ts"
import { countJobEnded } from "./metrics.ts"
import { untilWritten } from "./untilWritten.ts"

/** What decides how an attempt ends. */
type Ended = Exit.Exit<JobOutcome, { readonly _tag: string }>

/**
 * Writes how an attempt ended, trying for about half a minute while the store is away; one that was only interrupted waits
 * again. When the lease is lost, somebody else's word stands. A `StoreError` means that the outcome is not known: whoever
 * claims the Job after its lease decides.
 */
export const concludeJob = Effect.fn("concludeJob")(function* (
  claim: JobClaim,
  exit: Ended
): Effect.fn.Return<Job, StoreError, JobStore> {
  const store = yield* JobStore
  if (Exit.isFailure(exit) && Cause.hasDies(exit.cause)) {
    yield* Effect.logError(`${claim.job.id} ended by a defect`, exit.cause)
  }
  const outcome = outcomeOf(exit)
  if (outcome === "lost") return yield* present(claim)
  const written: Effect.Effect<Job, LeaseLost | StoreError> =
    outcome === "again" ? store.giveBack(claim) : store.finish(claim, outcome)
  const job = yield* untilWritten(written).pipe(Effect.catchTag("LeaseLost", () => present(claim)))
  yield* countJobEnded(job.status)
  return job
})

/** The Job as it stands. */
const present = Effect.fnUntraced(function* ({ job }: JobClaim) {
  const store = yield* JobStore
  return yield* Effect.catchTag(store.get(job.id), "JobNotFound", (cause) =>
    Effect.fail(new StoreError({ operation: "JobStore.get", reason: "unexpected", cause }))
  )
})

const outcomeOf = (exit: Ended): JobOutcome | "again" | "lost" => {
  if (Exit.isSuccess(exit)) return exit.value
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "None") {
    return Cause.hasInterruptsOnly(exit.cause) ? "again" : { status: "failed", exitCode: null }
  }
  if (error.value._tag === "LeaseLost") return "lost"
  return { status: error.value._tag === "JobStopped" ? "cancelled" : "failed", exitCode: null }
}
