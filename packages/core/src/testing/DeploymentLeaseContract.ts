// What leases and Fences keep: whoever lost a Deployment writes nothing more of it, and whatever nobody holds can be taken
// by anybody. A part of the DeploymentStore's contract.
import { Effect } from "effect"
import type { AppStore } from "../port/AppStore.ts"
import type { Claim } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { type Contract, equal, eventually, holds, law, present, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

/** What a new replica is given of an abandoned Deployment, if anything. */
const taking = Effect.fnUntraced(function* (claim: Claim) {
  const deployments = yield* DeploymentStore
  const request = { replica: yield* Given.freshReplica, terms: Given.longTerms, deployment: claim.deployment.id }
  return yield* deployments.claimAbandoned(request, 10)
})

/** Fails unless every write under this Claim is refused. */
const powerless = Effect.fnUntraced(function* (claim: Claim) {
  const deployments = yield* DeploymentStore
  yield* refused("LeaseLost", deployments.renew(claim, Given.longTerms))
  yield* refused("LeaseLost", deployments.built(claim, yield* Given.freshImage, null))
  yield* refused("LeaseLost", deployments.activate(claim))
  yield* refused("LeaseLost", deployments.finish(claim, { status: "healthy" }))
  for (const outcome of Given.endings) yield* refused("LeaseLost", deployments.finish(claim, outcome))
})

/** The laws of leases and Fences. */
export const DeploymentLeaseContract: Contract<DeploymentStore | AppStore | EventFeed> = [
  law(
    "INV-13",
    "an abandoned Deployment is taken under a higher Fence, still in progress and with its Source",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.deploying(yield* Given.registered())
      const before = yield* deployments.get(claim.deployment.id)
      const taken = yield* Given.takenOver(claim)
      yield* holds("a higher Fence", taken.fence > claim.fence, [claim.fence, taken.fence])
      yield* equal("the Deployment", taken.deployment, before)
      yield* equal("its App and Source", [taken.app.id, taken.source], [claim.app.id, claim.source])
      yield* deployments.renew(taken, Given.longTerms)
      yield* deployments.finish(taken, { status: "cancelled" })
    })
  ),

  law(
    "R9",
    "every write under an old Fence is refused, while building and while deploying, and changes nothing",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const stages = [
        { reach: Given.claimed, events: ["app.live", "deployment.queued", "deployment.building"] },
        {
          reach: Given.deploying,
          events: ["app.live", "deployment.queued", "deployment.building", "deployment.deploying"]
        }
      ]
      for (const { reach, events } of stages) {
        const claim = yield* reach(yield* Given.registered())
        const taken = yield* Given.takenOver(claim)
        const before = yield* deployments.get(claim.deployment.id)
        yield* powerless(claim)
        yield* equal("the Deployment", yield* deployments.get(claim.deployment.id), before)
        yield* deployments.renew(taken, Given.longTerms)
        const types = (yield* Given.eventsOf(claim.app.tenant)).map((event) => event.type)
        yield* equal("the Events", types.map(String), events)
      }
    })
  ),

  law(
    "R9",
    "a Deployment that has ended takes no write of its last holder",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      for (const outcome of Given.endings) {
        const claim = yield* Given.claimed(yield* Given.registered())
        const ended = yield* deployments.finish(claim, outcome)
        yield* powerless(claim)
        yield* equal("the Deployment", yield* deployments.get(claim.deployment.id), ended)
      }
      const { claim, deployment } = yield* Given.deployed(yield* Given.registered())
      yield* powerless(claim)
      yield* equal("the healthy Deployment", yield* deployments.get(claim.deployment.id), deployment)
    })
  ),

  law(
    "INV-13",
    "a Deployment that is held, queued or ended is not taken from anybody",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const held = yield* Given.claimed(yield* Given.registered())
      yield* equal("what is taken of a held one", yield* taking(held), [])
      const queued = yield* Given.begun(yield* Given.registered())
      yield* equal("what is taken of a queued one", yield* taking({ ...held, deployment: queued }), [])
      const ended = yield* Given.claimed(yield* Given.registered())
      yield* deployments.finish(ended, { status: "cancelled" })
      yield* deployments.abandon(ended.replica)
      yield* equal("what is taken of an ended one", yield* taking(ended), [])
      yield* deployments.renew(held, Given.longTerms)
    })
  ),

  law(
    "INV-1",
    "declaring a replica dead ends its leases and nobody else's",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const [dead, alive] = [
        yield* Given.claimed(yield* Given.registered()),
        yield* Given.claimed(yield* Given.registered())
      ]
      yield* deployments.abandon(dead.replica)
      yield* deployments.abandon(yield* Given.freshReplica)
      yield* equal("what is taken of the living", yield* taking(alive), [])
      yield* deployments.renew(alive, Given.longTerms)
      yield* refused("LeaseLost", deployments.renew(dead, Given.longTerms))
      yield* equal("how many are taken of the dead", (yield* taking(dead)).length, 1)
    })
  ),

  law(
    "H31",
    "of eight replicas that take an abandoned Deployment at the same time exactly one gets it",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.claimed(yield* Given.registered())
      yield* deployments.abandon(claim.replica)
      const answers = yield* Effect.all(
        Array.from({ length: 8 }, () => taking(claim)),
        { concurrency: "unbounded" }
      )
      const winner = yield* present("a Claim", answers.flat()[0])
      yield* equal("how many get it", answers.flat().length, 1)
      yield* deployments.renew(winner, Given.longTerms)
    })
  ),

  law(
    "DeploymentStore-6",
    "nobody is given more abandoned Deployments than were asked for",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claims = [yield* Given.claimed(yield* Given.registered()), yield* Given.claimed(yield* Given.registered())]
      for (const claim of claims) yield* deployments.abandon(claim.replica)
      const request = { replica: yield* Given.freshReplica, terms: Given.longTerms }
      yield* equal("how many are given", (yield* deployments.claimAbandoned(request, 1)).length, 1)
    })
  ),

  law(
    "X7",
    "abandoned Deployments are told, at most as many as were asked for, until somebody claims them; looking claims nothing",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.claimed(yield* Given.registered())
      const isTold = Effect.map(deployments.abandoned(1_000), (told) => told.includes(claim.deployment.id))
      yield* equal("told while its holder has the lease", yield* isTold, false)
      yield* deployments.abandon(claim.replica)
      yield* equal("told when it is abandoned", yield* isTold, true)
      yield* equal("how many are told of one", (yield* deployments.abandoned(1)).length, 1)
      yield* equal("how many are taken", (yield* taking(claim)).length, 1)
      yield* equal("told after it was claimed", yield* isTold, false)
    })
  ),

  law(
    "INV-1",
    "a lease that is not renewed runs out: its holder cannot renew it any more, and the Deployment can be taken",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.claimed(yield* Given.registered(), Given.shortTerms)
      const lost = Effect.match(deployments.renew(claim, Given.longTerms), {
        onSuccess: () => "renewed",
        onFailure: ({ _tag }) => _tag
      })
      yield* Effect.sleep(Given.shortTerms.ttl)
      yield* Effect.sleep(Given.shortTerms.renewEvery)
      yield* equal("what renewing comes to", yield* lost, "LeaseLost")
      const [taken] = yield* eventually("an abandoned Deployment", taking(claim), (claims) => claims.length > 0)
      yield* holds("a higher Fence", taken !== undefined && taken.fence > claim.fence, [claim.fence, taken?.fence])
      yield* powerless(claim)
    })
  ),

  law(
    "H22",
    "a lease that is renewed lasts from the renewal on",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const claim = yield* Given.claimed(yield* Given.registered(), Given.shortTerms)
      yield* deployments.renew(claim, Given.longTerms)
      yield* Effect.sleep(Given.shortTerms.ttl)
      yield* Effect.sleep(Given.shortTerms.renewEvery)
      yield* equal("what is taken of it", yield* taking(claim), [])
      yield* deployments.renew(claim, Given.longTerms)
    })
  )
]
