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
const seenSoon = Effect.fnUntraced(function* <A>(look: Effect.Effect<A | undefined, StoreError>) {
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

/** Fails once a Run was asked to end, by its own name or by that of the Job that has its Slot; never succeeds. */
export const runStopped = Effect.fnUntraced(function* ({
  run,
  slot
}: {
  readonly run: RunClaim
  readonly slot: JobClaim
}): Effect.fn.Return<never, RunStopped, RunStore | JobStore | Hints | Scope.Scope> {
  const runs = yield* RunStore
  const jobs = yield* JobStore
  const { id } = run.run
  const isAsked = Effect.gen(function* () {
    return (yield* runs.stopRequested(id)) || (yield* jobs.stopRequested(slot))
  })
  yield* seenSoon(Effect.map(isAsked, (is) => (is ? true : undefined)))
  return yield* new RunStopped({ run: id })
})
