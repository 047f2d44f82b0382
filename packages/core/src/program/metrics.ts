// What programs count. Labels are closed sets; no name of a Tenant or an App is one.
import { Effect, Metric } from "effect"
import type { Deployment, Trigger } from "../domain/Deployment.ts"
import type { JobStatus } from "../domain/Job.ts"
import type { Run } from "../domain/Run.ts"
import type { RetentionKind, RetentionUsage, SweepKind } from "../domain/Retention.ts"

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

const begun = counter(
  "lockkeeper_deployments_begun_total",
  "Requests for a deployment, by trigger and by what came of them"
)
const ended = counter(
  "lockkeeper_deployments_ended_total",
  "Deployments whose end this replica wrote, by status and by the code of their error; not those that ended while they waited"
)
const stops = counter("lockkeeper_stop_requests_total", "Requests to cancel a deployment, by what came of them")
const rollbacks = counter("lockkeeper_rollbacks_total", "Requests to go back to a release, by what came of them")
const apps = counter(
  "lockkeeper_apps_ended_total",
  "Apps that expired, that have nothing left since they ended, and tries to take one down that failed"
)
const released = counter(
  "lockkeeper_reaped_total",
  "Abandoned deployments and jobs, unowned workloads and nodes of runs, and unneeded images that were released"
)
const restarts = counter("lockkeeper_app_restarts_total", "Apps that were started again because they did not run")
const told = counter("lockkeeper_events_told_total", "What became of telling a subscriber of an event, by outcome")

const jobsBegun = counter(
  "lockkeeper_jobs_begun_total",
  "Requests for a job and for running one again, by what came of them"
)
const jobsEnded = counter("lockkeeper_jobs_ended_total", "Attempts at jobs that this replica ended, by status")

const runsBegun = counter("lockkeeper_runs_begun_total", "Requests for a run, by what came of them")
const runsEnded = counter(
  "lockkeeper_runs_ended_total",
  "Runs whose end this replica wrote, by status and by the code of their error"
)
const removals = counter(
  "lockkeeper_run_removals_total",
  "Tries to remove what there is of a run, by what came of them"
)

const swept = counter("lockkeeper_swept_total", "What was removed since it was older than its class allows, by class")
const retainedRows = Metric.gauge("lockkeeper_retained_rows", {
  description: "How much there is of each class of what is kept, as the store estimates it"
})
const retainedBytes = Metric.gauge("lockkeeper_retained_bytes", {
  description: "How many bytes each class of what is kept takes in the store, with its indexes"
})

/** Counts what a sweep removed of a class. */
export const countSwept = (kind: SweepKind, count: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(swept, { class: kind }), count)

/** Gauges how much there is of a class. */
export const gaugeRetained = (kind: RetentionKind, { bytes, rows }: RetentionUsage): Effect.Effect<void> => {
  const gauged = Metric.update(Metric.withAttributes(retainedRows, { class: kind }), rows)
  return bytes === null
    ? gauged
    : Effect.andThen(gauged, Metric.update(Metric.withAttributes(retainedBytes, { class: kind }), bytes))
}

/** What may come of asking for a Job. */
export type JobBegunOutcome =
  | "running"
  | "queued"
  | "repeated"
  | "app_gone"
  | "app_not_live"
  | "no_release"
  | "job_cap_reached"
  | "queue_full"
  | "already_running"
  | "nothing_to_do"
  | "job_not_found"
  | "store_failed"

/** Counts what came of asking for a Job. */
export const countJobBegun = (asked: "begin" | "rerun", outcome: JobBegunOutcome): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(jobsBegun, { asked, outcome }), 1)

/** Counts an attempt at a Job that has ended, or that waits again. */
export const countJobEnded = (status: JobStatus): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(jobsEnded, { status }), 1)

/** What may come of asking for a Run: the tag of an error, or that it was begun. */
export type RunBegunOutcome =
  | "begun"
  | "TargetNotKnown"
  | "InvalidTopology"
  | "MutableImage"
  | "KeepTooLong"
  | "PoolExhausted"
  | "JobRefused"
  | "LeaseLost"
  | "ProviderError"
  | "StoreError"

/** Counts what came of asking for a Run. */
export const countRunBegun = (outcome: RunBegunOutcome): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(runsBegun, { outcome: snake(outcome) }), 1)

const snake = (tag: string): string => tag.replace(/(?<=.)[A-Z]/g, "_$&").toLowerCase()

/** Counts a Run that has ended: `code` is that of its error, or `none`. */
export const countRunEnded = ({ error, status }: Pick<Run, "error" | "status">): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(runsEnded, { status, code: error?.code ?? "none" }), 1)

/** Counts a try to remove what there is of a Run. */
export const countRemoval = (outcome: "removed" | "failed"): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(removals, { outcome }), 1)

/** What may come of asking for a Deployment. */
export type BegunOutcome =
  | "begun"
  | "repeated"
  | "app_gone"
  | "app_not_live"
  | "app_not_stopped"
  | "deployment_in_progress"
  | "no_release"
  | "no_source"
  | "queue_full"
  | "revision_mismatch"
  | "store_failed"

/** Counts what came of asking for a Deployment. */
export const countBegun = (trigger: Trigger["kind"], outcome: BegunOutcome): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(begun, { trigger, outcome }), 1)

/** Counts a Deployment that has ended: `code` is that of its error, or `none`. */
export const countEnded = ({ error, status }: Pick<Deployment, "error" | "status">): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(ended, { status, code: error?.code ?? "none" }), 1)

/** What may come of asking a Deployment to end as `cancelled`; `cancelling` when its end was not waited for. */
export type StopOutcome = "cancelled" | "cancelling" | "ended_otherwise" | "not_found" | "store_failed"

/** Counts what came of a request to cancel. */
export const countStop = (outcome: StopOutcome): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(stops, { outcome }), 1)

/** What may come of asking for an older Release. */
export type RollbackOutcome =
  "begun" | "engine_failed" | "image_gone" | "refused" | "release_not_found" | "store_failed"

/** Counts what came of asking for an older Release. */
export const countRollback = (outcome: RollbackOutcome): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(rollbacks, { outcome }), 1)

/** Counts Apps that expired, that have nothing left, or that could not be taken down this time. */
export const countAppsEnded = (outcome: "expired" | "settled" | "failed", count: number): Effect.Effect<void> =>
  count === 0 ? Effect.void : Metric.update(Metric.withAttributes(apps, { outcome }), count)

/** Counts what a reap pass released. */
export const countReaped = (
  kind: "deployment" | "job" | "run" | "workload" | "image",
  count: number
): Effect.Effect<void> => (count === 0 ? Effect.void : Metric.update(Metric.withAttributes(released, { kind }), count))

/** Counts an App that was started again. */
export const countRestart: Effect.Effect<void> = Metric.update(restarts, 1)

/** Counts an Event that a Subscriber has taken, a try that failed, or an Event that was passed over: after its last try, or unreadable. */
export const countTold = (outcome: "delivered" | "failed" | "passed_over"): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(told, { outcome }), 1)
