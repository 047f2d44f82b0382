// What laws begin with, made through the ports themselves. Every name is random, so that laws may share a database with
// each other and with whatever was there before.
import { Duration, Effect, Redacted, Result } from "effect"
import { type App, AppId, AppName, DeploymentId } from "../domain/App.ts"
import { Env, type EnvChange, parseChange } from "../domain/Env.ts"
import type { Event } from "../domain/Event.ts"
import { Fence, type LeaseTerms, ReplicaId } from "../domain/Lease.ts"
import type { Page, PageRequest } from "../domain/Page.ts"
import { ArchiveSource, ArchiveUrl, Sha256 } from "../domain/Source.ts"
import { TenantName } from "../domain/Tenant.ts"
import { ImageDigest, WorkloadName } from "../domain/Workload.ts"
import { type AppRequest, AppStore } from "../port/AppStore.ts"
import type { Claim, DeploymentOutcome } from "../port/Claim.ts"
import { ContainerRuntime, type WorkloadSpec } from "../port/ContainerRuntime.ts"
import type { DeploymentRequest } from "../port/DeploymentRequest.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { EnvStore } from "../port/EnvStore.ts"
import { EventFeed } from "../port/EventFeed.ts"
import {
  defaultReservationTerms,
  Fingerprint,
  IdempotencyKey,
  ReservationId,
  type ReservationRequest,
  type ReservationTerms
} from "../port/IdempotencyStore.ts"
import { eventually, Mismatch, present, refused } from "./Contract.ts"

const alphabet = "abcdefghijklmnopqrstuvwxyz"

/** Twenty random letters. They do not come from the Random service, which a test may have seeded. */
export const freshLetters: Effect.Effect<string> = Effect.sync(() =>
  Array.from(crypto.getRandomValues(new Uint8Array(20)), (byte) => alphabet[byte % alphabet.length]).join("")
)

/** A Tenant that nobody has seen. */
export const freshTenant = Effect.map(freshLetters, (letters) => TenantName.make(`t-${letters}`))

/** A name that no App has. */
export const freshAppName = Effect.map(freshLetters, (letters) => AppName.make(`a-${letters}`))

/** A replica that nobody has seen. */
export const freshReplica = Effect.map(freshLetters, (letters) => ReplicaId.make(`replica-${letters}`))

/** The id of an App that does not exist. */
export const unknownApp = Effect.map(freshLetters, (letters) => AppId.make(`app_${letters}`))

/** The id of a Deployment that does not exist. */
export const unknownDeployment = Effect.map(freshLetters, (letters) => DeploymentId.make(`dep_${letters}`))

/** A name that no Workload has. */
export const freshWorkloadName = Effect.map(freshLetters, (letters) => WorkloadName.make(`contract-${letters}`))

const freshDigest = Effect.sync(() =>
  Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("")
)

/** The digest of an image that does not exist. */
export const freshImage = Effect.map(freshDigest, (digest) => ImageDigest.make(`sha256:${digest}`))

/** A fingerprint that no request has. */
export const freshFingerprint = Effect.map(freshDigest, (digest) => Fingerprint.make(digest))

/** A reservation of a key that nobody has used. */
export const freshReservation = Effect.fnUntraced(function* (terms: ReservationTerms = defaultReservationTerms) {
  const request: ReservationRequest = {
    key: IdempotencyKey.make(yield* freshDigest),
    id: ReservationId.make((yield* freshDigest).slice(0, 32)),
    fingerprint: yield* freshFingerprint,
    terms
  }
  return request
})

/** The same request under the same key, asked by somebody else. */
export const reservedAgain = Effect.fnUntraced(function* (request: ReservationRequest) {
  const { id } = yield* freshReservation()
  return { ...request, id, terms: defaultReservationTerms } satisfies ReservationRequest
})

/** What a Workload of nobody is started from, under a name that none has. */
export const workloadSpec = Effect.fnUntraced(function* (image: ImageDigest) {
  const spec: WorkloadSpec = {
    name: yield* freshWorkloadName,
    tenant: yield* freshTenant,
    app: yield* unknownApp,
    work: yield* unknownDeployment,
    fence: Fence.make(1),
    image,
    env: Env.empty,
    port: null
  }
  return spec
})

/** Whether a Workload of this name exists. */
export const isOwned = Effect.fnUntraced(function* (spec: WorkloadSpec) {
  const runtime = yield* ContainerRuntime
  return (yield* runtime.owned).includes(spec.name)
})

/** A Source without secrets. */
export const archive = ArchiveSource.make({
  type: "archive",
  url: ArchiveUrl.make("https://archives.example/app.tar.gz"),
  sha256: Sha256.make("5f".repeat(32))
})

/** Terms under which nothing runs out while a law is checked. */
export const longTerms: LeaseTerms = { ttl: Duration.minutes(10), renewEvery: Duration.minutes(1) }

/** Terms that run out while a law waits for it. */
export const shortTerms: LeaseTerms = { ttl: Duration.millis(300), renewEvery: Duration.millis(100) }

/** A new App, of a new Tenant and with a Source unless asked otherwise. */
export const registered = Effect.fnUntraced(function* (request: Partial<AppRequest> = {}) {
  const apps = yield* AppStore
  return yield* apps.register({ tenant: yield* freshTenant, name: yield* freshAppName, source: archive, ...request })
})

