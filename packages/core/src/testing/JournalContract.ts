// What every Journal keeps: an intent stands until what it made is released, and whatever nobody owns any more is named.
import { ReplicaId } from "../domain/Lease.ts"
import { Effect } from "effect"
import { HostPort } from "../domain/App.ts"
import { Address, IpAddress, type Workload, WorkloadId, type WorkloadName } from "../domain/Workload.ts"
import { AppStore } from "../port/AppStore.ts"
import type { Claim } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { JobStore } from "../port/JobStore.ts"
import { Journal } from "../port/Journal.ts"
import { type Contract, equal, holds, law, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import { JournalJobContract } from "./JournalJobContract.ts"

/** Records an intent of the Claim's holder. */
const intended = Effect.fnUntraced(function* (claim: Claim) {
  const journal = yield* Journal
  const name = yield* Given.freshWorkloadName
  const { deployment, app, fence, replica } = claim
  const intent = { name, app: app.id, work: deployment.id, fence, replica }
  yield* journal.intend(intent)
  return intent
})

const workloadOf = Effect.fnUntraced(function* (name: WorkloadName) {
  const workload: Workload = {
    id: WorkloadId.make(yield* Given.freshLetters),
    name,
    address: Address.make({ host: IpAddress.make("127.0.0.1"), port: HostPort.make(31_000) }),
    image: yield* Given.freshImage
  }
  return workload
})

/** The names of an App's intents that nobody owns. */
const unownedOf = Effect.fnUntraced(function* (claim: Claim) {
  const journal = yield* Journal
  const intents = yield* journal.unowned(10_000)
  return intents.filter((intent) => intent.app === claim.app.id).map((intent) => intent.name)
})

/** The laws of {@link Journal}. */
export const JournalContract: Contract<Journal | DeploymentStore | AppStore | JobStore> = [
  ...JournalJobContract,

  law(
    "INV-7",
    "an intent is held from before the Workload exists until it is released, with the Workload once it is known",
    Effect.gen(function* () {
      const journal = yield* Journal
      const claim = yield* Given.deploying(yield* Given.registered())
      const intent = yield* intended(claim)
      yield* equal("what is held", yield* journal.held(claim.app.id), [{ ...intent, workload: null }])
      const workload = yield* workloadOf(intent.name)
      yield* journal.confirm(workload)
      yield* equal("what is held", yield* journal.held(claim.app.id), [{ ...intent, workload }])
      yield* journal.released(intent.name)
      yield* equal("what is held", yield* journal.held(claim.app.id), [])
      yield* journal.released(intent.name)
      yield* equal("what is held after a repetition", yield* journal.held(claim.app.id), [])
    })
  ),

  law(
    "H14",
    "releasing or confirming what was never intended changes nothing",
    Effect.gen(function* () {
      const journal = yield* Journal
      const claim = yield* Given.deploying(yield* Given.registered())
      const intent = yield* intended(claim)
      const workload = yield* workloadOf(yield* Given.freshWorkloadName)
      yield* journal.confirm(workload)
      yield* journal.released(workload.name)
      yield* equal("what is held", yield* journal.held(claim.app.id), [{ ...intent, workload: null }])
      yield* journal.released(intent.name)
    })
  ),

  law(
    "H37",
    "an App's intents are held oldest first, several of one Deployment side by side, and no other App's",
    Effect.gen(function* () {
      const journal = yield* Journal
      const [claim, other] = [
        yield* Given.deploying(yield* Given.registered()),
        yield* Given.deploying(yield* Given.registered())
      ]
      const intents = [yield* intended(claim), yield* intended(claim), yield* intended(claim)]
      const foreign = yield* intended(other)
      const names = Effect.map(journal.held(claim.app.id), (held) => held.map(({ name }) => name))
      const [first, second, third] = intents.map(({ name }) => name)
      yield* equal(
        "the names",
        yield* names,
        intents.map(({ name }) => name)
      )
      if (second !== undefined) yield* journal.released(second)
      yield* equal(
        "the names",
        [...(yield* names)],
        [first, third].filter((name) => name !== undefined)
      )
      for (const { name } of [...intents, foreign]) yield* journal.released(name)
    })
  ),

  law(
    "INV-6",
    "an intent of a Deployment that has ended is taken while its App is live, and refused when it is not",
    Effect.gen(function* () {
      const [apps, journal] = [yield* AppStore, yield* Journal]
      for (const to of ["stopped", "deleting"] as const) {
        const { claim } = yield* Given.deployed(yield* Given.registered())
        const { name } = yield* intended(claim)
        yield* journal.released(name)
        yield* apps.mark(claim.app.id, to)
        yield* refused("LeaseLost", intended(claim))
        yield* equal("what is held", yield* journal.held(claim.app.id), [])
      }
    })
  ),

  law(
    "R9",
    "an intent under an old Fence is refused and leaves no trace",
    Effect.gen(function* () {
      const journal = yield* Journal
      const claim = yield* Given.deploying(yield* Given.registered())
      const taken = yield* Given.takenOver(claim)
      yield* refused("LeaseLost", intended(claim))
      yield* equal("what is held", yield* journal.held(claim.app.id), [])
      const intent = yield* intended(taken)
      yield* equal("what is held", yield* journal.held(claim.app.id), [{ ...intent, workload: null }])
      yield* journal.released(intent.name)
    })
  ),

  law(
    "INV-7",
    "a name that a Deployment has intended is its own: another one that intends it is refused, and nothing changes",
    Effect.gen(function* () {
      const journal = yield* Journal
      const [claim, other] = [
        yield* Given.deploying(yield* Given.registered()),
        yield* Given.deploying(yield* Given.registered())
      ]
      const intent = yield* intended(claim)
      const { deployment, app, fence, replica } = other
      const taking = { name: intent.name, app: app.id, work: deployment.id, fence, replica }
      yield* refused("LeaseLost", journal.intend(taking))
      yield* journal.intend(intent)
      yield* equal("what is held", yield* journal.held(claim.app.id), [{ ...intent, workload: null }])
      yield* equal("what the other holds", yield* journal.held(app.id), [])
      yield* journal.released(intent.name)
    })
  ),

  law(
    "INV-7",
    "what a Deployment in progress made is owned, also after it was taken over, and is not when it has ended without serving",
    Effect.gen(function* () {
      const [journal, deployments] = [yield* Journal, yield* DeploymentStore]
      for (const outcome of Given.endings) {
        const claim = yield* Given.claimed(yield* Given.registered())
        const { name } = yield* intended(claim)
        yield* equal("what nobody owns while it is building", yield* unownedOf(claim), [])
        const taken = yield* Given.takenOver(claim)
        yield* equal("what nobody owns after it was taken over", yield* unownedOf(claim), [])
        yield* deployments.built(taken, yield* Given.freshImage, null)
        yield* equal("what nobody owns while it is deploying", yield* unownedOf(claim), [])
        yield* deployments.finish(taken, outcome)
        yield* equal("what nobody owns after its end", yield* unownedOf(claim), [name])
        yield* journal.released(name)
        yield* equal("what nobody owns after the release", yield* unownedOf(claim), [])
      }
    })
  ),

  law(
    "INV-7",
    "what a Deployment made is owned while its Release is current, and is not when another one is",
    Effect.gen(function* () {
      const [journal, deployments] = [yield* Journal, yield* DeploymentStore]
      const app = yield* Given.registered()
      const serve = Effect.gen(function* () {
        const claim = yield* Given.deploying(app)
        const intent = yield* intended(claim)
        yield* deployments.activate(claim)
        yield* deployments.finish(claim, { status: "healthy" })
        return { claim, name: intent.name }
      })
      const first = yield* serve
      yield* equal("what nobody owns while the first serves", yield* unownedOf(first.claim), [])
      const second = yield* serve
      yield* equal("what nobody owns when the second serves", yield* unownedOf(first.claim), [first.name])
      const held = (yield* journal.held(app.id)).map(({ name }) => name)
      yield* equal("what is held", held, [first.name, second.name])
      for (const { name } of [first, second]) yield* journal.released(name)
    })
  ),

  law(
    "H29",
    "a replica finds what it intended and has not released, in order, and nothing of another replica",
    Effect.gen(function* () {
      const journal = yield* Journal
      const claim = yield* Given.deploying(yield* Given.registered())
      const mine = [yield* intended(claim), yield* intended(claim)]
      const other = ReplicaId.make(`${claim.replica}-other`.slice(-64))
      const found = (yield* journal.heldBy(claim.replica)).filter(({ work }) => work === claim.deployment.id)
      yield* equal(
        "what the replica holds",
        found.map(({ name }) => name),
        mine.map(({ name }) => name)
      )
      yield* equal("what another replica holds", yield* journal.heldBy(other), [])
      for (const { name } of mine) yield* journal.released(name)
      const left = (yield* journal.heldBy(claim.replica)).filter(({ work }) => work === claim.deployment.id)
      yield* equal("what the replica holds after the release", left, [])
    })
  ),

  law(
    "INV-7",
    "names that no intent has, or only a released one, are unknown",
    Effect.gen(function* () {
      const journal = yield* Journal
      const claim = yield* Given.deploying(yield* Given.registered())
      const [open, released] = [yield* intended(claim), yield* intended(claim)]
      const never = yield* Given.freshWorkloadName
      yield* journal.released(released.name)
      const names = [never, open.name, released.name]
      yield* equal("the unknown names", new Set(yield* journal.unknown(names)), new Set([never, released.name]))
      yield* equal("the unknown names of none", yield* journal.unknown([]), [])
      yield* journal.released(open.name)
    })
  ),

  law(
    "Journal-1",
    "nobody is told of more unowned intents than were asked for",
    Effect.gen(function* () {
      const [journal, deployments] = [yield* Journal, yield* DeploymentStore]
      const claim = yield* Given.deploying(yield* Given.registered())
      const intents = [yield* intended(claim), yield* intended(claim)]
      yield* deployments.finish(claim, { status: "cancelled" })
      const named = yield* journal.unowned(1)
      yield* holds("one intent", named.length === 1, named.length)
      for (const { name } of intents) yield* journal.released(name)
    })
  )
]
