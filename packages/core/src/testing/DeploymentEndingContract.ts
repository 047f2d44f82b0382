// What building, activating and ending keep: the transition table, one winner, one Event per change, and the Release that
// serves. A part of the DeploymentStore's contract.
import { Effect, Result } from "effect"
import { Commit } from "../domain/Source.ts"
import { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EnvStore } from "../port/EnvStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { type Contract, equal, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"

/** The laws of what follows admission. */
export const DeploymentEndingContract: Contract<DeploymentStore | AppStore | EnvStore | EventFeed> = [
  law(
    "R4",
    "a Deployment passes building, deploying and healthy in this order only, with one Event each",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.claimed(yield* Given.registered())
      const { id } = claim.deployment
      yield* refused("LeaseLost", deployments.activate(claim))
      yield* refused("LeaseLost", deployments.finish(claim, { status: "healthy" }))
      yield* equal("the status", (yield* deployments.get(id)).status, "building")

      const [image, commit] = [yield* Given.freshImage, Commit.make("2a".repeat(20))]
      const built = yield* deployments.built(claim, image, commit)
      yield* equal("what was built", [built.status, built.image, built.commit], ["deploying", image, commit])
      yield* refused("LeaseLost", deployments.built(claim, yield* Given.freshImage, null))
      yield* equal("the Deployment", yield* deployments.get(id), built)

      yield* deployments.activate(claim)
      yield* equal("the Deployment after activation", yield* deployments.get(id), built)
      const healthy = yield* deployments.finish(claim, { status: "healthy" })
      yield* equal("the status", [healthy.status, healthy.error], ["healthy", null])
      yield* holds("a time at which it finished", healthy.finishedAt !== null)
      const types = (yield* Given.eventsOf(claim.app.tenant))
        .filter((event) => event.subject === id)
        .map((event) => event.type)
      yield* equal("the Events", types, [
        "deployment.queued",
        "deployment.building",
        "deployment.deploying",
        "deployment.healthy"
      ])
    })
  ),

  law(
    "INV-8",
    "a Deployment that was not activated does not end healthy",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const claim = yield* Given.deploying(yield* Given.registered())
      yield* refused("LeaseLost", deployments.finish(claim, { status: "healthy" }))
      yield* equal("the status", (yield* deployments.get(claim.deployment.id)).status, "deploying")
      yield* equal("the App's Release", (yield* apps.get(claim.app.id)).currentRelease, null)
    })
  ),

  law(
    "U7",
    "a Deployment ends failed or cancelled from building and from deploying, with its reason and exactly one Event",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      for (const stage of [Given.claimed, Given.deploying]) {
        for (const outcome of Given.endings) {
          const claim = yield* stage(yield* Given.registered())
          const ended = yield* deployments.finish(claim, outcome)
          const error = outcome.status === "failed" ? outcome.error : null
          yield* equal("the end", [ended.status, ended.error, ended.release], [outcome.status, error, null])
          yield* holds("a time at which it finished", ended.finishedAt !== null)
          yield* equal("the Deployment that is read", yield* deployments.get(ended.id), ended)
          yield* equal("the App's active Deployment", (yield* apps.get(claim.app.id)).activeDeployment, null)
          const last = (yield* Given.eventsOf(claim.app.tenant)).filter(
            ({ type }) => type === `deployment.${outcome.status}`
          )
          yield* equal(
            "the Events of the end",
            last.map(({ subject }) => subject),
            [String(ended.id)]
          )
        }
      }
    })
  ),

  law(
    "INV-4",
    "of several ends at the same time exactly one wins, and the status never changes again",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.deploying(yield* Given.registered())
      yield* deployments.activate(claim)
      const outcomes = [{ status: "healthy" } as const, ...Given.endings]
      const results = yield* together(outcomes.map((outcome) => deployments.finish(claim, outcome)))
      const winners = results.filter(Result.isSuccess).map(({ success }) => success)
      yield* equal("how many win", winners.length, 1)
      const losers = results.filter(Result.isFailure).map(({ failure }) => failure._tag)
      yield* equal("what the others are told", losers, ["LeaseLost", "LeaseLost"])
      const found = yield* deployments.get(claim.deployment.id)
      yield* equal("the Deployment", found, yield* present("a winner", winners[0]))
    })
  ),

  law(
    "X3",
    "a healthy Deployment makes the App's Release of what it built, and the next one takes its place",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const app = yield* Given.registered()
      const { revision } = yield* Given.revised(app, { A: "1" })
      for (const number of [1, 2]) {
        const { claim, deployment } = yield* Given.deployed(app)
        const serving = (yield* deployments.serving).filter((each) => each.app.id === app.id)
        const release = yield* present("a Release that serves", serving[0]?.release)
        const seen = [release.id, release.app, release.number, release.image, release.envRevision, release.current]
        yield* equal("the Release", seen, [deployment.release, app.id, number, deployment.image, revision, true])
        const by = serving.map((each) => ({ deployment: each.deployment, fence: each.fence }))
        yield* equal("who serves", by, [{ deployment: deployment.id, fence: claim.fence }])
        const after = yield* apps.get(app.id)
        yield* equal("the App", [after.currentRelease, after.deployedEnvRevision], [deployment.release, revision])
        yield* equal("its active Deployment", after.activeDeployment, null)
      }
    })
  ),

  law(
    "INV-8",
    "a Deployment that fails or is cancelled leaves the Release that served",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const app = yield* Given.registered()
      const { deployment } = yield* Given.deployed(app)
      for (const outcome of Given.endings) {
        const claim = yield* Given.deploying(app)
        yield* deployments.activate(claim)
        yield* deployments.finish(claim, outcome)
        yield* equal("the App's Release", (yield* apps.get(app.id)).currentRelease, deployment.release)
      }
      const serving = (yield* deployments.serving).filter((each) => each.app.id === app.id)
      yield* equal(
        "who serves",
        serving.map((each) => each.deployment),
        [deployment.id]
      )
    })
  ),

  law(
    "INV-4",
    "a queued Deployment that is withdrawn ends cancelled, with one Event, and nobody is given it any more",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const app = yield* Given.registered()
      const { id } = yield* Given.begun(app)
      yield* deployments.withdraw(id)
      const ended = yield* deployments.get(id)
      yield* equal("the end", [ended.status, ended.error, ended.queuePosition], ["cancelled", null, null])
      yield* holds("a time at which it finished", ended.finishedAt !== null)
      yield* equal("the answer to who asks for it", yield* Given.admission(id), undefined)
      yield* equal("the App's active Deployment", (yield* apps.get(app.id)).activeDeployment, null)
      yield* equal("how many wait", (yield* deployments.usage(app.tenant)).queued, 0)
      const types = (yield* Given.eventsOf(app.tenant)).map((event) => event.type)
      yield* equal("the Events", types, ["app.live", "deployment.queued", "deployment.cancelled"])
      yield* Given.begun(app)
    })
  ),

  law(
    "INV-4",
    "withdrawing what is no longer queued, or never was, changes nothing",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const { deployment: healthy } = yield* Given.deployed(yield* Given.registered())
      const claim = yield* Given.claimed(yield* Given.registered())
      for (const { id } of [healthy, claim.deployment, { id: yield* Given.unknownDeployment }]) {
        yield* deployments.withdraw(id)
      }
      yield* equal("the healthy Deployment", yield* deployments.get(healthy.id), healthy)
      yield* equal("the one in progress", yield* deployments.get(claim.deployment.id), claim.deployment)
      yield* deployments.renew(claim, Given.longTerms)
    })
  ),

  law(
    "INV-2",
    "what serves names the newest Fence of its App's Deployments that have ended, and no other App's",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const { claim } = yield* Given.deployed(app)
      const routeFence = Effect.map(
        deployments.serving,
        (all) => all.find((each) => each.app.id === app.id)?.routeFence
      )
      yield* equal("the Fence of the Release", yield* routeFence, claim.fence)
      const failed = yield* Given.takenOver(yield* Given.deploying(app))
      yield* equal("the Fence while the next is in progress", yield* routeFence, claim.fence)
      yield* deployments.finish(failed, { status: "cancelled" })
      yield* equal("the Fence after its end", yield* routeFence, failed.fence)
    })
  ),

  law(
    "INV-8",
    "an App without a Release does not serve",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      yield* Given.deploying(app)
      const serving = (yield* deployments.serving).filter((each) => each.app.id === app.id)
      yield* equal("what serves", serving.length, 0)
    })
  )
]
