// What a CheckpointStore keeps: the Items of a Batch in their order, and how each ended, once and for all reruns.
import { Effect } from "effect"
import type { JobId } from "../domain/Job.ts"
import type { AppStore } from "../port/AppStore.ts"
import { CheckpointStore } from "../port/CheckpointStore.ts"
import type { DeploymentStore } from "../port/DeploymentStore.ts"
import type { ItemOutcome } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import { type Contract, equal, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import * as Jobs from "./JobFixture.ts"

const done = (result: string): ItemOutcome => ({ status: "done", exitCode: 0, result })
const failed: ItemOutcome = { status: "failed", exitCode: 2, result: null }

const left = Effect.fnUntraced(function* (job: JobId, after = 0, limit = 100) {
  const items = yield* (yield* CheckpointStore).remaining(job, after, limit)
  return items.map(({ number }) => number)
})

/** The laws of Checkpoints. */
export const CheckpointStoreContract: Contract<AppStore | CheckpointStore | DeploymentStore | JobStore> = [
  law(
    "H13",
    "the Items of a Batch are there with it, in the order in which they were given, and are pending",
    Effect.gen(function* () {
      const checkpoints = yield* CheckpointStore
      const { app } = yield* Jobs.released()
      const inputs = ["c", "a", "", "b", "a", "ü", "'; --"]
      const { job } = yield* Jobs.batch(app, ...inputs)
      yield* equal("what it is", [job.kind, job.items], ["batch", { total: 7, done: 0, failed: 0 }] as const)
      const pages = yield* Given.allPages(3, (page) => checkpoints.items(job.id, page))
      const items = pages.flatMap(({ items }) => items)
      yield* equal("how many pages there are", pages.length, 3)
      yield* equal(
        "the Items",
        items.map(({ item }) => String(item)),
        inputs
      )
      yield* equal(
        "their numbers",
        items.map(({ number }) => number),
        [1, 2, 3, 4, 5, 6, 7]
      )
      yield* holds(
        "all are pending",
        items.every(
          ({ exitCode, finishedAt, result, status }) =>
            status === "pending" && exitCode === null && finishedAt === null && result === null
        )
      )
      yield* equal("what is left", yield* left(job.id), [1, 2, 3, 4, 5, 6, 7])
      yield* equal("what is left behind the third, two of it", yield* left(job.id, 3, 2), [4, 5])
      yield* equal("those of no Job", (yield* checkpoints.items(yield* Jobs.unknownJob, { limit: 5 })).items, [])
    })
  ),

  law(
    "K5",
    "how an Item ended is recorded once, is counted by its Job, and is not left any more",
    Effect.gen(function* () {
      const checkpoints = yield* CheckpointStore
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.batch(app, "a", "b", "c")
      const { id } = claim.job
      const first = yield* checkpoints.record(claim, 2, done(`{"x":"\\u0000"}`))
      yield* equal("what was recorded", [first.status, first.exitCode, first.result], ["done", 0, `{"x":"\\u0000"}`])
      yield* holds("a time at which it ended", first.finishedAt !== null)
      yield* equal("what is answered to another outcome", yield* checkpoints.record(claim, 2, failed), first)
      yield* checkpoints.record(claim, 3, failed)
      yield* equal("the counts", (yield* jobs.get(id)).items, { total: 3, done: 1, failed: 1 })
      yield* equal("what is left", yield* left(id), [1])
      const answers = yield* together(["x", "y", "z"].map((result) => checkpoints.record(claim, 1, done(result))))
      const results = answers.map((answer) => (answer._tag === "Success" ? answer.success.result : "refused"))
      yield* equal("what those are answered who record at once", new Set(results).size, 1)
      yield* equal("the counts", (yield* jobs.get(id)).items, { total: 3, done: 2, failed: 1 })
      yield* refused("LeaseLost", checkpoints.record(claim, 4, failed))
    })
  ),

  law(
    "R9",
    "who does not hold the Job any more records nothing",
    Effect.gen(function* () {
      const checkpoints = yield* CheckpointStore
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.batch(app, "a", "b")
      const taken = yield* Jobs.takenOver(claim)
      yield* refused("LeaseLost", checkpoints.record(claim, 1, done("late")))
      yield* checkpoints.record(taken, 2, done("in time"))
      yield* jobs.finish(taken, { status: "failed", exitCode: 1 })
      yield* refused("LeaseLost", checkpoints.record(taken, 1, done("late")))
      yield* equal("what is left", yield* left(claim.job.id), [1])
    })
  ),

  law(
    "K9",
    "a Batch that is run again keeps what is done and tries again what failed",
    Effect.gen(function* () {
      const checkpoints = yield* CheckpointStore
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.batch(app, "a", "b", "c")
      const { id } = claim.job
      const kept = yield* checkpoints.record(claim, 1, done("kept"))
      yield* checkpoints.record(claim, 2, failed)
      yield* jobs.finish(claim, { status: "failed", exitCode: 1 })
      const next = yield* present("a Claim", (yield* jobs.rerun(id, yield* Jobs.freshWorker())).claim)
      yield* equal("the counts", next.job.items, { total: 3, done: 1, failed: 0 })
      yield* equal("what is left", yield* left(id), [2, 3])
      const [first] = (yield* checkpoints.items(id, { limit: 3 })).items
      yield* equal("what was done", first, kept)
    })
  ),

  law(
    "K4",
    "a Batch has succeeded only when all of its Items are done",
    Effect.gen(function* () {
      const checkpoints = yield* CheckpointStore
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.batch(app, "a", "b")
      yield* checkpoints.record(claim, 1, done("one"))
      yield* refused("LeaseLost", jobs.finish(claim, { status: "succeeded", exitCode: 0 }))
      yield* equal("how it stands", (yield* jobs.get(claim.job.id)).status, "running")
      yield* checkpoints.record(claim, 2, done("two"))
      yield* equal(
        "how it ended",
        (yield* jobs.finish(claim, { status: "succeeded", exitCode: 0 })).status,
        "succeeded"
      )
    })
  )
]
