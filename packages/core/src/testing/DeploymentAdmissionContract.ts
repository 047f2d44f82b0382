// What admission keeps: one holder per Deployment, first come first served within a Tenant, never more Slots than the cap,
// and every end gives its Slot back. A part of the DeploymentStore's contract.
import { Effect } from "effect"
import { defaultJobCap } from "../domain/Tenant.ts"
import type { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { type Contract, equal, holds, law, present } from "./Contract.ts"
import * as Given from "./Fixture.ts"

/** The laws of admission. */
export const DeploymentAdmissionContract: Contract<DeploymentStore | AppStore> = [
  law(
    "INV-2",
    "an admitted Deployment is building, in the hands of who asked, and is not given to anybody else",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const { id } = yield* Given.begun(app)
      const replica = yield* Given.freshReplica
      const request = { replica, terms: Given.longTerms, deployment: id }
      const claim = yield* present("a Claim", yield* deployments.admit(request))
      yield* equal("whose it is", [claim.deployment.id, claim.app.id, claim.replica], [id, app.id, replica])
      yield* equal("its Source", claim.source, Given.archive)
      yield* holds("a time at which it started", claim.deployment.startedAt !== null)
      const { status, queuePosition } = claim.deployment
      yield* equal("its status and position", [status, queuePosition], ["building", null])
      yield* equal("the Deployment that is read", yield* deployments.get(id), claim.deployment)
      yield* equal("the answer to the next who asks", yield* Given.admission(id), undefined)
    })
  ),

  law(
    "DeploymentStore-5",
    "who asks for a Deployment that does not exist is given none",
    Effect.gen(function* () {
      yield* equal("the answer", yield* Given.admission(yield* Given.unknownDeployment), undefined)
    })
  ),

  law(
    "INV-2",
    "of eight replicas that ask for one Deployment at the same time exactly one gets it",
    Effect.gen(function* () {
      const { id } = yield* Given.begun(yield* Given.registered())
      const answers = yield* Effect.all(
        Array.from({ length: 8 }, () => Given.admission(id)),
        { concurrency: "unbounded" }
      )
      yield* equal("how many get it", answers.filter((claim) => claim !== undefined).length, 1)
    })
  ),

  law(
    "X6",
    "Deployments of one Tenant are admitted in the order in which they began, and positions say that order",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const queue = yield* Effect.forEach(yield* Given.registeredTogether(3), (app) => Given.begun(app))
      const positions = Effect.map(
        Effect.forEach(queue, ({ id }) => deployments.get(id)),
        (found) => found.map(({ queuePosition }) => queuePosition)
      )
      yield* equal("the positions", yield* positions, [1, 2, 3])
      const [first, second, third] = queue.map(({ id }) => id)
      const [a, b, c] = [yield* present("one", first), yield* present("two", second), yield* present("three", third)]
      yield* equal("the answer for the last", yield* Given.admission(c), undefined)
      yield* present("a Claim of the first", yield* Given.admission(a))
      yield* equal("the positions", yield* positions, [null, 1, 2])
      yield* equal("the answer for the last", yield* Given.admission(c), undefined)
      yield* present("a Claim of the second", yield* Given.admission(b))
      yield* present("a Claim of the last", yield* Given.admission(c))
    })
  ),

  law(
    "INV-3",
    "however many ask at the same time, a Tenant never has more Slots than its cap",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const apps = yield* Given.registeredTogether(defaultJobCap + 4)
      const tenant = (yield* present("an App", apps[0])).tenant
      const queue = yield* Effect.forEach(apps, (app) => Given.begun(app))
      const barrier = Effect.all(
        [...queue, ...queue, ...queue].map(({ id }) => Given.admission(id)),
        { concurrency: "unbounded" }
      )
      const given = (yield* barrier).filter((claim) => claim !== undefined)
      yield* holds("at most the cap given at once", given.length <= defaultJobCap, given.length)
      for (const { id } of queue) {
        const claim = yield* Given.admission(id)
        if (claim !== undefined) given.push(claim)
      }
      yield* equal("how many were given in the end", given.length, defaultJobCap)
      const usage = { tenant, jobCap: defaultJobCap, running: defaultJobCap, queued: 4 }
      yield* equal("the Tenant's usage", yield* deployments.usage(tenant), usage)
    })
  ),

  law(
    "INV-3",
    "a Tenant at its cap does not hold up another Tenant",
    Effect.gen(function* () {
      const apps = yield* Given.registeredTogether(defaultJobCap + 1)
      const queue = yield* Effect.forEach(apps, (app) => Given.begun(app))
      const claims = yield* Effect.forEach(queue, ({ id }) => Given.admission(id))
      yield* equal(
        "the answers",
        claims.map((claim) => claim !== undefined),
        [...apps.slice(1).map(() => true), false]
      )
      const other = yield* Given.begun(yield* Given.registered())
      yield* present("a Claim for the other Tenant", yield* Given.admission(other.id))
    })
  ),

  law(
    "X6",
    "a cap holds from when it is changed: lowered it ends nothing and admits nothing, and without one all are admitted",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const apps = yield* Given.registeredTogether(3)
      const tenant = (yield* present("an App", apps[0])).tenant
      const other = yield* Given.freshTenant
      yield* equal("the usage", yield* deployments.setCap(tenant, 1), { tenant, jobCap: 1, running: 0, queued: 0 })
      const queue = yield* Effect.forEach(apps, (app) => Given.begun(app))
      const admitted = Effect.forEach(queue, ({ id }) => Given.admission(id))
      const given = (yield* admitted).filter((claim) => claim !== undefined)
      const first = yield* present("a Claim", given[0])
      yield* equal("how many are given under a cap of one", given.length, 1)

      const lowered = { tenant, jobCap: 0, running: 1, queued: 2 }
      yield* equal("the usage when it is lowered", yield* deployments.setCap(tenant, 0), lowered)
      yield* deployments.renew(first, Given.longTerms)
      yield* deployments.finish(first, Given.endings[0])
      yield* equal("how many are given under a cap of none", (yield* admitted).filter(Boolean).length, 0)

      yield* deployments.setCap(tenant, null)
      yield* equal("how many are given without a cap", (yield* admitted).filter(Boolean).length, 2)
      yield* equal("the usage without a cap", yield* deployments.usage(tenant), {
        tenant,
        jobCap: null,
        running: 2,
        queued: 0
      })
      yield* equal("the cap of another Tenant", (yield* deployments.usage(other)).jobCap, defaultJobCap)
    })
  ),

  law(
    "K3",
    "every end of a Deployment frees its Slot exactly once, and the next in the queue gets it",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const tenant = yield* Given.freshTenant
      yield* equal("the usage of a Tenant that nobody has seen", yield* deployments.usage(tenant), {
        tenant,
        jobCap: defaultJobCap,
        running: 0,
        queued: 0
      })
      const used = Effect.map(deployments.usage(tenant), ({ running, queued }) => [running, queued])
      const [first, second, third] = [
        yield* Given.deploying(yield* Given.registered({ tenant })),
        yield* Given.claimed(yield* Given.registered({ tenant })),
        yield* Given.claimed(yield* Given.registered({ tenant }))
      ]
      const waiting = yield* Given.begun(yield* Given.registered({ tenant }))
      yield* equal("the usage at the cap", yield* used, [3, 1])
      yield* equal("the answer at the cap", yield* Given.admission(waiting.id), undefined)
      yield* deployments.activate(first)
      yield* deployments.finish(first, { status: "healthy" })
      yield* equal("the usage after a healthy end", yield* used, [2, 1])
      const next = yield* present("a Claim of the next", yield* Given.admission(waiting.id))
      const [failed, cancelled] = Given.endings
      yield* deployments.finish(second, failed)
      yield* deployments.finish(third, cancelled)
      yield* equal("the usage after failed and cancelled", yield* used, [1, 0])
      yield* deployments.finish(next, { status: "cancelled" })
      yield* equal("the usage in the end", yield* used, [0, 0])
    })
  ),

  law(
    "INV-13",
    "the Fences of an App's Deployments grow from one to the next",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const first = yield* Given.claimed(app)
      yield* deployments.finish(first, { status: "cancelled" })
      const second = yield* Given.claimed(app)
      const { fence } = yield* Given.takenOver(second)
      yield* holds("growing Fences", first.fence < second.fence && second.fence < fence, [
        first.fence,
        second.fence,
        fence
      ])
    })
  ),

  law(
    "X6",
    "who asks for any work is given the Deployments that wait, until none does",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const [mine, other] = [yield* Given.registered(), yield* Given.registered()]
      const waiting = [(yield* Given.begun(mine)).id, (yield* Given.begun(other)).id]
      const replica = yield* Given.freshReplica
      const given = new Set<string>()
      for (;;) {
        const claim = yield* deployments.admit({ replica, terms: Given.longTerms })
        if (claim === undefined) break
        yield* holds("a Deployment that was not given before", !given.has(claim.deployment.id), claim.deployment.id)
        given.add(claim.deployment.id)
      }
      yield* equal(
        "those of ours that were given",
        waiting.filter((id) => given.has(id)),
        waiting
      )
    })
  )
]
