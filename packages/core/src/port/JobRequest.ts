// What a Job is asked for with, what its holder is given, and the ways in which it is refused.
import { Schema } from "effect"
import { AppId, AppStatus, type ReleaseId } from "../domain/App.ts"
import type { Revision } from "../domain/Env.ts"
import type { ItemInput, Job, JobStatus, OnFull, OnItemFailure } from "../domain/Job.ts"
import type { Fence, LeaseTerms, ReplicaId } from "../domain/Lease.ts"
import type { TenantName } from "../domain/Tenant.ts"
import type { Command, ImageDigest } from "../domain/Workload.ts"

/** How many Jobs and Deployments of one Tenant may wait for a Slot before no further Job does. */
export const jobQueueLimit = 100_000

/** How often a Job waits again because its holder was gone. After that it has failed. */
export const maxRecoveries = 3

/** For how many lease times who waits for a Slot may be silent before it is taken for dead. */
export const waitingLeases = 8

/** A caller's name for a Batch, unique in its Tenant: whoever asks for it again goes on with the one that there is. */
export const JobKey = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,255}$/)).pipe(Schema.brand("JobKey"))

/** The type of {@link JobKey}. */
export type JobKey = typeof JobKey.Type

/** No Job of this id exists. */
export class JobNotFound extends Schema.TaggedError<JobNotFound>()("JobNotFound", { job: Schema.String }) {}

/** A Job was not begun or run again; nothing was changed. The reason says why, with what helps to act. */
export class JobRefused extends Schema.TaggedError<JobRefused>()("JobRefused", {
  reason: Schema.Union([
    Schema.TaggedStruct("AppGone", { app: Schema.String }),
    Schema.TaggedStruct("AppNotLive", { app: AppId, status: AppStatus }),
    Schema.TaggedStruct("NoRelease", { app: AppId }),
    Schema.TaggedStruct("JobCapReached", { limit: Schema.Int, running: Schema.Int }),
    Schema.TaggedStruct("QueueFull", { limit: Schema.Int }),
    Schema.TaggedStruct("AlreadyRunning", {}),
    Schema.TaggedStruct("NothingToDo", {})
  ])
}) {
  override readonly message = `the job was refused: ${this.reason._tag}`
}

/**
 * What a Job is. A `command` runs in the App's current Release, each run of it at most `timeoutSeconds`; with Items it runs
 * once for each. Without one, the Items of a Batch, or the time in a Slot, are its caller's.
 */
export interface JobTask {
  readonly command: Command | null
  readonly timeoutSeconds: number
  readonly itemConcurrency: number
  readonly onItemFailure: OnItemFailure
}

/** The Release in which a command runs: its image, and the Env that it serves with. */
export interface JobRelease {
  readonly release: ReleaseId
  readonly image: ImageDigest
  readonly envRevision: Revision
}

/** Who takes a Job that is admitted, under which terms. */
export interface Worker {
  readonly replica: ReplicaId
  readonly terms: LeaseTerms
}

/**
 * What a Job is begun with: an App in whose current Release its command runs, or a Tenant. `items` makes it a Batch.
 * Admitted at once, it is `by`'s.
 */
export interface JobRequest {
  readonly of: { readonly app: AppId } | { readonly tenant: TenantName }
  readonly task: JobTask
  readonly items: ReadonlyArray<ItemInput> | undefined
  readonly key?: JobKey | undefined
  /** How long it is kept after its end, in seconds, whether or not it can be run again; without it as the table of Retention says. */
  readonly ttlSeconds?: number | undefined
  readonly onFull: OnFull
  readonly by: Worker
}

/** A Job and the Fence under which its holder acts on it; every durable write of the holder carries it. */
export interface JobClaim {
  readonly job: Job
  readonly task: JobTask
  readonly of: JobRelease | null
  readonly fence: Fence
  readonly replica: ReplicaId
  /** How often it waited again because its holder was gone. */
  readonly recoveries: number
}

/** What came of asking for a Job: with a `claim` it was admitted at once and is the caller's to carry out. */
export interface Begun {
  readonly job: Job
  /** False for the Job of a key that was seen before. */
  readonly created: boolean
  readonly claim: JobClaim | undefined
}

/** How an attempt at a Job ends. */
export interface JobOutcome {
  readonly status: Exclude<JobStatus, "queued" | "running">
  readonly exitCode: number | null
}

/** Which Jobs to list; what is absent is any. */
export interface JobFilter {
  readonly tenant?: TenantName | undefined
  readonly app?: AppId | undefined
  readonly status?: JobStatus | undefined
}

/** How an Item ended. */
export interface ItemOutcome {
  readonly status: "done" | "failed"
  readonly exitCode: number | null
  readonly result: string | null
}
