// What every store of Deployments keeps. These are the laws of `begin` and of reading; admission, leases and endings have
// files of their own, and all of them together are the contract.
import { Effect, Redacted, Result } from "effect"
import { DeliveryId } from "../domain/Deployment.ts"
import { Revision } from "../domain/Env.ts"
import { Commit, GitRef, GitSource, GitUrl, KnownHosts, open } from "../domain/Source.ts"
import { AppStore } from "../port/AppStore.ts"
import { queueLimit } from "../port/DeploymentRequest.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EnvStore } from "../port/EnvStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { type Contract, equal, holds, law, present, refused, together } from "./Contract.ts"
import { DeploymentAdmissionContract } from "./DeploymentAdmissionContract.ts"
import { DeploymentEndingContract } from "./DeploymentEndingContract.ts"
import { DeploymentLeaseContract } from "./DeploymentLeaseContract.ts"
import { DeploymentImageContract } from "./DeploymentImageContract.ts"
import { DeploymentReleaseContract } from "./DeploymentReleaseContract.ts"
import { DeploymentStandingContract } from "./DeploymentStandingContract.ts"
import { DeploymentStopContract } from "./DeploymentStopContract.ts"
import * as Given from "./Fixture.ts"

const repository = {
  type: "git" as const,
  url: GitUrl.make("git@code.example:team/app.git"),
  knownHosts: KnownHosts.make("code.example ssh-ed25519 AAAA")
}

const git = GitSource.make({
  ...repository,
  ref: GitRef.make("main"),
  commit: Commit.make("1f".repeat(20)),
  deployKey: Redacted.make("-----BEGIN PRIVATE KEY-----\nY29udHJhY3Q\n-----END PRIVATE KEY-----\n")
})

const delivery = Effect.map(Given.freshLetters, (letters) => ({
  trigger: { kind: "webhook" as const, deliveryId: DeliveryId.make(letters) }
}))

