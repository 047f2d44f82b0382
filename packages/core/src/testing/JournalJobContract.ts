// What a Journal keeps of Jobs: an intent of one is its own while it runs under the intent's Fence, and then nobody's. A part
// of the Journal's contract.
import { Effect } from "effect"
import type { AppId } from "../domain/App.ts"
import type { AppStore } from "../port/AppStore.ts"
import type { DeploymentStore } from "../port/DeploymentStore.ts"
import type { JobClaim } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import { Journal } from "../port/Journal.ts"
import { type Contract, equal, law, present, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import * as Jobs from "./JobFixture.ts"

/** Records an intent of the Job's holder. */
const intended = Effect.fnUntraced(function* (app: AppId, { fence, job, replica }: JobClaim) {
  const intent = { name: yield* Given.freshWorkloadName, app, work: job.id, fence, replica }
  yield* (yield* Journal).intend(intent)
  return intent
})

const namesFor = Effect.fnUntraced(function* ({ job }: JobClaim) {
  return (yield* (yield* Journal).heldFor(job.id)).map(({ name }) => name)
})

const unownedOf = Effect.fnUntraced(function* (app: AppId) {
  const intents = yield* (yield* Journal).unowned(10_000)
  return intents.filter((intent) => intent.app === app).map(({ name }) => name)
})

/** The laws of what Jobs intend. */
export const JournalJobContract: Contract<AppStore | DeploymentStore | JobStore | Journal> = [
  law(
    "INV-7",
    "an intent of a Job is held for that Job, oldest first, until it is released, and neither by its App nor by its replica",
    Effect.gen(function* () {
      const journal = yield* Journal
      const { app } = yield* Jobs.released()
      const [claim, other] = [yield* Jobs.running({ app: app.id }), yield* Jobs.running({ app: app.id })]
      const [first, second] = [yield* intended(app.id, claim), yield* intended(app.id, claim)]
      const foreign = yield* intended(app.id, other)
      const held = [first, second].map((intent) => ({ ...intent, workload: null }))
      yield* equal("what is held for it", yield* journal.heldFor(claim.job.id), held)
      yield* equal("what is held for the other", yield* namesFor(other), [foreign.name])
      yield* equal("what the App holds", yield* journal.held(app.id), [])
      yield* equal("what the replica holds", yield* journal.heldBy(claim.replica), [])
      yield* equal("what nobody owns", yield* unownedOf(app.id), [])
      yield* equal("the unknown names", yield* journal.unknown([first.name]), [])
      yield* journal.released(first.name)
      yield* equal("what is held for it", yield* namesFor(claim), [second.name])
      for (const { name } of [second, foreign]) yield* journal.released(name)
    })
  ),

  law(
    "R9",
    "an intent of a Job that has ended, or that has a newer Fence, is refused and leaves no trace",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.running({ app: app.id })
      const taken = yield* Jobs.takenOver(claim)
      yield* refused("LeaseLost", intended(app.id, claim))
      yield* equal("what is held for it", yield* namesFor(claim), [])
      const { name } = yield* intended(app.id, taken)
      yield* equal("what is held for it", yield* namesFor(claim), [name])
      yield* (yield* Journal).released(name)
      yield* jobs.giveBack(taken)
      yield* refused("LeaseLost", intended(app.id, taken))
      const again = yield* present("a Claim", yield* jobs.admitJob(yield* Jobs.freshWorker(), claim.job.id))
      yield* jobs.finish(again, { status: "failed", exitCode: 1 })
      yield* refused("LeaseLost", intended(app.id, again))
      yield* equal("what is held for it", yield* namesFor(claim), [])
    })
  ),

  law(
    "INV-7",
    "what a Job made is nobody's as soon as somebody else has the Job, or nobody has it any more, and is still held for it",
    Effect.gen(function* () {
      const [jobs, journal] = [yield* JobStore, yield* Journal]
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.running({ app: app.id })
      const first = yield* intended(app.id, claim)
      const taken = yield* Jobs.takenOver(claim)
      yield* equal("what nobody owns after it was taken over", yield* unownedOf(app.id), [first.name])
      const second = yield* intended(app.id, taken)
      yield* journal.released(first.name)
      yield* equal("what nobody owns of the new holder's", yield* unownedOf(app.id), [])
      yield* jobs.giveBack(taken)
      yield* equal("what nobody owns after it was given back", yield* unownedOf(app.id), [second.name])
      const again = yield* present("a Claim", yield* jobs.admitJob(yield* Jobs.freshWorker(), claim.job.id))
      yield* journal.released(second.name)
      const third = yield* intended(app.id, again)
      yield* jobs.finish(again, { status: "failed", exitCode: 1 })
      yield* equal("what nobody owns after its end", yield* unownedOf(app.id), [third.name])
      yield* equal("what is held for it", yield* namesFor(claim), [third.name])
      yield* journal.released(third.name)
      yield* equal("what nobody owns after the release", yield* unownedOf(app.id), [])
    })
  )
]
