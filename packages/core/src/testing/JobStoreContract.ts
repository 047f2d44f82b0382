// What a JobStore keeps: who holds a Job and under which Fence, how it ends, and that it can be run again.
import { Effect } from "effect"
import type { App } from "../domain/App.ts"
import { AppStore } from "../port/AppStore.ts"
import type { CheckpointStore } from "../port/CheckpointStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import type { JobClaim } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import { type Contract, equal, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import { JobAdmissionContract } from "./JobAdmissionContract.ts"
import * as Jobs from "./JobFixture.ts"

const succeeded = { status: "succeeded", exitCode: 0 } as const
const failed = { status: "failed", exitCode: 3 } as const

/** Everything that a holder may do is refused. */
const isLost = Effect.fnUntraced(function* (claim: JobClaim) {
  const jobs = yield* JobStore
  yield* refused("LeaseLost", jobs.renew(claim, Given.longTerms))
  yield* refused("LeaseLost", jobs.finish(claim, succeeded))
  yield* refused("LeaseLost", jobs.finish(claim, failed))
  yield* refused("LeaseLost", jobs.giveBack(claim))
})

const running = Effect.fnUntraced(function* (app: App) {
  return (yield* (yield* DeploymentStore).usage(app.tenant)).running
})

/** The laws of Jobs. */
export const JobStoreContract: Contract<AppStore | CheckpointStore | DeploymentStore | EventFeed | JobStore> = [
  ...JobAdmissionContract,

  law(
    "K3",
    "every end of a Job frees its Slot exactly once, says how it ended, and is for ever",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      for (const outcome of [succeeded, failed, { status: "cancelled", exitCode: null } as const]) {
        const claim = yield* Jobs.running({ app: app.id })
        yield* equal("the Slots", yield* running(app), 1)
        const job = yield* jobs.finish(claim, outcome)
        yield* equal("how it ended", [job.status, job.exitCode], [outcome.status, outcome.exitCode])
        yield* holds("a time at which it ended", job.finishedAt !== null)
        yield* equal("the Job that is read", yield* jobs.get(job.id), job)
        yield* equal("the Slots", yield* running(app), 0)
        yield* isLost(claim)
        yield* equal("the Job that is read", yield* jobs.get(job.id), job)
      }
    })
  ),

  law(
    "INV-1",
    "a Job whose lease ran out is claimed once, under a Fence above, and its former holder changes nothing",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const tenant = yield* Given.freshTenant
      const claim = yield* Jobs.running({ tenant }, { by: yield* Jobs.freshWorker(Given.shortTerms) })
      const mine = (claims: ReadonlyArray<JobClaim>) => claims.filter(({ job }) => job.id === claim.job.id)
      yield* equal("what is abandoned", mine(yield* jobs.claimAbandoned(yield* Jobs.freshWorker(), 100)), [])
      yield* Effect.sleep("400 millis")
      yield* refused("LeaseLost", jobs.renew(claim, Given.longTerms))
      const answers = yield* together([
        jobs.claimAbandoned(yield* Jobs.freshWorker(), 100),
        jobs.claimAbandoned(yield* Jobs.freshWorker(), 100)
      ])
      const claims = answers.flatMap((answer) => (answer._tag === "Success" ? mine(answer.success) : []))
      const [taken] = claims
      yield* equal("how many have it", claims.length, 1)
      yield* holds("a Fence above", taken !== undefined && taken.fence > claim.fence && taken.recoveries === 1)
      yield* isLost(claim)
      yield* equal("how it stands", (yield* jobs.get(claim.job.id)).status, "running")
    })
  ),

  law(
    "INV-1",
    "a lease that is renewed does not run out, and what ended is never abandoned",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const tenant = yield* Given.freshTenant
      const claim = yield* Jobs.running({ tenant }, { by: yield* Jobs.freshWorker(Given.shortTerms) })
      const ended = yield* Jobs.running({ tenant }, { by: yield* Jobs.freshWorker(Given.shortTerms) })
      yield* jobs.finish(ended, failed)
      yield* jobs.renew(claim, Given.longTerms)
      yield* Effect.sleep("400 millis")
      const ids = [claim.job.id, ended.job.id]
      const lost = yield* jobs.claimAbandoned(yield* Jobs.freshWorker(), 100)
      yield* equal(
        "what is lost of these",
        lost.filter(({ job }) => ids.includes(job.id)),
        []
      )
    })
  ),

  law(
    "H45",
    "a Job that is given back waits at its old place, its Slot is free, and the next Claim has a Fence above",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const deployments = yield* DeploymentStore
      const { app } = yield* Jobs.released()
      const { tenant } = app
      yield* deployments.setCap(tenant, 1)
      const claim = yield* Jobs.running({ app: app.id })
      const later = yield* Jobs.waitingJob({ app: app.id })
      const taken = yield* Jobs.takenOver(claim)
      const { attempt, queuePosition, startedAt, status } = yield* jobs.giveBack(taken)
      yield* equal("how it stands", [status, queuePosition, attempt, startedAt], ["queued", 1, 1, null])
      yield* equal("what it uses", (yield* deployments.usage(tenant)).running, 0)
      yield* isLost(taken)
      const by = yield* Jobs.freshWorker()
      yield* equal("the answer for the later one", yield* jobs.admitJob(by, later.id), undefined)
      const again = yield* present("a Claim", yield* jobs.admitJob(by, claim.job.id))
      yield* holds("a Fence above", again.fence > taken.fence)
      yield* equal("how often it was lost", again.recoveries, 1)
    })
  ),

  law(
    "K3",
    "what only its caller carries out is given to nobody else, and is cancelled when its caller asks for it no more",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const tenant = yield* Given.freshTenant
      yield* (yield* DeploymentStore).setCap(tenant, 0)
      const [mine, other] = [yield* Jobs.freshWorker(Given.shortTerms), yield* Jobs.freshWorker()]
      const { id } = yield* Jobs.waitingJob({ tenant }, { by: mine })
      const left = yield* Jobs.waitingJob({ tenant }, { by: mine })
      yield* (yield* DeploymentStore).setCap(tenant, 1)
      const given = yield* jobs.admit(other, 1)
      yield* holds("nothing of it for whoever asks", given[0]?.job.tenant !== tenant)
      yield* (yield* DeploymentStore).setCap(tenant, 0)
      yield* Effect.sleep("1400 millis")
      yield* jobs.admitJob(mine, id)
      yield* Effect.sleep("1400 millis")
      yield* jobs.claimAbandoned(other, 1)
      const statuses = [(yield* jobs.get(id)).status, (yield* jobs.get(left.id)).status]
      yield* equal("how they stand", statuses, ["queued", "cancelled"])
      const running = yield* Effect.andThen((yield* DeploymentStore).setCap(tenant, 1), jobs.admitJob(mine, id))
      yield* refused("LeaseLost", jobs.giveBack(yield* present("a Claim", running)))
    })
  ),

  law(
    "INV-4",
    "a Job that is cancelled ends so: at once while it waits, else by its holder, whatever the outcome says",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const tenant = yield* Given.freshTenant
      yield* (yield* DeploymentStore).setCap(tenant, 2)
      const [one, two] = [yield* Jobs.running({ tenant }), yield* Jobs.running({ tenant })]
      const waiting = yield* Jobs.waitingJob({ tenant })
      const withdrawn = yield* jobs.requestCancel(waiting.id)
      yield* equal("how the one stands that waited", withdrawn.status, "cancelled")
      yield* holds("a time at which it ended", withdrawn.finishedAt !== null)
      yield* equal("whether it is asked", yield* jobs.stopRequested(one), false)
      yield* equal("how the other stands", (yield* jobs.requestCancel(one.job.id)).status, "running")
      yield* equal("whether it is asked", yield* jobs.stopRequested(one), true)
      yield* equal("how it ended", (yield* jobs.finish(one, succeeded)).status, "cancelled")
      yield* jobs.requestCancel(two.job.id)
      yield* equal("how the one ended that was given back", (yield* jobs.giveBack(two)).status, "cancelled")
      yield* equal("what was ended before", yield* jobs.requestCancel(waiting.id), withdrawn)
      yield* refused("JobNotFound", jobs.requestCancel(yield* Jobs.unknownJob))
    })
  ),

  law(
    "K9",
    "a Job that failed is run again as one attempt more, by one of those who ask, and what succeeded is not",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.running({ app: app.id })
      const { id } = claim.job
      const again = Effect.flatMap(Jobs.freshWorker(), (by) => jobs.rerun(id, by))
      yield* equal("why, while it runs", (yield* Jobs.refusal(again))._tag, "AlreadyRunning")
      yield* jobs.giveBack(claim)
      yield* equal("why, while it waits", (yield* Jobs.refusal(again))._tag, "AlreadyRunning")
      yield* jobs.finish(yield* present("a Claim", yield* jobs.admitJob(yield* Jobs.freshWorker(), id)), failed)
      const answers = yield* together([again, again, again])
      const begun = answers.flatMap((answer) => (answer._tag === "Success" ? [answer.success] : []))
      yield* equal("how many win", begun.length, 1)
      const next = yield* present("a Claim", begun[0]?.claim)
      const { attempt, exitCode, finishedAt, status } = next.job
      yield* equal("how it stands", [attempt, status, exitCode, finishedAt], [2, "running", null, null])
      yield* holds("a Fence above", next.fence > claim.fence)
      yield* isLost(claim)
      yield* jobs.finish(next, succeeded)
      yield* equal("why, after success", (yield* Jobs.refusal(again))._tag, "NothingToDo")
      yield* refused("JobNotFound", jobs.rerun(yield* Jobs.unknownJob, yield* Jobs.freshWorker()))
    })
  ),

  law(
    "K2",
    "a Job is run again through the same admission: within the cap, of a live App, in the Release of then",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const deployments = yield* DeploymentStore
      const { app } = yield* Jobs.released()
      const claim = yield* Jobs.running({ app: app.id })
      yield* jobs.requestCancel(claim.job.id)
      yield* jobs.finish(claim, failed)
      const again = Effect.flatMap(Jobs.freshWorker(), (by) => jobs.rerun(claim.job.id, by))
      yield* deployments.setCap(app.tenant, 0)
      yield* equal("why, without a Slot", (yield* Jobs.refusal(again))._tag, "JobCapReached")
      yield* equal("how it stands", (yield* jobs.get(claim.job.id)).attempt, 1)
      yield* deployments.setCap(app.tenant, 3)
      const { deployment } = yield* Given.deployed(app)
      const next = yield* present("a Claim", (yield* again).claim)
      yield* equal("where it runs", next.of?.release, yield* present("a Release", deployment.release))
      yield* equal("whether it is asked to stop", yield* jobs.stopRequested(next), false)
      yield* jobs.finish(next, failed)
      yield* (yield* AppStore).mark(app.id, "stopped")
      yield* equal("why, of an App that is stopped", (yield* Jobs.refusal(again))._tag, "AppNotLive")
    })
  ),

  law(
    "INV-6",
    "an App that ends cancels its Jobs, and it is not settled before they have ended",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      yield* (yield* DeploymentStore).setCap(app.tenant, 1)
      const claim = yield* Jobs.running({ app: app.id })
      const waiting = yield* Jobs.waitingJob({ app: app.id })
      yield* apps.mark(app.id, "deleting")
      yield* equal("how the one stands that waited", (yield* jobs.get(waiting.id)).status, "cancelled")
      yield* equal("whether the other is asked to stop", yield* jobs.stopRequested(claim), true)
      const mine = Effect.map(apps.ending(1_000), (endings) => endings.find((ending) => ending.app.id === app.id))
      const ending = yield* present("the end of the App", yield* mine)
      yield* equal("whether it is settled", yield* apps.settle(ending), false)
      yield* jobs.giveBack(claim)
      yield* equal("whether it is settled", yield* apps.settle(yield* present("it", yield* mine)), true)
    })
  ),

  law(
    "X12",
    "every change of a Job's status is one Event, in the order in which they happened",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      yield* (yield* DeploymentStore).setCap(app.tenant, 1)
      const claim = yield* Jobs.running({ app: app.id })
      const { id } = yield* Jobs.waitingJob({ app: app.id })
      yield* jobs.finish(claim, succeeded)
      const next = yield* present("a Claim", yield* jobs.admitJob(yield* Jobs.freshWorker(), id))
      yield* jobs.giveBack(next)
      yield* jobs.requestCancel(id)
      const told = (yield* Given.eventsOf(app.tenant)).filter(({ type }) => type.startsWith("job."))
      const of = (subject: string) => told.filter((event) => event.subject === subject).map(({ type }) => type)
      yield* equal("of the first", of(claim.job.id), ["job.running", "job.succeeded"])
      yield* equal("of the second", of(id), ["job.queued", "job.running", "job.queued", "job.cancelled"])
      yield* equal("whose they are", new Set(told.map((event) => event.app)), new Set([app.id]))
    })
  ),

  law(
    "JobStore-1",
    "Jobs are listed newest first, page by page, by Tenant, App and status",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const { app } = yield* Jobs.released()
      const { tenant } = app
      const [a, b] = [yield* Jobs.running({ tenant }), yield* Jobs.running({ app: app.id })]
      const c = yield* Jobs.running({ tenant })
      yield* jobs.finish(a, failed)
      const ids = (filter: Parameters<typeof jobs.list>[0]) =>
        Effect.map(
          Given.allPages(2, (page) => jobs.list(filter, page)),
          (pages) => pages.flatMap(({ items }) => items.map(({ id }) => id))
        )
      yield* equal("all of the Tenant", yield* ids({ tenant }), [c.job.id, b.job.id, a.job.id])
      yield* equal("those of the App", yield* ids({ tenant, app: app.id }), [b.job.id])
      yield* equal("those that failed", yield* ids({ tenant, status: "failed" }), [a.job.id])
    })
  )
]
