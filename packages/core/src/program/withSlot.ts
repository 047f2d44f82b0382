// A Slot of a Tenant around any work: for what a platform does itself and its Tenants are capped in.
import { Duration, Effect, Exit, Schema } from "effect"
import type { JobStatus, OnFull } from "../domain/Job.ts"
import type { TenantName } from "../domain/Tenant.ts"
import type { LeaseLost } from "../port/Claim.ts"
import type { Hints } from "../port/Hints.ts"
import type { Begun, JobClaim, JobRefused, JobTask } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import type { Restore } from "./admission.ts"
import { beginJob } from "./beginJob.ts"
import { concludeJob } from "./concludeJob.ts"
import { holdJob } from "./lease.ts"
import { Replica } from "./Replica.ts"
import { untilSeen } from "./untilSeen.ts"

/** What waited for a Slot ended before it had one: somebody cancelled it, or it was not heard of for eight lease times. */
export class SlotWithdrawn extends Schema.TaggedError<SlotWithdrawn>()("SlotWithdrawn", {}) {
  override readonly message = "what waited for a slot was cancelled"
}

/** The ports that taking a Slot needs. */
export type SlotPorts = Hints | JobStore | Replica

/** What a Job is that only has a Slot: what is done in it is its caller's. */
export const inSlot: JobTask = { command: null, timeoutSeconds: 1, itemConcurrency: 1, onItemFailure: "continue" }

/**
 * Does work in a Slot of a Tenant, and gives the Slot back when it succeeds, fails, dies or is interrupted; after a crash the
 * next Reaper does, when the lease has ended. With `reject` it fails at once with `JobRefused` when no Slot is free; with
 * `queue` it waits its turn, among the Tenant's Jobs and Deployments. The lease lost, the work is interrupted: `LeaseLost`.
 */
export const withSlot = <A, E, R>(
  { onFull = "queue", tenant }: { readonly tenant: TenantName; readonly onFull?: OnFull | undefined },
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | JobRefused | LeaseLost | SlotWithdrawn | StoreError, R | SlotPorts> =>
  Effect.withSpan(
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const begun = yield* beginJob({ of: { tenant }, task: inSlot, items: undefined, onFull })
        const claim = yield* jobAdmission(begun, restore)
        return yield* Effect.scoped(heldDuring(claim, work, restore))
      })
    ),
    "withSlot"
  )

const heldDuring = Effect.fnUntraced(function* <A, E, R>(
  claim: JobClaim,
  work: Effect.Effect<A, E, R>,
  restore: Restore
) {
  const lost = yield* holdJob(claim)
  const exit = yield* Effect.exit(restore(Effect.raceFirst(work, lost)))
  const status: JobStatus = Exit.isSuccess(exit) ? "succeeded" : Exit.hasInterrupts(exit) ? "cancelled" : "failed"
  yield* concludeJob(claim, Exit.succeed({ status, exitCode: null }))
  return yield* exit
})

/** Waits until a Job that waits is admitted to this caller. Failed or interrupted meanwhile, it is cancelled. */
export const jobAdmission = Effect.fn("jobAdmission")(function* (
  { claim, job }: Begun,
  restore: Restore
): Effect.fn.Return<JobClaim, SlotWithdrawn | StoreError, SlotPorts> {
  if (claim !== undefined) return claim
  const store = yield* JobStore
  const { id: replica, terms } = yield* Replica
  const look = Effect.gen(function* () {
    const admission = yield* store.admitJob({ replica, terms }, job.id)
    if (admission !== undefined) return admission
    const { status } = yield* Effect.catchTag(store.get(job.id), "JobNotFound", Effect.die)
    if (status !== "queued") return yield* new SlotWithdrawn()
    return undefined
  })
  const admitted = untilSeen(look, { topic: "jobs", atMost: Duration.times(terms.ttl, 2), restore })
  return yield* Effect.onError(admitted, () => Effect.ignore(store.requestCancel(job.id)))
})