/** Several new Apps of one new Tenant. */
export const registeredTogether = Effect.fnUntraced(function* (count: number) {
  const tenant = yield* freshTenant
  return yield* Effect.forEach(Array.from({ length: count }), () => registered({ tenant }))
})

/** A request for a Deployment of an App, asked for by hand. */
export const asked = (app: App, request: Partial<DeploymentRequest> = {}): DeploymentRequest => ({
  app: app.id,
  trigger: { kind: "manual" },
  ...request
})

/** A queued Deployment of an App. */
export const begun = Effect.fnUntraced(function* (app: App, request: Partial<DeploymentRequest> = {}) {
  const deployments = yield* DeploymentStore
  return (yield* deployments.begin(asked(app, request))).deployment
})

/** Fails unless `begin` refuses the request for this reason, and answers what the reason says. */
export const refusedBegin = Effect.fnUntraced(function* (tag: string, request: DeploymentRequest) {
  const deployments = yield* DeploymentStore
  const { reason } = yield* refused("DeploymentRefused", deployments.begin(request))
  return reason._tag === tag
    ? reason
    : yield* new Mismatch({ expected: `a refusal with ${tag}`, actual: `it was refused with ${reason._tag}` })
})

/** A Deployment's Claim by a new replica, if it is to be had. */
export const admission = Effect.fnUntraced(function* (deployment: DeploymentId, terms: LeaseTerms = longTerms) {
  const deployments = yield* DeploymentStore
  return yield* deployments.admit({ replica: yield* freshReplica, terms, deployment })
})

/** A new Deployment of an App, `building`, in the hands of a new replica. */
export const claimed = Effect.fnUntraced(function* (app: App, terms: LeaseTerms = longTerms) {
  const { id } = yield* begun(app)
  return yield* present("a Claim of the only queued Deployment", yield* admission(id, terms))
})

/** A new Deployment of an App, `deploying` a new image. */
export const deploying = Effect.fnUntraced(function* (app: App, terms: LeaseTerms = longTerms) {
  const deployments = yield* DeploymentStore
  const claim = yield* claimed(app, terms)
  yield* deployments.built(claim, yield* freshImage, null)
  return claim
})

/** A new Deployment of an App that was activated and is `healthy`, with the Claim under which it was done. */
export const deployed = Effect.fnUntraced(function* (app: App) {
  const deployments = yield* DeploymentStore
  const claim = yield* deploying(app)
  yield* deployments.activate(claim)
  return { claim, deployment: yield* deployments.finish(claim, { status: "healthy" }) }
})

/** Takes a Deployment from a holder that is declared dead, for a new replica. */
export const takenOver = Effect.fnUntraced(function* (claim: Claim) {
  const deployments = yield* DeploymentStore
  yield* deployments.abandon(claim.replica)
  const request = { replica: yield* freshReplica, terms: longTerms, deployment: claim.deployment.id }
  const [taken] = yield* deployments.claimAbandoned(request, 10)
  return yield* present("a Claim of the abandoned Deployment", taken)
})

/** Ways in which a Deployment ends without a Release. */
export const endings: readonly [failed: DeploymentOutcome, cancelled: DeploymentOutcome] = [
  { status: "failed", error: { code: "build_failed", detail: "the build failed" } },
  { status: "cancelled" }
]

/** A change of an Env from plain entries; `null` and the empty string delete. */
export const changeOf = (entries: Readonly<Record<string, string | null>>): EnvChange =>
  Result.getOrThrow(parseChange(Object.entries(entries)))

/** Applies a change to an App's Env, whatever is there. */
export const revised = Effect.fnUntraced(function* (app: App, entries: Readonly<Record<string, string | null>>) {
  const envs = yield* EnvStore
  return yield* envs.revise({ app: app.id, actor: "contract", decide: () => Result.succeed(changeOf(entries)) })
})

/** An Env as plain entries in the order of their names. */
export const plain = (env: Env): Readonly<Record<string, string>> =>
  Object.fromEntries([...env].map(([key, value]) => [key, Redacted.value(value)]).sort())

/**
 * All Events of a Tenant until now. A new App marks the end: since Events are final and in order, what stands before the
 * marker is complete.
 */
export const eventsOf = Effect.fnUntraced(function* (tenant: TenantName) {
  const feed = yield* EventFeed
  const marker = yield* registered({ tenant })
  const isMarker = (event: Event) => event.app === marker.id
  const events = yield* eventually("the Event of a new App in the feed", feed.read({ tenant, limit: 1_000 }), (found) =>
    found.some(isMarker)
  )
  return events.slice(0, events.findIndex(isMarker))
})

/** Every item of a paged list, read with this many a page. */
export const allPages = Effect.fnUntraced(function* <A, E, R>(
  limit: number,
  page: (request: PageRequest) => Effect.Effect<Page<A>, E, R>
) {
  const pages: Array<Page<A>> = [yield* page({ limit })]
  for (let cursor = pages[0]?.nextCursor ?? null; cursor !== null; cursor = pages.at(-1)?.nextCursor ?? null) {
    pages.push(yield* page({ limit, cursor }))
  }
  return pages
})
