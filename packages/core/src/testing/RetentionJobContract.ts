// What a sweep leaves of Jobs and Runs: whatever one needs that can be run again, or of which something is left. A part of the RetentionStore's contract.
import { Effect } from "effect"
import type { JobId } from "../domain/Job.ts"
import type { AppStore } from "../port/AppStore.ts"
import { CheckpointStore } from "../port/CheckpointStore.ts"
import type { DeploymentStore } from "../port/DeploymentStore.ts"
import type { JobRequest } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import type { RunClaim } from "../port/RunRequest.ts"
import { LogName, LogStore } from "../port/LogStore.ts"
import type { RetentionStore } from "../port/RetentionStore.ts"
import { RunStore } from "../port/RunStore.ts"
import { type Contract, equal, law, present } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import * as Jobs from "./JobFixture.ts"
import * as Runs from "./RunFixture.ts"
import { atOnce, endedJob, inAnHour, swept } from "./RetentionFixture.ts"

/** The ports of the laws of Jobs. */
export type RetentionJobPorts =
  AppStore | CheckpointStore | DeploymentStore | JobStore | LogStore | RetentionStore | RunStore

/** A Batch of a new Tenant of which one Item is done and one failed, that has ended. */
const halfDone = Effect.fnUntraced(function* (status: "failed" | "cancelled", more: Partial<JobRequest> = {}) {
  const [checkpoints, jobs] = [yield* CheckpointStore, yield* JobStore]
  const tenant = yield* Given.freshTenant
  const claim = yield* Jobs.running({ tenant }, { items: Jobs.inputs("a", "b", "c"), ...more })
  const done = yield* checkpoints.record(claim, 1, { status: "done", exitCode: null, result: "1" })
  yield* checkpoints.record(claim, 2, { status: "failed", exitCode: null, result: "2" })
  yield* jobs.finish(claim, { status, exitCode: null })
  return { id: claim.job.id, done }
})

const isThere = Effect.fnUntraced(function* (id: JobId) {
  return yield* (yield* JobStore).get(id).pipe(
    Effect.as(true),
    Effect.catchTag("JobNotFound", () => Effect.succeed(false))
  )
})

const itemsOf = Effect.fnUntraced(function* (id: JobId) {
  return (yield* (yield* CheckpointStore).items(id, { limit: 10 })).items
})

const isRunThere = Effect.fnUntraced(function* ({ run }: RunClaim) {
  return yield* (yield* RunStore).get(run.id).pipe(
    Effect.as(true),
    Effect.catchTag("RunNotFound", () => Effect.succeed(false))
  )
})

/** A Run in the Slot of a Job that has ended, and of which this is left; of undefined, the Run has not ended. */
const runOf = Effect.fnUntraced(function* (cleanup: "done" | "pending" | undefined) {
  const job = yield* Jobs.running({ tenant: yield* Given.freshTenant })
  const claim = yield* (yield* RunStore).create(yield* Runs.requested(job))
  if (cleanup !== undefined) yield* Runs.ended(claim, cleanup)
  yield* (yield* JobStore).finish(job, { status: "succeeded", exitCode: null })
  return claim
})

