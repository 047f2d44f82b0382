// Keeps Jobs that are not Deployments, and the Fence under which each is carried out. They take their Slots from the same
// queue as Deployments. Their in-memory meaning is in memoryJobStore.ts.
import { Context, Effect, Layer } from "effect"
import type { Job, JobId } from "../domain/Job.ts"
import type { LeaseTerms, ReplicaId } from "../domain/Lease.ts"
import type { Page, PageRequest } from "../domain/Page.ts"
import type { LeaseLost } from "./Claim.ts"
import type {
  Begun,
  JobClaim,
  JobFilter,
  JobNotFound,
  JobOutcome,
  JobRefused,
  JobRequest,
  Worker
} from "./JobRequest.ts"
import { makeMemoryJobs } from "./memoryJobStore.ts"
import { MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** Keeps Jobs. Every method is one transaction; each change of status writes its Event in it. */
export class JobStore extends Context.Service<
  JobStore,
  {
    /**
     * Makes a Job. With a free Slot and nobody waiting before it, it is `running` and the caller's; else it waits, or is
     * refused with `JobCapReached` and nothing is made. A command runs in the current Release of a live App. A key seen
     * before answers the Job that it made, as it stands.
     */
    readonly begin: (request: JobRequest) => Effect.Effect<Begun, JobRefused | StoreError>
    /**
     * Runs a Job again that failed or was cancelled: one attempt more, what is left of its Items, the App's Release as it is
     * now. Admitted as a new one is. Of several who ask at the same time one wins.
     */
    readonly rerun: (job: JobId, by: Worker) => Effect.Effect<Begun, JobNotFound | JobRefused | StoreError>
    /** The Job. */
    readonly get: (job: JobId) => Effect.Effect<Job, JobNotFound | StoreError>
    /** Jobs, newest first. */
    readonly list: (filter: JobFilter, page: PageRequest) => Effect.Effect<Page<Job>, StoreError>
    /**
     * Gives Jobs that wait for a Slot, and whose Tenants have one free, to the caller, at most so many: each is `running`,
     * under a Fence above all before it. First come, first served within a Tenant, among Jobs and Deployments; Tenants in
     * turns, one Job of each before a second of any. None without a command is given.
     */
    readonly admit: (by: Worker, limit: number) => Effect.Effect<ReadonlyArray<JobClaim>, StoreError>
    /**
     * Gives this Job to the caller, once it is the next of its Tenant and a Slot is free. One without a command is given to
     * nobody who does not ask for it so, and is cancelled when nobody has asked for eight lease times.
     */
    readonly admitJob: (by: Worker, job: JobId) => Effect.Effect<JobClaim | undefined, StoreError>
    /** Extends the lease of a Claim by `terms.ttl` from now, on the database's clock. */
    readonly renew: (claim: JobClaim, terms: LeaseTerms) => Effect.Effect<void, LeaseLost | StoreError>
    /** Whether the Job of a Claim was asked to stop. */
    readonly stopRequested: (claim: JobClaim) => Effect.Effect<boolean, StoreError>
    /** Asks a Job to end as `cancelled`: at once while it waits, else by its holder. One that has ended stays as it is. */
    readonly requestCancel: (job: JobId) => Effect.Effect<Job, JobNotFound | StoreError>
    /** Ends the attempt, and its Slot is free. Whoever was asked to stop ends as `cancelled`, whatever the outcome. */
    readonly finish: (claim: JobClaim, outcome: JobOutcome) => Effect.Effect<Job, LeaseLost | StoreError>
    /** Gives a Job that is a command back: it waits again at its old place. One that was asked to stop ends as `cancelled`. */
    readonly giveBack: (claim: JobClaim) => Effect.Effect<Job, LeaseLost | StoreError>
    /** Ends the leases of a replica that is known to be dead, so that its Jobs are abandoned at once. */
    readonly abandon: (replica: ReplicaId) => Effect.Effect<void, StoreError>
    /** Claims Jobs whose lease ran out, each under a new Fence, to be given back or ended by the caller. Those that nobody waits for any more are cancelled. */
    readonly claimAbandoned: (by: Worker, limit: number) => Effect.Effect<ReadonlyArray<JobClaim>, StoreError>
  }
>()("@lockkeeper/core/port/JobStore") {
  /** Jobs in memory. */
  static readonly layerMemory: Layer.Layer<JobStore, never, MemoryState> = Layer.effect(
    JobStore,
    Effect.map(MemoryState, (state) => JobStore.of(makeMemoryJobs(state)))
  )
}
