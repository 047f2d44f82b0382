// Noticing that somebody asked a Deployment, a Job or a Run to stop: from any replica, and also when every hint of it was lost.
import { Duration, Effect, Schema, type Scope } from "effect"
import { JobId } from "../domain/Job.ts"
import { RunId } from "../domain/Run.ts"
import { type Claim, StopRequested } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { Hints } from "../port/Hints.ts"
import type { JobClaim } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import type { RunClaim } from "../port/RunRequest.ts"
import { RunStore } from "../port/RunStore.ts"
import type { StoreError } from "../port/StoreError.ts"

/** How long a request to stop may go unnoticed while the store answers and no Hint of it comes. */
const lookEvery = Duration.millis(500)

/** Somebody asked a Job to stop. */
export class JobStopped extends Schema.TaggedError<JobStopped>()("JobStopped", { job: JobId }) {}

/** Somebody asked a Run to end. */
export class RunStopped extends Schema.TaggedError<RunStopped>()("RunStopped", { run: RunId }) {}

/** Looks again and again, and at each Hint that somebody was asked to stop, until there is something to be seen. */
const seenSoon = Effect.fnUntraced(function* <A, R>(look: Effect.Effect<A | undefined, StoreError, R>) {
  const hints = yield* Hints
  const wait = yield* hints.listen("stops")
  while (true) {
    yield* wait(lookEvery)
    const seen = yield* Effect.orElseSucceed(look, () => undefined)
    if (seen !== undefined) return seen
  }
})

/** Fails once the Deployment of a Claim was asked to stop; never succeeds. While the store is away, nothing is noticed. */
export const stopped = Effect.fnUntraced(function* (
  claim: Claim
): Effect.fn.Return<never, StopRequested, DeploymentStore | Hints | Scope.Scope> {
  const store = yield* DeploymentStore
  const as = yield* seenSoon(store.stopRequested(claim))
  return yield* new StopRequested({ deployment: claim.deployment.id, as })
})

/** The same for the Claim of a Job. */
export const jobStopped = Effect.fnUntraced(function* (
  claim: JobClaim
): Effect.fn.Return<never, JobStopped, JobStore | Hints | Scope.Scope> {
  const store = yield* JobStore
  yield* seenSoon(Effect.map(store.stopRequested(claim), (isAsked) => (isAsked ? true : undefined)))
  return yield* new JobStopped({ job: claim.job.id })
})

/** A Run in the hands of who has its Slot. */
interface HeldRun {
  readonly run: RunClaim
  readonly slot: JobClaim
}

/** Whether a Run was asked to end, by its own name or by that of the Job that has its Slot. */
export const runStopRequested = Effect.fnUntraced(function* ({
  run,
  slot
}: HeldRun): Effect.fn.Return<boolean, StoreError, RunStore | JobStore> {
  const runs = yield* RunStore
  const jobs = yield* JobStore
  return (yield* runs.stopRequested(run.run.id)) || (yield* jobs.stopRequested(slot))
})

/** Fails once a Run was asked to end; never succeeds. */
export const runStopped = Effect.fnUntraced(function* (
  held: HeldRun
): Effect.fn.Return<never, RunStopped, RunStore | JobStore | Hints | Scope.Scope> {
  yield* seenSoon(Effect.map(runStopRequested(held), (is) => (is ? true : undefined)))
  return yield* new RunStopped({ run: held.run.run.id })
})
