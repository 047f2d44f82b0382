// What a sweep leaves because something that lives on relies on it. A part of the RetentionStore's contract.
import { Effect } from "effect"
import { Fence } from "../domain/Lease.ts"
import type { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { Leases } from "../port/Leases.ts"
import type { RetentionStore } from "../port/RetentionStore.ts"
import { SubscriberName, Subscriptions } from "../port/Subscriptions.ts"
import { type Contract, equal, law, present } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import { atOnce, isThere, swept } from "./RetentionFixture.ts"

/** The ports that these laws need. */
export type RetentionHoldPorts = AppStore | DeploymentStore | EventFeed | Leases | RetentionStore | Subscriptions

/** The laws of what stays. */
export const retentionHoldLaws: Contract<RetentionHoldPorts> = [
  law(
    "INV-2",
    "what serves names the same Fence, whatever was swept: traffic is led under it again",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      yield* Given.deployed(app)
      const failed = yield* Given.deploying(app)
      yield* deployments.finish(failed, { status: "failed", error: { code: "unhealthy", detail: "it said nothing" } })
      yield* deployments.withdraw((yield* Given.begun(app)).id)
      const routeFence = Effect.map(
        deployments.serving,
        (all) => all.find((each) => each.app.id === app.id)?.routeFence
      )
      yield* equal("the Fence before", yield* routeFence, failed.fence)
      yield* swept("deployments")
      yield* equal("the Fence after", yield* routeFence, failed.fence)
      yield* equal("whether the Deployment that has it is there", yield* isThere(failed.deployment.id), true)
    })
  ),

  law(
    "INV-9",
    "a Release stays while a Deployment of it waits or is in progress, and goes when that has ended",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const { deployment: first } = yield* Given.deployed(app)
      yield* Effect.replicateEffect(Given.deployed(app), 2)
      const release = yield* present("the Release", first.release ?? undefined)
      const inProgress = yield* Given.deploying(app)
      const back = yield* Given.begun(app, { release, trigger: { kind: "rollback" }, policy: "queue" })
      yield* swept("releases")
      yield* equal("whether it is there while a rollback waits", yield* isThere(first.id), true)
      yield* deployments.finish(inProgress, { status: "cancelled" })
      const claim = yield* present("its Claim", yield* Given.admission(back.id))
      yield* swept("releases")
      yield* equal("whether it is there while the rollback is in progress", yield* isThere(first.id), true)
      yield* deployments.finish(claim, { status: "cancelled" })
      yield* swept("releases")
      yield* equal("whether it is there after that", yield* isThere(first.id), false)
    })
  ),

  law(
    "X12",
    "a Subscription stays while somebody holds its lease, however long there was nothing to tell",
    Effect.gen(function* () {
      const [leases, subscriptions] = [yield* Leases, yield* Subscriptions]
      const name = SubscriberName.make(`s-${yield* Given.freshLetters}`)
      const replica = yield* Given.freshReplica
      const fence = Fence.make(1)
      yield* leases.acquire(`subscriber/${name}`, replica, Given.longTerms.ttl)
      const begun = yield* subscriptions.take(name, fence)
      yield* Given.registered()
      yield* swept("subscriptions", atOnce)
      yield* equal("from where it goes on", yield* subscriptions.take(name, fence), begun)
      yield* leases.release(`subscriber/${name}`, replica)
      yield* swept("subscriptions", atOnce)
    })
  )
]
