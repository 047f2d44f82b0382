// What a store says of where a Deployment stands: since when, in whose hands, behind what. A part of the DeploymentStore's
// contract.
import { DateTime, Effect } from "effect"
import type { DeploymentId } from "../domain/App.ts"
import type { Standing } from "../domain/Explanation.ts"
import { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { type Contract, equal, eventually, holds, law, present, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const standingOf = Effect.fnUntraced(function* (deployment: DeploymentId) {
  const deployments = yield* DeploymentStore
  const standing = yield* deployments.standing(deployment)
  yield* equal("the Deployment", standing.deployment, yield* deployments.get(deployment))
  return standing
})

const isSince = (standing: Standing, at: DateTime.Utc | null) =>
  equal("since when", DateTime.toEpochMillis(standing.since), at === null ? null : DateTime.toEpochMillis(at))

const slots = ({ limit, running, tenant }: Standing) => [tenant, limit, running]

/** The laws of where Deployments stand. */
export const DeploymentStandingContract: Contract<DeploymentStore | AppStore> = [
  law(
    "X5",
    "one that waits stands in nobody's hands since it began, with the Slots of its own Tenant, behind nothing or another of its App",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const [one, other] = yield* Given.registeredTogether(2)
      const [app, next] = [yield* present("an App", one), yield* present("another", other)]
      yield* Given.claimed(yield* Given.registered())
      yield* deployments.setCap(app.tenant, 1)
      const running = yield* Given.claimed(app)
      yield* deployments.withdraw((yield* Given.begun(next)).id)
      const [behind, waiting] = [yield* Given.begun(app, { policy: "queue" }), yield* Given.begun(next)]
      for (const [{ createdAt, id }, active, position] of [
        [behind, running.deployment.id, 1],
        [waiting, null, 2]
      ] as const) {
        const standing = yield* standingOf(id)
        yield* isSince(standing, createdAt)
        yield* equal("its Slots", slots(standing), [app.tenant, 1, 1])
        yield* equal("whose hands", [standing.holder, standing.stop, standing.behind], [null, null, active])
        yield* equal("the place", standing.deployment.queuePosition, position)
      }
      yield* deployments.setCap(app.tenant, null)
      yield* equal("the Slots without a cap", slots(yield* standingOf(waiting.id)), [app.tenant, null, 1])
    })
  ),

  law(
    "X5",
    "one in progress stands in the hands of its holder, in each step since that began, and behind nothing",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const claim = yield* Given.claimed(app)
      const { id } = claim.deployment
      const at = Effect.fnUntraced(function* (step: string) {
        const standing = yield* standingOf(id)
        const { holder } = standing
        yield* equal("whose hands", [holder?.replica, holder?.step, holder?.leaseLost], [claim.replica, step, false])
        yield* equal("behind what", [standing.behind, standing.stop, standing.running], [null, null, 1])
        return standing
      })
      const building = yield* at("building")
      yield* isSince(building, claim.deployment.startedAt)
      yield* deployments.renew(claim, Given.longTerms)
      const until = yield* present("a holder", (yield* at("building")).holder)
      const before = yield* present("a holder", building.holder)
      yield* holds(
        "a lease that was renewed lasts longer",
        DateTime.isLessThanOrEqualTo(before.leaseUntil, until.leaseUntil)
      )
      yield* holds("a lease that lasts", DateTime.isLessThan(building.since, before.leaseUntil))
      yield* Effect.sleep("5 millis")
      yield* deployments.built(claim, yield* Given.freshImage, null)
      const deploying = yield* at("deploying")
      yield* holds("a step that began later", DateTime.isLessThan(building.since, deploying.since))
      yield* Effect.sleep("5 millis")
      yield* deployments.activate(claim)
      const switching = yield* at("switching")
      yield* holds("a switch that began later", DateTime.isLessThan(deploying.since, switching.since))
      yield* deployments.activate(claim)
      yield* equal("a switch that began once", (yield* at("switching")).since, switching.since)
    })
  ),

  law(
    "X5",
    "a holder whose lease ran out has lost it, and whoever takes over is the holder",
    Effect.gen(function* () {
      const claim = yield* Given.claimed(yield* Given.registered(), Given.shortTerms)
      const { id } = claim.deployment
      const holder = Effect.map(standingOf(id), (standing) => standing.holder)
      const lost = yield* eventually("a lease that ran out", holder, (found) => found?.leaseLost === true)
      yield* equal("the holder that lost it", lost?.replica, claim.replica)
      const taken = yield* Given.takenOver(claim)
      const next = yield* holder
      yield* equal("the holder", [next?.replica, next?.leaseLost], [taken.replica, false])
    })
  ),

  law(
    "X5",
    "how one was asked to end stands there from the first request on until its end, and then since when it has ended",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const app = yield* Given.registered()
      const claim = yield* Given.claimed(app)
      const { id } = claim.deployment
      yield* Given.begun(app, { policy: "supersede" })
      const asked = yield* present("a request to stop", (yield* standingOf(id)).stop)
      yield* equal("how it is to end", asked.as, "superseded")
      yield* Effect.sleep("5 millis")
      yield* deployments.requestCancel(id)
      yield* equal("the first request", (yield* standingOf(id)).stop, asked)
      const ended = yield* deployments.finish(claim, { status: "superseded" })
      const standing = yield* standingOf(id)
      yield* isSince(standing, ended.finishedAt)
      yield* equal("whose hands", [standing.holder, standing.stop], [null, null])

      const cancelled = yield* Given.claimed(yield* Given.registered())
      yield* deployments.requestCancel(cancelled.deployment.id)
      yield* equal("how it is to end", (yield* standingOf(cancelled.deployment.id)).stop?.as, "cancelled")
      const gone = yield* Given.claimed(yield* Given.registered())
      yield* apps.mark(gone.app.id, "deleting")
      yield* equal("how that of an App that ends is", (yield* standingOf(gone.deployment.id)).stop?.as, "cancelled")
      yield* refused("DeploymentNotFound", deployments.standing(yield* Given.unknownDeployment))
    })
  )
]