/** The laws of Jobs. */
export const retentionJobLaws: Contract<RetentionJobPorts> = [
  law(
    "K4",
    "a Batch that failed or was cancelled stays, whatever its age, and goes on with what is left when it is run again",
    Effect.gen(function* () {
      const [checkpoints, jobs] = [yield* CheckpointStore, yield* JobStore]
      for (const status of ["failed", "cancelled"] as const) {
        const { done, id } = yield* halfDone(status)
        yield* swept("jobs", atOnce, 1)
        const { job } = yield* present("a Claim", (yield* jobs.rerun(id, yield* Jobs.freshWorker())).claim)
        yield* equal("the counts", job.items, { total: 3, done: 1, failed: 0 })
        const left = yield* checkpoints.remaining(id, 0, 10)
        yield* equal(
          "what is left",
          left.map(({ number }) => number),
          [2, 3]
        )
        yield* equal("what was done", (yield* itemsOf(id))[0], done)
      }
    })
  ),

  law(
    "K7",
    "a Job goes with its Items when it has ended, and not before",
    Effect.gen(function* () {
      const [checkpoints, jobs] = [yield* CheckpointStore, yield* JobStore]
      const tenant = yield* Given.freshTenant
      const running = yield* Jobs.running({ tenant })
      const claim = yield* Jobs.running({ tenant }, { items: Jobs.inputs("a") })
      const failed = yield* endedJob(tenant, "failed")
      yield* checkpoints.record(claim, 1, { status: "done", exitCode: null, result: "1" })
      const { id } = yield* jobs.finish(claim, { status: "succeeded", exitCode: 0 })
      yield* swept("jobs", inAnHour)
      yield* equal(
        "whether they are there within their age",
        [yield* isThere(id), yield* isThere(failed.id)],
        [true, true]
      )
      yield* swept("jobs")
      yield* equal("whether they are there after it", [yield* isThere(id), yield* isThere(failed.id)], [false, false])
      yield* equal("what Items there are", yield* itemsOf(id), [])
      yield* equal("whether the one that runs is there", yield* isThere(running.job.id), true)
    })
  ),

  law(
    "X10",
    "a Job goes when its own time is over, and not before, whatever is said of others",
    Effect.gen(function* () {
      const over = yield* halfDone("failed", { ttlSeconds: 0 })
      const left = yield* halfDone("failed", { ttlSeconds: 3_600 })
      const done = yield* endedJob(yield* Given.freshTenant, "succeeded", { ttlSeconds: 3_600 })
      yield* swept("jobs", inAnHour)
      yield* equal("whether the one whose time is over is there", yield* isThere(over.id), false)
      yield* equal("what Items it has", yield* itemsOf(over.id), [])
      yield* swept("jobs")
      yield* equal("whether the others are there", [yield* isThere(left.id), yield* isThere(done.id)], [true, true])
    })
  ),

  law(
    "H13",
    "the lines of a Job that can be run again go, and what it says then has the numbers behind them",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const { id } = yield* halfDone("failed")
      const log = LogName.make(`job/${id}`)
      yield* logs.append(log, [
        { stream: "stdout", line: "one" },
        { stream: "stdout", line: "two" }
      ])
      yield* swept("logs")
      yield* equal("what there is of it", (yield* logs.read(log, 0, 10)).lines, [])
      yield* logs.append(log, [{ stream: "stdout", line: "three" }])
      const { lines } = yield* logs.read(log, 0, 10)
      yield* equal(
        "what there is then",
        lines.map(({ line, seq }) => `${seq} ${line}`),
        ["3 three"]
      )
    })
  ),

  law(
    "H38",
    "a Run goes when nothing is left of it, and not before, with its log; the Job in whose Slot it was goes after it",
    Effect.gen(function* () {
      const [logs, runs] = [yield* LogStore, yield* RunStore]
      const claims = [yield* runOf("done"), yield* runOf("pending"), yield* runOf(undefined)] as const
      const [done, pending] = claims
      const log = LogName.make(`run/${done.run.id}`)
      yield* logs.append(log, [{ stream: "system", line: "one" }])
      const there = Effect.forEach(claims, isRunThere)
      const jobs = Effect.forEach(claims, ({ job }) => isThere(job))
      yield* swept("runs", inAnHour)
      yield* swept("jobs")
      yield* equal("which are there within their age", [yield* there, yield* jobs].flat(), Array(6).fill(true))
      yield* swept("runs", atOnce, 1)
      yield* equal("which are there after it", yield* there, [false, true, true])
      yield* equal("what was said", (yield* logs.read(log, 0, 10)).lines, [])
      yield* swept("jobs")
      yield* equal("which Jobs are there then", yield* jobs, [false, true, true])
      yield* runs.cleaned(pending.run.id)
      yield* swept("runs")
      yield* equal("which are there when nothing is left", yield* there, [false, false, true])
    })
  ),

  law(
    "H13",
    "the lines of a Run that has ended go, and the last ones of one that has not stay",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const claim = yield* Runs.begun()
      const log = LogName.make(`run/${claim.run.id}`)
      yield* logs.append(log, [{ stream: "system", line: "one" }])
      const lines = Effect.map(logs.read(log, 0, 10), (part) => part.lines.map(({ line }) => line))
      yield* swept("logs")
      yield* equal("what there is of it", yield* lines, ["one"])
      yield* Runs.ended(claim, "pending")
      yield* swept("logs")
      yield* equal("what there is of it", yield* lines, [])
    })
  )
]