const BeginContract: Contract<DeploymentStore | AppStore | EnvStore | EventFeed> = [
  law(
    "DeploymentStore-1",
    "a Deployment begins queued, with the App's Source and Policy, and is the App's active one",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const app = yield* Given.registered()
      const { deployment, created } = yield* deployments.begin(Given.asked(app))
      yield* holds("a Deployment that was made", created)
      const { id, createdAt, envRevision } = deployment
      yield* equal("the Deployment", deployment, {
        id,
        createdAt,
        envRevision,
        app: app.id,
        number: 1,
        status: "queued",
        queuePosition: 1,
        trigger: { kind: "manual" },
        policy: "reject",
        source: Given.archive,
        commit: null,
        image: null,
        release: null,
        error: null,
        cancelling: false,
        startedAt: null,
        finishedAt: null
      })
      yield* equal("the Deployment that is read", yield* deployments.get(id), deployment)
      yield* equal("the App's active Deployment", (yield* apps.get(app.id)).activeDeployment, id)
      const types = (yield* Given.eventsOf(app.tenant)).map((event) => event.type)
      yield* equal("the Events", types, ["app.live", "deployment.queued"])
    })
  ),

  law(
    "DeploymentStore-2",
    "a request's Source stands before the App's, and a ref that it names replaces ref and commit",
    Effect.gen(function* () {
      const app = yield* Given.registered({ source: git })
      const own = yield* Given.claimed(app)
      yield* equal("the App's Source with its key", own.source, git)
      yield* equal("what is shown of it", own.deployment.source, open(git))
      const ref = GitRef.make("release/2")
      const elsewhere = yield* Given.begun(yield* Given.registered({ source: git }), { ref })
      yield* equal("the Source at another ref", elsewhere.source, { ...repository, ref })
      const given = yield* Given.begun(yield* Given.registered({ source: git }), { source: Given.archive })
      yield* equal("the request's Source", given.source, Given.archive)
    })
  ),

  law(
    "E11",
    "the Env revision of a Deployment is fixed when it begins, whatever changes afterwards",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const { revision } = yield* Given.revised(app, { A: "1" })
      const { id, envRevision } = yield* Given.begun(app, { minEnvRevision: revision })
      yield* equal("the revision at the beginning", envRevision, revision)
      yield* Given.revised(app, { A: "2" })
      yield* equal("the revision later", (yield* deployments.get(id)).envRevision, revision)
    })
  ),

  law(
    "INV-2",
    "of eight requests for one App at the same time exactly one begins, and the others are told which",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const results = yield* together(Array.from({ length: 8 }, () => deployments.begin(Given.asked(app))))
      const winners = results.filter(Result.isSuccess).map(({ success }) => success.deployment.id)
      yield* equal("how many begin", winners.length, 1)
      const reasons = results.filter(Result.isFailure).map(({ failure }) => failure)
      const active = reasons.map((error) =>
        error._tag === "DeploymentRefused" && error.reason._tag === "DeploymentInProgress"
          ? error.reason.activeDeployment
          : undefined
      )
      yield* equal("what the others are told", new Set(active), new Set(winners))
      const { items } = yield* deployments.list(app.id, { limit: 10 })
      yield* equal(
        "the App's Deployments",
        items.map(({ id }) => id),
        winners
      )
    })
  ),

  law(
    "U9",
    "a delivery that was seen before answers the Deployment it made, at the same time or after its end",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const request = Given.asked(app, yield* delivery)
      const answers = yield* Effect.all(
        Array.from({ length: 8 }, () => deployments.begin(request)),
        { concurrency: "unbounded" }
      )
      yield* equal("how many were made", answers.filter(({ created }) => created).length, 1)
      yield* equal("how many Deployments are named", new Set(answers.map(({ deployment }) => deployment.id)).size, 1)
      const { id } = yield* present("a Deployment", answers[0]?.deployment)
      const claim = yield* present("its Claim", yield* Given.admission(id))
      const ended = yield* deployments.finish(claim, { status: "cancelled" })
      yield* equal("the answer after the end", yield* deployments.begin(request), { deployment: ended, created: false })
      const other = yield* deployments.begin(Given.asked(app, yield* delivery))
      yield* equal("another delivery", [other.created, other.deployment.number], [true, 2])
    })
  ),

  law(
    "U9",
    "one delivery to two Apps makes one Deployment of each",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const request = yield* delivery
      const answers = yield* Effect.forEach(yield* Given.registeredTogether(2), (app) =>
        deployments.begin(Given.asked(app, request))
      )
      yield* equal(
        "what was made",
        answers.map(({ created }) => created),
        [true, true]
      )
    })
  ),

  law(
    "INV-2",
    "while a Deployment of an App is queued, building or deploying, no second one begins",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      const { id } = yield* Given.begun(app)
      const refusal = Given.refusedBegin("DeploymentInProgress", Given.asked(app))
      const expected = { _tag: "DeploymentInProgress", activeDeployment: id } as const
      yield* equal("the refusal while it is queued", yield* refusal, expected)
      const claim = yield* present("a Claim", yield* Given.admission(id))
      yield* equal("the refusal while it is building", yield* refusal, expected)
      yield* deployments.built(claim, yield* Given.freshImage, null)
      yield* equal("the refusal while it is deploying", yield* refusal, expected)
    })
  ),

  law(
    "U8",
    "a request is refused with its reason, and a refused one changes nothing",
    Effect.gen(function* () {
      const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
      const app = yield* Given.registered()
      const { id } = yield* Given.begun(app)
      const busy = yield* Given.refusedBegin("DeploymentInProgress", Given.asked(app))
      yield* equal("the refusal", busy, { _tag: "DeploymentInProgress", activeDeployment: id })

      const idle = yield* Given.registered({ tenant: app.tenant })
      const early = Given.asked(idle, { minEnvRevision: Revision.make(1) })
      const older = yield* Given.refusedBegin("RevisionMismatch", early)
      yield* equal("the refusal", older, { _tag: "RevisionMismatch", actual: Revision.make(0) })
      const sourceless = yield* apps.register({ tenant: app.tenant, name: yield* Given.freshAppName })
      const empty = yield* Given.refusedBegin("NoSource", Given.asked(sourceless))
      yield* equal("the refusal", empty, { _tag: "NoSource", app: sourceless.id })
      const unknown = yield* Given.unknownApp
      const gone = yield* Given.refusedBegin("AppGone", Given.asked({ ...app, id: unknown }))
      yield* equal("the refusal", gone, { _tag: "AppGone", app: unknown })

      const counts = yield* Effect.forEach([app, idle, sourceless], ({ id }) => deployments.list(id, { limit: 10 }))
      yield* equal(
        "how many Deployments there are",
        counts.map(({ items }) => items.length),
        [1, 0, 0]
      )
      const events = (yield* Given.eventsOf(app.tenant)).filter((event) => event.type.startsWith("deployment."))
      yield* equal(
        "their Events",
        events.map((event) => event.subject),
        [String(id)]
      )
    })
  ),

  law(
    "X6",
    "a Tenant's queue has its limit, other Tenants are not refused for it, and what has ended does not count",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const tenant = yield* Given.freshTenant
      const apps = yield* Effect.all(
        Array.from({ length: queueLimit + 1 }, () => Given.registered({ tenant })),
        { concurrency: 16 }
      )
      const [first] = yield* Effect.forEach(apps.slice(0, queueLimit), (app) => Given.begun(app), { concurrency: 16 })
      const last = yield* present("one more App", apps[queueLimit])
      const full = yield* Given.refusedBegin("QueueFull", Given.asked(last))
      yield* equal("the refusal", full, { _tag: "QueueFull", limit: queueLimit })
      yield* Given.begun(yield* Given.registered())
      yield* deployments.withdraw((yield* present("a queued Deployment", first)).id)
      yield* Given.begun(last)
    })
  ),

  law(
    "DeploymentStore-3",
    "an App's Deployments are numbered without a gap and listed newest first, each on exactly one page",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const app = yield* Given.registered()
      for (const outcome of [...Given.endings, ...Given.endings]) {
        yield* deployments.finish(yield* Given.claimed(app), outcome)
      }
      yield* Given.begun(app)
      const pages = yield* Given.allPages(2, (page) => deployments.list(app.id, page))
      yield* equal(
        "the pages",
        pages.map(({ items }) => items.map(({ number }) => number)),
        [[5, 4], [3, 2], [1]]
      )
      const statuses = pages.flatMap(({ items }) => items.map(({ status }) => status))
      yield* equal("their statuses", statuses, ["queued", "cancelled", "failed", "cancelled", "failed"])
    })
  ),

  law(
    "DeploymentStore-4",
    "a Deployment that does not exist is not found",
    Effect.gen(function* () {
      const deployments = yield* DeploymentStore
      const id = yield* Given.unknownDeployment
      yield* equal("the id of the refusal", (yield* refused("DeploymentNotFound", deployments.get(id))).deployment, id)
    })
  )
]

/** The laws of {@link DeploymentStore}. */
export const DeploymentStoreContract: Contract<DeploymentStore | AppStore | EnvStore | EventFeed> = [
  ...BeginContract,
  ...DeploymentAdmissionContract,
  ...DeploymentLeaseContract,
  ...DeploymentEndingContract,
  ...DeploymentStopContract,
  ...DeploymentStandingContract,
  ...DeploymentReleaseContract,
  ...DeploymentImageContract
]
