// How Jobs begin and come to their Slots: at once, or in one queue with Deployments, never above the cap. A part of the
// JobStore's contract.
import { Effect } from "effect"
import { defaultJobCap } from "../domain/Tenant.ts"
import { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { JobKey } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import { type Contract, equal, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import * as Jobs from "./JobFixture.ts"

const slotsOf = Effect.fnUntraced(function* (tenant: Parameters<DeploymentStore["Service"]["usage"]>[0]) {
  const { queued, running } = yield* (yield* DeploymentStore).usage(tenant)
  return { queued, running }
})

/** The laws of how Jobs begin. */
export const JobAdmissionContract: Contract<AppStore | DeploymentStore | JobStore> = [
  law(
    "K2",
    "with a free Slot a Job runs at once in the hands of who asked, in the Release that serves and with its Env",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const { app, deployment, image } = yield* Jobs.released()
      const request = yield* Jobs.requested({ app: app.id }, "reject")
      const { claim, job } = yield* jobs.begin(request)
      const { fence, of, replica, task } = yield* present("a Claim", claim)
      yield* equal(
        "whose it is",
        [job.tenant, job.app, job.kind, replica],
        [app.tenant, app.id, "command", request.by.replica]
      )
      yield* equal(
        "how it stands",
        [job.status, job.attempt, job.exitCode, job.queuePosition],
        ["running", 1, null, null]
      )
      yield* equal("what it runs", task, Jobs.echo)
      const release = yield* present("a Release", deployment.release)
      yield* equal("where it runs", of, { release, image, envRevision: deployment.envRevision })
      yield* holds(
        "a Fence and a time at which it started",
        fence >= 1 && job.startedAt !== null && job.finishedAt === null
      )
      yield* equal("the Job that is read", yield* jobs.get(job.id), job)
      yield* equal("what its Tenant uses", yield* slotsOf(app.tenant), { running: 1, queued: 0 })
    })
  ),

  law(
    "K2",
    "what is not there, does not live, or has no Release is refused, and no Job is made",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const jobs = yield* JobStore
      const bare = yield* Given.registered()
      const { app: stopped } = yield* Jobs.released()
      yield* apps.mark(stopped.id, "stopped")
      const { app: deleted } = yield* Jobs.released()
      yield* apps.mark(deleted.id, "deleting")
      const endings = yield* apps.ending(1_000)
      const ending = endings.find(({ app }) => app.id === deleted.id)
      yield* apps.settle(yield* present("the end of an App", ending))
      const unknown = yield* Given.unknownApp
      const why = (app: typeof unknown) => Effect.map(Jobs.refusal(Jobs.begun({ app }, "queue")), ({ _tag }) => _tag)
      yield* equal("why, of one that is not there", yield* why(unknown), "AppGone")
      yield* equal("why, of one that is deleted", yield* why(deleted.id), "AppGone")
      yield* equal("why, of one that is stopped", yield* why(stopped.id), "AppNotLive")
      yield* equal("why, of one without a Release", yield* why(bare.id), "NoRelease")
      yield* equal("the Jobs", (yield* jobs.list({ tenant: bare.tenant }, { limit: 10 })).items, [])
      yield* refused("JobNotFound", jobs.get(yield* Jobs.unknownJob))
    })
  ),

  law(
    "K1",
    "without a free Slot a Job is refused with the cap and what runs, and no Job is made, or it waits",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const tenant = yield* Given.freshTenant
      yield* Effect.forEach(Array.from({ length: defaultJobCap }), () => Jobs.running({ tenant }))
      const refusal = yield* Jobs.refusal(Jobs.begun({ tenant }, "reject"))
      yield* equal("why", refusal, { _tag: "JobCapReached", limit: defaultJobCap, running: defaultJobCap })
      yield* equal("what it uses", yield* slotsOf(tenant), { running: defaultJobCap, queued: 0 })
      const { queuePosition, startedAt, status } = yield* Jobs.waitingJob({ tenant })
      yield* equal("how the one stands that waits", [status, queuePosition, startedAt], ["queued", 1, null])
      yield* equal(
        "how many Jobs there are",
        (yield* jobs.list({ tenant }, { limit: 10 })).items.length,
        defaultJobCap + 1
      )
    })
  ),

  law(
    "K1",
    "of many who ask at the same time exactly as many run as there are Slots",
    Effect.gen(function* () {
      const tenant = yield* Given.freshTenant
      const answers = yield* together(Array.from({ length: 12 }, () => Jobs.begun({ tenant }, "reject")))
      yield* equal("how many run", answers.filter(({ _tag }) => _tag === "Success").length, defaultJobCap)
      yield* equal("what it uses", yield* slotsOf(tenant), { running: defaultJobCap, queued: 0 })
    })
  ),

  law(
    "X6",
    "Jobs and Deployments of a Tenant are admitted in the order in which they came, and positions say that order",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const { tenant } = app
      yield* deployments.setCap(tenant, 1)
      const first = yield* Jobs.running({ tenant })
      const waiting = yield* Jobs.waitingJob({ tenant })
      const deployment = yield* Given.begun(app)
      const last = yield* Jobs.waitingJob({ tenant })
      const ahead = Effect.map(
        Effect.all([jobs.get(waiting.id), deployments.get(deployment.id), jobs.get(last.id)]),
        (found) => found.map(({ queuePosition }) => queuePosition)
      )
      yield* equal("the positions", yield* ahead, [1, 2, 3])
      const by = yield* Jobs.freshWorker()
      yield* equal("the answer while no Slot is free", yield* jobs.admitJob(by, waiting.id), undefined)
      yield* jobs.finish(first, { status: "succeeded", exitCode: 0 })
      yield* equal("the answer for the last", yield* jobs.admitJob(by, last.id), undefined)
      yield* equal("the answer for the Deployment", yield* Given.admission(deployment.id), undefined)
      const claim = yield* present("a Claim of the first", yield* jobs.admitJob(by, waiting.id))
      yield* equal("the positions", yield* ahead, [null, 1, 2])
      yield* jobs.finish(claim, { status: "succeeded", exitCode: 0 })
      yield* equal("the answer for the first, which has ended", yield* jobs.admitJob(by, waiting.id), undefined)
      yield* equal("the answer for the last", yield* jobs.admitJob(by, last.id), undefined)
      const deploying = yield* present("a Claim of the Deployment", yield* Given.admission(deployment.id))
      yield* deployments.finish(deploying, { status: "cancelled" })
      yield* present("a Claim of the last", yield* jobs.admitJob(by, last.id))
    })
  ),

  law(
    "K1 X6",
    "of many that wait as many are admitted at once as Slots are free and are asked for, in order, none past a Deployment",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const deployments = yield* DeploymentStore
      const { app } = yield* Jobs.released()
      yield* deployments.setCap(app.tenant, 0)
      const ids = yield* Effect.forEach([1, 2, 3, 4], () =>
        Effect.map(Jobs.waitingJob({ app: app.id }), ({ id }) => id)
      )
      yield* Given.begun(app)
      const behind = yield* Jobs.waitingJob({ app: app.id })
      const by = yield* Jobs.freshWorker()
      const admitted = (limit: number) =>
        Effect.map(jobs.admit(by, limit), (claims) => {
          const mine = claims.filter(({ job }) => job.tenant === app.tenant)
          return { count: claims.length, mine: mine.map(({ job }) => job.id) }
        })
      yield* deployments.setCap(app.tenant, 2)
      const first = yield* admitted(1)
      yield* holds("no more than was asked for", first.count <= 1)
      const second = yield* admitted(100)
      yield* equal("those that run with two Slots", [...first.mine, ...second.mine], ids.slice(0, 2))
      yield* deployments.setCap(app.tenant, 10)
      yield* equal("those that are before the Deployment", (yield* admitted(100)).mine, ids.slice(2))
      yield* equal("the status behind it", (yield* jobs.get(behind.id)).status, "queued")
      yield* equal("what runs", (yield* deployments.usage(app.tenant)).running, 4)
    })
  ),

  law(
    "INV-3",
    "whoever comes does not take a Slot that is free for somebody who waits",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const deployments = yield* DeploymentStore
      const tenant = yield* Given.freshTenant
      yield* deployments.setCap(tenant, 1)
      const first = yield* Jobs.running({ tenant })
      const waiting = yield* Jobs.waitingJob({ tenant })
      yield* jobs.finish(first, { status: "failed", exitCode: 1 })
      const { _tag } = yield* Jobs.refusal(Jobs.begun({ tenant }, "reject"))
      yield* equal("why", _tag, "JobCapReached")
      yield* Jobs.waitingJob({ tenant })
      yield* present("a Claim of the first", yield* jobs.admitJob(yield* Jobs.freshWorker(), waiting.id))
    })
  ),

  law(
    "X6",
    "a cap that is lowered ends nothing and admits nothing until fewer run, and one that is raised admits more",
    Effect.gen(function* () {
      const jobs = yield* JobStore
      const deployments = yield* DeploymentStore
      const tenant = yield* Given.freshTenant
      const [one, two] = [yield* Jobs.running({ tenant }), yield* Jobs.running({ tenant })]
      yield* deployments.setCap(tenant, 1)
      yield* equal("why", yield* Jobs.refusal(Jobs.begun({ tenant }, "reject")), {
        _tag: "JobCapReached",
        limit: 1,
        running: 2
      })
      yield* jobs.finish(one, { status: "succeeded", exitCode: 0 })
      yield* equal("why", (yield* Jobs.refusal(Jobs.begun({ tenant }, "reject")))._tag, "JobCapReached")
      yield* jobs.renew(two, Given.longTerms)
      yield* deployments.setCap(tenant, null)
      yield* Effect.forEach(Array.from({ length: 5 }), () => Jobs.running({ tenant }))
      yield* deployments.setCap(tenant, 0)
      const waiting = yield* Jobs.waitingJob({ tenant })
      yield* equal("the answer", yield* jobs.admitJob(yield* Jobs.freshWorker(), waiting.id), undefined)
    })
  ),

  law(
    "X10",
    "a key that was seen before answers the Job that it made, also of those who ask at the same time",
    Effect.gen(function* () {
      const tenant = yield* Given.freshTenant
      const key = JobKey.make("nightly")
      const items = Jobs.inputs("a")
      const ask = Jobs.begun({ tenant }, "queue", { key, items })
      const answers = (yield* together([ask, ask, ask, ask])).flatMap((result) =>
        result._tag === "Success" ? [result.success] : []
      )
      yield* equal("how many were answered", answers.length, 4)
      yield* equal("how many Jobs there are", new Set(answers.map(({ job }) => job.id)).size, 1)
      yield* equal("how many hold it", answers.filter(({ claim }) => claim !== undefined).length, 1)
      yield* equal("how many made it", answers.filter(({ created }) => created).length, 1)
      const elsewhere = yield* Jobs.begun({ tenant: yield* Given.freshTenant }, "queue", { key, items })
      yield* holds("a Job of its own for another Tenant", elsewhere.claim !== undefined)
    })
  )
]
