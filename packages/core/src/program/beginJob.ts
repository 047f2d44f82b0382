// The one way in which a Job begins or is run again: every route and program that asks for one comes through here, and what
// came of it is counted.
import { Effect } from "effect"
import type { JobId } from "../domain/Job.ts"
import type { Begun, JobNotFound, JobRefused, JobRequest } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { countJobBegun, type JobBegunOutcome } from "./metrics.ts"
import { Replica } from "./Replica.ts"

/**
 * Begins a Job. With a `claim` it runs and is this caller's to carry out; else it waits for whoever admits it, or it is the
 * one that its key made before. Refused, nothing was made; when the store fails, whether it was written may not be known.
 */
export const beginJob = Effect.fn("beginJob")(function* (
  request: Omit<JobRequest, "by">
): Effect.fn.Return<Begun, JobRefused | StoreError, JobStore | Replica> {
  const jobs = yield* JobStore
  const { id: replica, terms } = yield* Replica
  return yield* counted("begin", jobs.begin({ ...request, by: { replica, terms } }))
})

/** Runs a Job again that failed or was cancelled, through the same admission; what is done of its Items stays done. */
export const rerunJob = Effect.fn("rerunJob")(function* (
  job: JobId
): Effect.fn.Return<Begun, JobNotFound | JobRefused | StoreError, JobStore | Replica> {
  const jobs = yield* JobStore
  const { id: replica, terms } = yield* Replica
  return yield* counted("rerun", jobs.rerun(job, { replica, terms }))
})

const counted = <E extends JobNotFound | JobRefused | StoreError>(
  asked: "begin" | "rerun",
  asking: Effect.Effect<Begun, E>
): Effect.Effect<Begun, E> =>
  asking.pipe(
    Effect.tap(({ claim, job }) => countJobBegun(asked, claim !== undefined ? "running" : begunAs[job.status])),
    Effect.tapError((error) => countJobBegun(asked, outcomeOf(error)))
  )

const begunAs: { readonly [Status in Begun["job"]["status"]]: JobBegunOutcome } = {
  queued: "queued",
  running: "repeated",
  succeeded: "repeated",
  failed: "repeated",
  cancelled: "repeated"
}

const outcomeOf = (error: JobNotFound | JobRefused | StoreError): JobBegunOutcome => {
  switch (error._tag) {
    case "JobNotFound":
      return "job_not_found"
    case "StoreError":
      return "store_failed"
    case "JobRefused":
      return refusals[error.reason._tag]
  }
}

const refusals: { readonly [Tag in JobRefused["reason"]["_tag"]]: JobBegunOutcome } = {
  AppGone: "app_gone",
  AppNotLive: "app_not_live",
  NoRelease: "no_release",
  JobCapReached: "job_cap_reached",
  QueueFull: "queue_full",
  AlreadyRunning: "already_running",
  NothingToDo: "nothing_to_do"
}
