// Capped work of a Tenant that is not a Deployment: one command, a Batch of them, or whatever its caller does in a Slot.
// The table says which status may follow which; stores hold to it.
import { Schema } from "effect"
import { AppId, DeploymentId } from "./App.ts"
import { TenantName } from "./Tenant.ts"

/** Identifies a Job; `job_` and an opaque part. */
export const JobId = Schema.String.check(Schema.isPattern(/^job_[a-z0-9]{1,64}$/)).pipe(Schema.brand("JobId"))

/** The type of {@link JobId}. */
export type JobId = typeof JobId.Type

/** Whose something is that was made on the way: a Deployment's or a Job's. */
export const WorkId = Schema.Union([DeploymentId, JobId])

/** The type of {@link WorkId}. */
export type WorkId = typeof WorkId.Type

/** Whether work is a Job, and no Deployment. */
export const isJobId = Schema.is(JobId)

/** `command`: one command; `batch`: one for each of many Items; `slot`: what its caller does while it holds a Slot. */
export const JobKind = Schema.Literals(["command", "batch", "slot"])

/** The type of {@link JobKind}. */
export type JobKind = typeof JobKind.Type

/** Where a Job stands. The last three are terminal, but that a Job that failed or was cancelled can be run again. */
export const JobStatus = Schema.Literals(["queued", "running", "succeeded", "failed", "cancelled"])

/** The type of {@link JobStatus}. */
export type JobStatus = typeof JobStatus.Type

/** Which statuses may follow each one. What is `running` waits again when its holder is gone or gives it back. */
export const jobTransitions: { readonly [From in JobStatus]: ReadonlyArray<JobStatus> } = {
  queued: ["running", "cancelled"],
  running: ["queued", "succeeded", "failed", "cancelled"],
  succeeded: [],
  failed: ["queued", "running"],
  cancelled: ["queued", "running"]
}

/** Whether a Job has ended. */
export const hasEnded = (status: JobStatus): boolean => status !== "queued" && status !== "running"

/** How many Items a Batch has, and how many of them ended well and badly. */
export const ItemCounts = Schema.Struct({ total: Schema.Int, done: Schema.Int, failed: Schema.Int })

/** The type of {@link ItemCounts}. */
export interface ItemCounts extends Schema.Schema.Type<typeof ItemCounts> {}

/**
 * A Job as its store answers it. `attempt` counts from 1, one more for each rerun; `exitCode` is that of its command, for a
 * Batch 0 or 1; `queuePosition` is 1 for the next one of its Tenant, null when it does not wait. `startedAt` and
 * `finishedAt` are of the attempt.
 */
export const Job = Schema.Struct({
  id: JobId,
  tenant: TenantName,
  app: Schema.NullOr(AppId),
  kind: JobKind,
  status: JobStatus,
  attempt: Schema.Int,
  exitCode: Schema.NullOr(Schema.Int),
  items: ItemCounts,
  queuePosition: Schema.NullOr(Schema.Int),
  createdAt: Schema.DateTimeUtc,
  startedAt: Schema.NullOr(Schema.DateTimeUtc),
  finishedAt: Schema.NullOr(Schema.DateTimeUtc)
})

/** The type of {@link Job}. */
export interface Job extends Schema.Schema.Type<typeof Job> {}

/** What to do when a Job is asked for and its Tenant has no free Slot: refuse it, or let it wait. */
export const OnFull = Schema.Literals(["reject", "queue"])

/** The type of {@link OnFull}. */
export type OnFull = typeof OnFull.Type

/** What becomes of the other Items of a Batch when one fails: they go on, or nothing more is started. */
export const OnItemFailure = Schema.Literals(["continue", "stop"])

/** The type of {@link OnItemFailure}. */
export type OnItemFailure = typeof OnItemFailure.Type

/** How many Items a Batch may have. */
export const maxItems = 10_000

/** How many of its Items a Batch may work on at once. */
export const maxItemConcurrency = 32

/** How long a command may take unless its Job says otherwise, and at most, in seconds: an hour, and a day. */
export const commandTimeout = { default: 3_600, most: 86_400 }

/** How long a Job is kept after it ended, in seconds: a minute to ten years. */
export const JobTtl = Schema.Int.check(Schema.isBetween({ minimum: 60, maximum: 315_360_000 }))

/** What a Batch does one thing with: well-formed Unicode without NUL, at most 4,096 characters. */
export const ItemInput = Schema.String.check(
  Schema.isMaxLength(4_096),
  Schema.makeFilter((text) => (text.isWellFormed() && !text.includes("\0")) || "well-formed Unicode without NUL")
).pipe(Schema.brand("ItemInput"))

/** The type of {@link ItemInput}. */
export type ItemInput = typeof ItemInput.Type

/** How an Item stands. `done` is for ever; one that failed is tried again when its Job is run again. */
export const ItemStatus = Schema.Literals(["pending", "done", "failed"])

/** The type of {@link ItemStatus}. */
export type ItemStatus = typeof ItemStatus.Type

/**
 * An Item of a Batch with its Checkpoint: how it ended, in the order of `number`, which counts from 1. `exitCode` is that of
 * its command; `result` is what its caller has made of it, as JSON.
 */
export const Item = Schema.Struct({
  number: Schema.Int,
  item: ItemInput,
  status: ItemStatus,
  exitCode: Schema.NullOr(Schema.Int),
  result: Schema.NullOr(Schema.String),
  finishedAt: Schema.NullOr(Schema.DateTimeUtc)
})

/** The type of {@link Item}. */
export interface Item extends Schema.Schema.Type<typeof Item> {}
