// Takes Jobs from holders that are gone: what they had started is released, and the Job waits again; a Run in a Slot is
// ended. Any replica may do it.
import { Effect } from "effect"
import type { ContainerRuntime } from "../port/ContainerRuntime.ts"
import { Journal } from "../port/Journal.ts"
import { type JobClaim, maxRecoveries } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import { LogName, type LogStore } from "../port/LogStore.ts"
import { RunStore } from "../port/RunStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { noRedactor, openLog } from "./DeploymentLog.ts"
import { holdJob } from "./lease.ts"
import { countJobEnded, countReaped } from "./metrics.ts"
import { recoverRun, type RecoverRunPorts } from "./recoverRun.ts"
import { Replica } from "./Replica.ts"
import { releaseWorkload } from "./retire.ts"
import type { RunInHand } from "./RunInHand.ts"

/** The ports that taking over Jobs needs. */
export type ReapJobPorts = ContainerRuntime | JobStore | Journal | LogStore | RecoverRunPorts | Replica | RunStore

/** Who ends a Run that was taken from a holder that is gone. One that is kept may take a day. */
export interface EndTakenRun {
  (hand: RunInHand): Effect.Effect<unknown, StoreError, RecoverRunPorts>
}

/** How many Jobs are taken at once. */
const batch = 16

/**
 * Claims Jobs whose holder lost its lease, releases what they had started, and gives them back: they wait again, in front of
 * those that came later. One that was lost too often, or that only its caller carries out, has failed. A Run is ended by
 * `endRun`: in here, unless somebody else does it. Answers how many it claimed. What fails stays claimed until its lease
 * ends, and is claimed again then.
 */
export const reapJobs = Effect.fn("reapJobs")(function* (
  endRun: EndTakenRun = recoverRun
): Effect.fn.Return<number, StoreError, ReapJobPorts> {
  const store = yield* JobStore
  const { id: replica, terms } = yield* Replica
  const claims = yield* store.claimAbandoned({ replica, terms }, batch)
  yield* Effect.forEach(claims, (claim) => recover(claim, endRun), { concurrency: batch, discard: true })
  yield* countReaped("job", claims.length)
  return claims.length
})

const recover = (claim: JobClaim, endRun: EndTakenRun) =>
  Effect.gen(function* () {
    const runs = yield* RunStore
    const run = claim.job.kind === "slot" ? yield* runs.take(claim.job.id, claim.fence) : undefined
    yield* run === undefined ? giveBack(claim) : endRun({ run, slot: claim })
  }).pipe(Effect.catchCause((cause) => Effect.logWarning(`${claim.job.id} was not given back yet`, cause)))

const giveBack = Effect.fnUntraced(function* (claim: JobClaim) {
  const { job, recoveries, task } = claim
  const work = Effect.gen(function* () {
    const store = yield* JobStore
    const journal = yield* Journal
    const intents = yield* journal.heldFor(job.id)
    yield* Effect.forEach(intents, ({ name, workload }) => releaseWorkload(name, workload?.id), { discard: true })
    const isOver = task.command === null || recoveries > maxRecoveries
    const line = `the server that ran it lost its lease; ${isOver ? "it has failed" : "it waits again"}`
    yield* Effect.scoped(
      Effect.flatMap(openLog(LogName.make(`job/${job.id}`), noRedactor), (log) => log.say({ stream: "system", line }))
    )
    const { status } = yield* isOver ? store.finish(claim, { status: "failed", exitCode: null }) : store.giveBack(claim)
    yield* countJobEnded(status)
  })
  yield* Effect.scoped(Effect.flatMap(holdJob(claim), (lost) => Effect.raceFirst(work, lost)))
})
