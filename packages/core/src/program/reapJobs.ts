// Takes Jobs from holders that are gone: what they had started is released, and the Job waits again. Any replica may run it.
import { Effect } from "effect"
import type { ContainerRuntime } from "../port/ContainerRuntime.ts"
import { Journal } from "../port/Journal.ts"
import { type JobClaim, maxRecoveries } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import { LogName, type LogStore } from "../port/LogStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { noRedactor, openLog } from "./DeploymentLog.ts"
import { holdJob } from "./lease.ts"
import { countJobEnded, countReaped } from "./metrics.ts"
import { Replica } from "./Replica.ts"
import { releaseWorkload } from "./retire.ts"

/** The ports that taking over Jobs needs. */
export type ReapJobPorts = ContainerRuntime | JobStore | Journal | LogStore | Replica

/** How many Jobs are taken at once. */
const batch = 16

/**
 * Claims Jobs whose holder lost its lease, releases what they had started, and gives them back: they wait again, in front of
 * those that came later. One that was lost too often, or that only its caller carries out, has failed. Answers how many it
 * claimed. What fails stays claimed until its lease ends, and is claimed again then.
 */
export const reapJobs = Effect.fn("reapJobs")(function* (): Effect.fn.Return<number, StoreError, ReapJobPorts> {
  const store = yield* JobStore
  const { id: replica, terms } = yield* Replica
  const claims = yield* store.claimAbandoned({ replica, terms }, batch)
  yield* Effect.forEach(claims, recover, { concurrency: batch, discard: true })
  yield* countReaped("job", claims.length)
  return claims.length
})

const recover = Effect.fnUntraced(function* (claim: JobClaim) {
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
  const held = Effect.scoped(Effect.flatMap(holdJob(claim), (lost) => Effect.raceFirst(work, lost)))
  yield* Effect.catchCause(held, (cause) => Effect.logWarning(`${job.id} was not given back yet`, cause))
})
