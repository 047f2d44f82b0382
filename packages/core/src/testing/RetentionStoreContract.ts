// What a RetentionStore removes: what is older than its class allows, whole, once, and nothing that something still relies on.
// The laws of Jobs and of what they resume from are in RetentionJobContract.ts.
import { Duration, Effect } from "effect"
import { AppName } from "../domain/App.ts"
import { Fence } from "../domain/Lease.ts"
import { retentionKinds, sweepKinds } from "../domain/Retention.ts"
import { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { EnvStore } from "../port/EnvStore.ts"
import { EventFeed } from "../port/EventFeed.ts"
import { defaultReservationTerms, IdempotencyStore } from "../port/IdempotencyStore.ts"
import { Journal } from "../port/Journal.ts"
import { LogName, LogStore } from "../port/LogStore.ts"
import { RetentionStore } from "../port/RetentionStore.ts"
import { SubscriberName, Subscriptions } from "../port/Subscriptions.ts"
import { type Contract, equal, eventually, holds, law, present, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import { retentionHoldLaws, type RetentionHoldPorts } from "./RetentionHoldContract.ts"
import { retentionJobLaws, type RetentionJobPorts } from "./RetentionJobContract.ts"
import { atOnce, cancelledDeployments, endedJob, inAnHour, isThere, swept } from "./RetentionFixture.ts"

/** The ports whose contents are swept. */
export type RetentionPorts =
  | RetentionHoldPorts
  | RetentionJobPorts
  | EnvStore
  | EventFeed
  | IdempotencyStore
  | Journal
  | RetentionStore
  | Subscriptions

const subscriber = Effect.map(Given.freshLetters, (letters) => SubscriberName.make(`s-${letters}`))

const names = Effect.map(Given.freshLetters, (letters) => AppName.make(`a-${letters}`))

/** The laws of Retention. */
export const RetentionStoreContract: Contract<RetentionPorts> = [
  ...retentionJobLaws,
  ...retentionHoldLaws,

  law(
    "K7",
    "a sweep removes no more than its limit, and the next one goes on",
    Effect.gen(function* () {
      const store = yield* RetentionStore
      const tenant = yield* Given.freshTenant
      yield* swept("jobs")
      yield* Effect.replicateEffect(endedJob(tenant, "succeeded"), 5)
      const parts = yield* Effect.replicateEffect(store.sweep("jobs", atOnce, 2), 4)
      yield* equal("how many each sweep removes", parts, [2, 2, 1, 0])
    })
  ),

  law(
    "K7",
    "of several who sweep at once each thing is removed by one",
    Effect.gen(function* () {
      const store = yield* RetentionStore
      const tenant = yield* Given.freshTenant
      yield* swept("jobs")
      yield* Effect.replicateEffect(endedJob(tenant, "succeeded"), 10)
      const all = yield* together(Array.from({ length: 5 }, () => store.sweep("jobs", atOnce, 4)))
      const removed = all.map((each) => (each._tag === "Success" ? each.success : 0))
      const rest = yield* swept("jobs")
      yield* equal(
        "how many are removed in all",
        removed.reduce((sum, each) => sum + each, rest),
        10
      )
    })
  ),

  law(
    "K7",
    "Deployments that made no Release go, but for the newest, after whose number the next one is numbered",
    Effect.gen(function* () {
      const app = yield* Given.registered()
      const ended = yield* cancelledDeployments(app, 3)
      const waiting = yield* Given.begun(yield* Given.registered())
      const released = yield* Given.registered()
      const { deployment: healthy } = yield* Given.deployed(released)
      yield* cancelledDeployments(released, 1)
      yield* swept("deployments", inAnHour)
      yield* equal("which are there within their age", yield* Effect.forEach(ended, ({ id }) => isThere(id)), [
        true,
        true,
        true
      ])
      yield* swept("deployments")
      yield* equal("which are there after it", yield* Effect.forEach(ended, ({ id }) => isThere(id)), [
        false,
        false,
        true
      ])
      const others = [yield* isThere(waiting.id), yield* isThere(healthy.id)]
      yield* equal("whether one that waits, and one with a Release, is there", others, [true, true])
      yield* equal("the number of the next one", (yield* Given.begun(app)).number, 4)
    })
  ),

  law(
    "INV-9",
    "Releases go with their Deployments, but for the one that serves and the newest ones",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const made = yield* Effect.replicateEffect(Given.deployed(app), 4)
      const ids = made.map(({ deployment }) => deployment.id)
      const numbers = Effect.map(deployments.releases(app.id, { limit: 10 }), ({ items }) =>
        items.map(({ number }) => number)
      )
      yield* swept("releases", inAnHour)
      yield* equal("the Releases within their age", yield* numbers, [4, 3, 2, 1])
      yield* swept("releases", { ...atOnce, newest: 2 })
      yield* equal("those after it", yield* numbers, [4, 3])
      yield* equal("their Deployments", yield* Effect.forEach(ids, isThere), [false, false, true, true])
      yield* swept("releases", { ...atOnce, newest: 0 })
      yield* swept("deployments", { ...atOnce, newest: 0 })
      const [serving] = (yield* deployments.releases(app.id, { limit: 10 })).items
      yield* equal("the one that serves", [serving?.number, serving?.current], [4, true] as const)
      yield* Given.deployed(app)
      yield* equal("the number of the next one", (yield* numbers)[0], 5)
    })
  ),

  law(
    "E10",
    "an Env can be read at the present Revision and at that of each Release, whatever was swept",
    Effect.gen(function* () {
      const envs = yield* EnvStore
      const app = yield* Given.registered()
      yield* Given.revised(app, { FIRST: "1", GONE: "1" })
      yield* Given.revised(app, { GONE: null })
      const { deployment } = yield* Given.deployed(app)
      yield* Given.revised(app, { FIRST: "2" })
      yield* Given.revised(app, { SECOND: "2" })
      yield* swept("revisions")
      const then = yield* envs.readAt(app.id, deployment.envRevision)
      yield* equal("the Env of the Release", Given.plain(then), { FIRST: "1" })
      const { env, revision } = yield* envs.read(app.id)
      yield* equal("the present Revision", Number(revision), 4)
      yield* equal("the present Env", Given.plain(env), { FIRST: "2", SECOND: "2" })
      const [newest] = (yield* envs.history(app.id, { limit: 1 })).items
      yield* equal("the newest entry of its history", Number(newest?.revision), 4)
    })
  ),

  law(
    "X1",
    "of the log of what goes on the last that a Workload said stays, and its numbers go on",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = LogName.make(`workload/${yield* Given.unknownDeployment}`)
      yield* logs.append(log, [{ stream: "stdout", line: "one" }])
      yield* logs.append(log, [{ stream: "stdout", line: "two" }])
      const before = yield* logs.cursor(log)
      yield* swept("logs")
      yield* equal("how far it is stored", yield* logs.cursor(log), before)
      yield* logs.append(log, [{ stream: "stdout", line: "three" }])
      const { ended, lines } = yield* logs.read(log, 1, 10)
      yield* equal("whether it has ended", ended, false)
      yield* equal(
        "its last lines",
        lines.map(({ line, seq }) => `${seq} ${line}`),
        ["2 two", "3 three"]
      )
    })
  ),

  law(
    "X1",
    "the lines of a log that has ended go, and it is still one that has ended",
    Effect.gen(function* () {
      const logs = yield* LogStore
      const log = LogName.make(`deployment/${yield* Given.unknownDeployment}`)
      yield* logs.append(log, [{ stream: "stdout", line: "one" }])
      yield* logs.end(log)
      yield* swept("logs", inAnHour)
      yield* equal("how many lines there are within their age", (yield* logs.read(log, 0, 10)).lines.length, 1)
      yield* swept("logs")
      yield* equal("what there is after it", yield* logs.read(log, 0, 10), { lines: [], ended: true })
    })
  ),

  law(
    "X12",
    "Events go once every Subscription was told of them",
    Effect.gen(function* () {
      const [feed, subscriptions] = [yield* EventFeed, yield* Subscriptions]
      const [name, fence] = [yield* subscriber, Fence.make(1)]
      yield* swept("subscriptions")
      yield* subscriptions.take(name, fence)
      const { tenant } = yield* Given.registered()
      const told = yield* present("an Event", (yield* Given.eventsOf(tenant))[0])
      yield* swept("subscriptions", inAnHour)
      yield* swept("events")
      yield* equal("the first Event while it was not told", (yield* feed.read({ tenant, limit: 1 }))[0]?.id, told.id)
      yield* subscriptions.advance(name, fence, told.id)
      yield* swept("events", inAnHour)
      yield* equal("the first Event within its age", (yield* feed.read({ tenant, limit: 1 }))[0]?.id, told.id)
      yield* swept("events")
      const [next] = yield* feed.read({ tenant, limit: 1 })
      yield* holds("the first Event to be the next one", next !== undefined && next.id !== told.id, next)
    })
  ),

  law(
    "X4",
    "an idempotency key goes when its retention is over, and not before",
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const lease = Duration.millis(50)
      const [long, short] = [
        yield* Given.freshReservation(),
        yield* Given.freshReservation({ lease, retention: lease })
      ]
      yield* store.reserve(long)
      yield* swept("reservations")
      yield* store.reserve(short)
      yield* eventually("an old key that goes", swept("reservations"), (count) => count === 1)
      yield* equal("who has the other key", (yield* store.reserve(yield* Given.reservedAgain(long)))._tag, "InProgress")
      yield* equal(
        "who has the old one",
        (yield* store.reserve({ ...short, terms: defaultReservationTerms }))._tag,
        "Reserved"
      )
    })
  ),

  law(
    "INV-7",
    "an intent goes when what it made was released, and not before",
    Effect.gen(function* () {
      const journal = yield* Journal
      const { app, deployment, fence, replica } = yield* Given.deploying(yield* Given.registered())
      const intend = Effect.tap(Given.freshWorkloadName, (name) =>
        journal.intend({ name, app: app.id, work: deployment.id, fence, replica })
      )
      yield* swept("intents")
      const [open, released] = [yield* intend, yield* intend]
      yield* journal.released(released)
      yield* equal("how many go within their age", yield* swept("intents", inAnHour), 0)
      yield* equal("how many go after it", yield* swept("intents"), 1)
      yield* equal(
        "what is held",
        (yield* journal.held(app.id)).map(({ name }) => name),
        [open]
      )
    })
  ),

  law(
    "INV-6",
    "an App goes when it is deleted and nothing of it is left, and not before",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const { id, tenant } = yield* Given.registered()
      const { id: full } = yield* Effect.tap(Given.registered(), (app) => cancelledDeployments(app, 1))
      const other = yield* apps.register({ tenant, name: yield* names, source: Given.archive })
      for (const kind of sweepKinds) yield* swept(kind)
      for (const app of [id, full]) {
        yield* apps.mark(app, "deleting")
        const ending = (yield* apps.ending(1_000)).find((each) => each.app.id === app)
        yield* apps.settle(yield* present("an App that ends", ending))
      }
      yield* equal("how many go within their age", yield* swept("apps", inAnHour), 0)
      yield* equal("how many go after it", yield* swept("apps"), 1)
      yield* equal("how many Deployments are left of the other", yield* swept("deployments"), 1)
      yield* equal("how many go then", yield* swept("apps"), 1)
      yield* equal("whether the one that is live is there", (yield* apps.get(other.id)).id, other.id)
    })
  ),

  law(
    "K8",
    "how much there is of each class is known",
    Effect.gen(function* () {
      const usage = yield* (yield* RetentionStore).usage
      yield* equal("the classes", Object.keys(usage).toSorted(), retentionKinds.toSorted())
      yield* holds(
        "numbers that are not negative",
        Object.values(usage).every(({ bytes, rows }) => rows >= 0 && (bytes === null || bytes >= 0))
      )
    })
  )
]
