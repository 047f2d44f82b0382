// What Policies and requests to stop keep: the latest request waits, what it displaces says so, and who was asked to stop
// never becomes healthy. A part of the DeploymentStore's contract.
import { Effect, Result } from "effect"
import type { App, DeploymentId } from "../domain/App.ts"
import type { Deployment, DeploymentStatus } from "../domain/Deployment.ts"
import { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { type Contract, equal, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const statusOf = Effect.fnUntraced(function* (deployment: DeploymentId) {
  const deployments = yield* DeploymentStore
  return (yield* deployments.get(deployment)).status
})

/** How many Events tell of a Deployment's status. */
const told = Effect.fnUntraced(function* ({ tenant }: App, deployment: DeploymentId, status: DeploymentStatus) {
  const events = yield* Given.eventsOf(tenant)
  return events.filter(({ subject, type }) => subject === deployment && type === `deployment.${status}`).length
})

/** The laws of Policies and of stopping. */
export const DeploymentStopContract: Contract<DeploymentStore | AppStore | EventFeed> = [
  law(
    "U8",
    "under queue the latest request waits for the one in progress, and the one that waited ends superseded",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const app = yield* Given.registered({ policy: "queue" })
      const running = yield* Given.claimed(app)
      const [first, second] = [yield* Given.begun(app), yield* Given.begun(app)]
      const displaced = yield* deployments.get(first.id)
      yield* equal(
        "the first",
        [displaced.status, displaced.error, displaced.queuePosition],
        ["superseded", null, null]
      )
      yield* equal("its Events", yield* told(app, first.id, "superseded"), 1)
      yield* equal("the second", [second.status, second.policy], ["queued", "queue"])
      yield* equal("the App's active Deployment", (yield* apps.get(app.id)).activeDeployment, running.deployment.id)
      yield* equal("a request to stop", yield* deployments.stopRequested(running), undefined)
      yield* equal("the answer while one is in progress", yield* Given.admission(second.id), undefined)
      yield* deployments.finish(running, { status: "cancelled" })
      yield* present("a Claim after its end", yield* Given.admission(second.id))
    })
  ),

  law(
    "U5",
    "under supersede the one in progress is asked to stop, and the new one is admitted when it has ended",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const running = yield* Given.deploying(app)
      const { id } = yield* Given.begun(app, { policy: "supersede" })
      yield* equal("the request to stop", yield* deployments.stopRequested(running), "superseded")
      yield* equal("its cancelling", (yield* deployments.get(running.deployment.id)).cancelling, false)
      yield* equal("the answer while it has not ended", yield* Given.admission(id), undefined)
      const stop = yield* refused("StopRequested", deployments.activate(running))
      yield* equal("what it is told", stop.as, "superseded")
      const ended = yield* deployments.finish(running, { status: "superseded" })
      yield* equal("its end", [ended.status, ended.error], ["superseded", null])
      yield* equal("its Events", yield* told(app, ended.id, "superseded"), 1)
      yield* present("a Claim after its end", yield* Given.admission(id))
    })
  ),

  law(
    "U8",
    "a webhook supersedes and what is asked for by hand is refused, unless the request or the App says otherwise",
    Effect.gen(function* () {
      const webhook = { trigger: { kind: "webhook" } } as const
      const app = yield* Given.registered()
      const running = yield* Given.claimed(app)
      yield* Given.refusedBegin("DeploymentInProgress", Given.asked(app))
      yield* Given.refusedBegin("DeploymentInProgress", Given.asked(app, { ...webhook, policy: "reject" }))
      const { policy } = yield* Given.begun(app, webhook)
      const deployments = yield* DeploymentStore
      yield* equal("the Policy of a webhook", policy, "supersede")
      yield* equal("the request to stop", yield* deployments.stopRequested(running), "superseded")
    })
  ),

  law(
    "U5",
    "a Deployment that waits for another of its App holds up no other App",
    Effect.gen(function* () {
      const [one, other] = yield* Given.registeredTogether(2)
      const [app, next] = [yield* present("an App", one), yield* present("another", other)]
      yield* Given.claimed(app)
      const waiting = yield* Given.begun(app, { policy: "queue" })
      const { id } = yield* Given.begun(next)
      yield* present("a Claim for the other App", yield* Given.admission(id))
      yield* equal("the status of the one that waits", yield* statusOf(waiting.id), "queued")
    })
  ),

  law(
    "U5",
    "of eight requests at the same time the latest waits, and every other one ends superseded",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      yield* Given.claimed(app)
      const requests = Array.from({ length: 8 }, (_, index) =>
        deployments.begin(Given.asked(app, { policy: index % 2 === 0 ? "queue" : "supersede" }))
      )
      yield* Effect.all(requests, { concurrency: "unbounded" })
      const { items } = yield* deployments.list(app.id, { limit: 100 })
      const expected = ["queued", ...Array.from({ length: 7 }, () => "superseded"), "building"]
      yield* equal(
        "the statuses, newest first",
        items.map(({ status }) => status),
        expected
      )
      yield* equal(
        "their numbers",
        items.map(({ number }) => number),
        [9, 8, 7, 6, 5, 4, 3, 2, 1]
      )
    })
  ),

  law(
    "X5",
    "a queued Deployment that is cancelled has ended at once, with one Event",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const { id } = yield* Given.begun(app)
      const ended = yield* deployments.requestCancel(id)
      yield* equal("the end", [ended.status, ended.cancelling, ended.queuePosition], ["cancelled", false, null])
      yield* equal("the Deployment that is read", yield* deployments.get(id), ended)
      yield* equal("the answer when it is repeated", yield* deployments.requestCancel(id), ended)
      yield* equal("the Events of the end", yield* told(app, id, "cancelled"), 1)
      yield* equal("the answer to who asks for it", yield* Given.admission(id), undefined)
    })
  ),

  law(
    "B30",
    "a Deployment in progress that is cancelled stays in the hands of its holder, who can end it only as cancelled",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const claim = yield* Given.deploying(app)
      yield* deployments.activate(claim)
      const asked = yield* deployments.requestCancel(claim.deployment.id)
      yield* equal("the answer", [asked.status, asked.cancelling], ["deploying", true])
      yield* equal("the request to stop", yield* deployments.stopRequested(claim), "cancelled")
      yield* deployments.renew(claim, Given.longTerms)
      yield* refused("StopRequested", deployments.finish(claim, { status: "healthy" }))
      yield* equal("the status", yield* statusOf(asked.id), "deploying")
      const ended = yield* deployments.finish(claim, Given.endings[0])
      yield* equal("the end", [ended.status, ended.error, ended.cancelling], ["cancelled", null, false])
      yield* equal("the Events of the end", yield* told(app, ended.id, "cancelled"), 1)
      yield* equal("the Events of another end", yield* told(app, ended.id, "failed"), 0)
    })
  ),

  law(
    "B30",
    "a request to stop outlives the holder: whoever takes the Deployment over is told of it",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.claimed(yield* Given.registered())
      yield* deployments.requestCancel(claim.deployment.id)
      const taken = yield* Given.takenOver(claim)
      yield* equal("the request to stop", yield* deployments.stopRequested(taken), "cancelled")
    })
  ),

  law(
    "X5",
    "who was asked to stop first ends so, whatever it is asked afterwards",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const claim = yield* Given.claimed(app)
      yield* Given.begun(app, { policy: "supersede" })
      yield* deployments.requestCancel(claim.deployment.id)
      yield* equal("the request to stop", yield* deployments.stopRequested(claim), "superseded")
      const ended = yield* deployments.finish(claim, { status: "cancelled" })
      yield* equal("the end", ended.status, "superseded")
    })
  ),

  law(
    "X5",
    "cancelling what has ended changes nothing, and what does not exist is not found",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const { claim, deployment } = yield* Given.deployed(yield* Given.registered())
      yield* equal("the answer", yield* deployments.requestCancel(deployment.id), deployment)
      yield* equal("the Deployment", yield* deployments.get(deployment.id), deployment)
      yield* equal("a request to stop", yield* deployments.stopRequested(claim), undefined)
      yield* refused("DeploymentNotFound", deployments.requestCancel(yield* Given.unknownDeployment))
    })
  ),

  law(
    "INV-4",
    "of a request to cancel and a healthy end at the same time one wins, and both are told the same",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.deploying(yield* Given.registered())
      yield* deployments.activate(claim)
      const [asked, healthy] = yield* together<Deployment, { readonly _tag: string }, DeploymentStore>([
        deployments.requestCancel(claim.deployment.id),
        deployments.finish(claim, { status: "healthy" })
      ])
      const { cancelling, status } = yield* deployments.get(claim.deployment.id)
      const won = healthy !== undefined && Result.isSuccess(healthy)
      yield* equal("the Deployment", [status, cancelling], won ? ["healthy", false] : ["deploying", true])
      const answer = asked !== undefined && Result.isSuccess(asked) ? asked.success.cancelling : undefined
      yield* equal("the answer to the request", answer, !won)
    })
  )
]
