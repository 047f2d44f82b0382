// Carries out a Job that is a command, or a command for each of its Items, and leaves nothing behind however it ends.
import { Cause, Duration, Effect, Exit } from "effect"
import type { AppId } from "../domain/App.ts"
import type { Env } from "../domain/Env.ts"
import type { Item, Job } from "../domain/Job.ts"
import { makeRedactor, secretsOf } from "../domain/Redactor.ts"
import { type Command, WorkloadName } from "../domain/Workload.ts"
import type { AppGone } from "../port/AppStore.ts"
import type { CheckpointStore } from "../port/CheckpointStore.ts"
import type { LeaseLost } from "../port/Claim.ts"
import type { ContainerRuntime, RuntimeError } from "../port/ContainerRuntime.ts"
import { EnvStore } from "../port/EnvStore.ts"
import type { Hints } from "../port/Hints.ts"
import type { Journal } from "../port/Journal.ts"
import type { ItemOutcome, JobClaim, JobOutcome, JobRelease } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import { LogName, type LogStore } from "../port/LogStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import type { Restore } from "./admission.ts"
import { concludeJob } from "./concludeJob.ts"
import { type LogWriter, noRedactor, openLog } from "./DeploymentLog.ts"
import { holdJob } from "./lease.ts"
import { performItems } from "./performItems.ts"
import type { Replica } from "./Replica.ts"
import { runCommand } from "./runCommand.ts"
import { jobStopped, type JobStopped } from "./stop.ts"

/** The ports that carrying out a Job needs. */
export type JobPorts = CheckpointStore | ContainerRuntime | EnvStore | Hints | JobStore | Journal | LogStore | Replica

/** What may end a Job before its command does. */
type JobError = AppGone | JobStopped | LeaseLost | RuntimeError | StoreError

/**
 * Carries out a Job under its lease and Fence, and answers how it stands then: ended, or waiting again when this was
 * interrupted. Whatever it had started is gone first. When its lease is lost, whoever claims it next decides.
 */
export const carryOutJob = Effect.fn("carryOutJob")(function* (
  claim: JobClaim
): Effect.fn.Return<Job, StoreError, JobPorts> {
  yield* Effect.annotateCurrentSpan({ job: claim.job.id, tenant: claim.job.tenant })
  return yield* Effect.uninterruptibleMask((restore) => Effect.scoped(carriedOut(claim, restore)))
})

const carriedOut = Effect.fnUntraced(function* (claim: JobClaim, restore: Restore) {
  const lost = yield* holdJob(claim)
  const work = Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openLog(LogName.make(`job/${claim.job.id}`), noRedactor)
      const performed = Effect.scoped(Effect.raceFirst(perform(claim, log), jobStopped(claim)))
      const exit = yield* Effect.exit(restore(Effect.raceFirst(performed, lost)))
      yield* log.say({ stream: "system", line: (yield* log.redactor).text(lastWords(exit)) })
      return exit
    })
  )
  return yield* concludeJob(claim, yield* work)
})

const perform = Effect.fnUntraced(function* (
  claim: JobClaim,
  log: LogWriter
): Effect.fn.Return<JobOutcome, JobError, Exclude<JobPorts, Hints>> {
  const { job, of, task } = claim
  if (job.app === null || of === null || task.command === null) {
    return yield* Effect.die(new Error(`${job.id} is carried out by whoever asked for it`))
  }
  const env = yield* (yield* EnvStore).readAt(job.app, of.envRevision)
  yield* log.hide(makeRedactor(secretsOf(env, undefined)))
  const place: Place = { claim, app: job.app, of, env, command: task.command, log }
  if (job.kind === "batch") return yield* performBatch(place)
  yield* log.say({ stream: "system", line: `running ${task.command.join(" ")}` })
  const { exitCode } = yield* runOnce(place, undefined)
  return { status: exitCode === 0 ? "succeeded" : "failed", exitCode }
})

/** Where a command runs, and which one. */
interface Place {
  readonly claim: JobClaim
  readonly app: AppId
  readonly of: JobRelease
  readonly env: Env
  readonly command: Command
  readonly log: LogWriter
}

const performBatch = Effect.fnUntraced(function* (place: Place) {
  const { claim, log } = place
  yield* log.say({ stream: "system", line: `running ${place.command.join(" ")} for each item` })
  yield* performItems(claim, (item) =>
    Effect.gen(function* () {
      const { exitCode, reason, result } = yield* runOnce(place, item).pipe(
        Effect.map((exit) => ({ ...exit, result: null })),
        Effect.catchTag("RuntimeError", (error) =>
          error.reason === "name_conflict"
            ? Effect.succeed({ exitCode: null, reason: `failed: ${error.detail}`, result: nameConflict })
            : Effect.fail(error)
        )
      )
      yield* log.say({ stream: "system", line: `item ${item.number} ${reason}` })
      const outcome: ItemOutcome = { status: exitCode === 0 ? "done" : "failed", exitCode, result }
      return outcome
    })
  )
  const { done, total } = (yield* Effect.catchTag((yield* JobStore).get(claim.job.id), "JobNotFound", Effect.die)).items
  const outcome: JobOutcome = done === total ? { status: "succeeded", exitCode: 0 } : { status: "failed", exitCode: 1 }
  return outcome
})

/** What is recorded of an Item whose command would have had the name of something else, which was left alone. */
const nameConflict = JSON.stringify({ code: "name_conflict" })

/** Runs the command once, for an Item if there is one. One that takes too long is ended, and has no code. */
const runOnce = Effect.fnUntraced(function* ({ app, claim, command, env, log, of }: Place, item: Item | undefined) {
  const { fence, job, task } = claim
  const name = WorkloadName.make(`${job.id}-${fence}${item === undefined ? "" : `-${item.number}`}`)
  const { tenant } = job
  const spec = { name, tenant, app, work: job.id, fence, image: of.image, env, port: null, command, item: item?.item }
  const limit = Duration.seconds(task.timeoutSeconds)
  return yield* Effect.timeoutOrElse(runCommand(spec, log.say), {
    duration: limit,
    orElse: () =>
      Effect.as(log.say({ stream: "system", line: `it took longer than ${Duration.format(limit)} and was ended` }), {
        exitCode: null,
        reason: "took too long"
      })
  })
})

/** What the log says last: how it ended, or why it did not come to its end. */
const lastWords = (exit: Exit.Exit<JobOutcome, JobError>): string => {
  if (Exit.isSuccess(exit)) {
    const { exitCode, status } = exit.value
    return exitCode === null ? status : `${status} with code ${exitCode}`
  }
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "None") return Cause.hasInterruptsOnly(exit.cause) ? "this server stops" : "an internal error"
  switch (error.value._tag) {
    case "AppGone":
      return "the app is gone"
    case "JobStopped":
      return "cancelled"
    case "LeaseLost":
      return "the server that ran it lost its lease"
    case "RuntimeError":
      return error.value.detail
    case "StoreError":
      return error.value.message
  }
}
