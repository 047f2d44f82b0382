// The tables behind every port's in-memory meaning, in one place, so that a change, its history and its Event are made
// together there too. For unit tests and models; nothing here survives the process.
import { Context, type DateTime, Layer, type Redacted } from "effect"
import type { App, AppId, DeploymentId, ReleaseId } from "../domain/App.ts"
import { type Deployment, isTerminal, type StopStatus } from "../domain/Deployment.ts"
import { type EnvChange, type EnvKey, Revision } from "../domain/Env.ts"
import { type Event, EventId, type EventType } from "../domain/Event.ts"
import { isJobId, type Item, type Job, type JobId, type OnFull, type WorkId } from "../domain/Job.ts"
import type { Fence, ReplicaId } from "../domain/Lease.ts"
import type { RunId } from "../domain/Run.ts"
import type { LogLine } from "../domain/LogLine.ts"
import type { Active } from "../domain/Policy.ts"
import type { Release } from "../domain/Release.ts"
import type { RouteState } from "../domain/Route.ts"
import type { Source } from "../domain/Source.ts"
import type { Subnet } from "../domain/Subnet.ts"
import type { JobCap, TenantName } from "../domain/Tenant.ts"
import type { Address, ImageDigest, KeptImage, Workload, WorkloadName } from "../domain/Workload.ts"
import type { JobKey, JobRelease, JobTask } from "./JobRequest.ts"
import type { Fingerprint, IdempotencyKey, ReservationId } from "./IdempotencyStore.ts"
import type { SourceError } from "./SourceFetcher.ts"
import { noPlaces, type PlaceTables } from "./memoryPlaces.ts"
import type { RunRow } from "./RunRequest.ts"
import type { SubnetLease } from "./SubnetPool.ts"
import type { SubscriberName } from "./Subscriptions.ts"

/** An App with what only its store knows. */
export interface AppRow {
  app: App
  readonly position: number
  source: Source | undefined
  lastFence: number
  /** Whether nothing of what it had as a live App is left, or it is live. */
  settled: boolean
}

/** A Deployment with what only its store knows: who holds it until when (milliseconds), under which Fence. */
export interface DeploymentRow {
  deployment: Deployment
  readonly tenant: TenantName
  readonly position: number
  source: Source
  /** The Release that it is made from. */
  ofRelease: ReleaseId | undefined
  fence: Fence | undefined
  replica: ReplicaId | undefined
  leaseUntil: number
  activated: boolean
  /** When what it does now began. */
  since: DateTime.Utc
  /** How it is to end, once somebody has asked for that, and since when. */
  stopAs: StopStatus | undefined
  stopRequestedAt: DateTime.Utc | undefined
}

/** A Job with what only its store knows: what it is, its Items, and who holds it until when (milliseconds), under which Fence. */
export interface JobRow {
  job: Job
  /** Where it stands in the queue; at its end again with each rerun. */
  position: number
  /** Where it stands in lists. */
  readonly listed: number
  readonly task: JobTask
  readonly onFull: OnFull
  /** The App's Release in which it runs, taken anew by each rerun. */
  of: JobRelease | undefined
  readonly items: Array<Item>
  readonly key: JobKey | undefined
  readonly ttlSeconds: number | undefined
  fence: Fence
  replica: ReplicaId | undefined
  leaseUntil: number
  recoveries: number
  isStopRequested: boolean
}

/** One change of an Env. */
export interface RevisionRow {
  readonly revision: Revision
  readonly change: EnvChange
  readonly actor: string
  readonly at: DateTime.Utc
  readonly keysSet: ReadonlyArray<EnvKey>
  readonly keysDeleted: ReadonlyArray<EnvKey>
  readonly total: number
}

/** An intent and what became of it. */
export interface IntentRow {
  readonly name: WorkloadName
  readonly app: AppId
  readonly work: WorkId
  readonly fence: Fence
  readonly replica: ReplicaId
  workload: Workload | null
  released: boolean
  /** When it was, in milliseconds. */
  releasedAt?: number
}

/** A log: its lines, up to which number they were swept, how far each of its writers came, its size in bytes, and whether it has ended. */
export interface LogRow {
  readonly lines: Array<LogLine>
  swept: number
  readonly writers: Map<string, number>
  bytes: number
  truncated: boolean
  ended: boolean
}

/** A named lease. Times are milliseconds. */
export interface LeaseRow {
  replica: ReplicaId | undefined
  fence: Fence
  until: number
}

/** Where an App's traffic goes; the Fence of a route that was ended stays, so that no older one brings it back. */
export interface RouteRow {
  readonly fence: Fence
  readonly address: Address | undefined
}

/** Who owns an idempotency key, for which request, and what that was answered. Times are milliseconds. */
export interface ReservationRow {
  readonly id: ReservationId
  readonly fingerprint: Fingerprint
  readonly leaseUntil: number
  readonly expiresAt: number
  answer: Redacted.Redacted<string> | undefined
}

/** Who has a Subnet until when (milliseconds), and whether somebody is clearing it after its lease. */
export interface SubnetRow {
  readonly lease: SubnetLease
  readonly until: number
  readonly isClearing: boolean
}

/** How far a Subscriber has been told, and the newest Fence that said so. */
export interface SubscriptionRow {
  readonly cursor: EventId
  readonly fence: Fence
  /** When that was, in milliseconds. */
  readonly toldAt?: number | undefined
}

/** The tables. */
export interface MemoryTables {
  readonly revisionZero: Revision
  readonly caps: Map<TenantName, JobCap>
  readonly apps: Map<AppId, AppRow>
  readonly deployments: Map<DeploymentId, DeploymentRow>
  readonly jobs: Map<JobId, JobRow>
  readonly runs: Map<RunId, RunRow>
  readonly releases: Map<ReleaseId, { release: Release; readonly deployment: DeploymentId }>
  readonly revisions: Map<AppId, Array<RevisionRow>>
  readonly intents: Map<WorkloadName, IntentRow>
  readonly logs: Map<string, LogRow>
  readonly leases: Map<string, LeaseRow>
  readonly reservations: Map<IdempotencyKey, ReservationRow>
  /** By pool and owner. */
  readonly subnets: Map<string, SubnetRow>
  /** Subnets that were given back, and until when (milliseconds) they rest. */
  readonly resting: Map<string, { readonly subnet: Subnet; readonly until: number }>
  readonly routes: Map<AppId, RouteRow>
  readonly routeStates: Map<AppId, RouteState>
  readonly images: Set<ImageDigest>
  readonly keptImages: Map<string, KeptImage>
  readonly workloads: Map<WorkloadName, Workload>
  /** The trees that exist now: what each directory holds. */
  readonly trees: Map<string, string>
  /** What becomes of fetching from an address, where that is not a tree. */
  readonly refusals: Map<string, SourceError["reason"] | "silence">
  /** What a Workload answers, where it does not serve as it should. */
  readonly ailments: Map<WorkloadName, "failure" | "silence">
  /** What the memory Provider has made, and what is wrong with it. */
  readonly provided: PlaceTables
  /** What somebody keeps sealed, by the place that it is sealed for. The stores in memory keep what they hold as it is. */
  readonly sealed: Map<string, Uint8Array>
  readonly events: Array<Event>
  /** The number of the last Event, which may be gone. */
  lastEvent: number
  readonly subscriptions: Map<SubscriberName, SubscriptionRow>
  /** What the one Subscriber was told, and what becomes of telling it, where it does not listen as it should. */
  readonly told: { readonly events: Array<Event>; ailment: "refusal" | "failure" | "silence" | undefined }
  sequence: number
}

/** The one state under all memory layers of a test. */
export class MemoryState extends Context.Service<MemoryState, MemoryTables>()("@lockkeeper/core/port/MemoryState") {
  /** A fresh, empty state. */
  static readonly layer: Layer.Layer<MemoryState> = Layer.sync(MemoryState, () => ({
    revisionZero: Revision.make(0),
    caps: new Map(),
    apps: new Map(),
    deployments: new Map(),
    jobs: new Map(),
    runs: new Map(),
    releases: new Map(),
    revisions: new Map(),
    intents: new Map(),
    logs: new Map(),
    leases: new Map(),
    reservations: new Map(),
    subnets: new Map(),
    resting: new Map(),
    routes: new Map(),
    routeStates: new Map(),
    images: new Set<ImageDigest>(),
    keptImages: new Map(),
    workloads: new Map(),
    trees: new Map(),
    refusals: new Map(),
    ailments: new Map(),
    provided: noPlaces(),
    sealed: new Map(),
    events: [],
    lastEvent: 0,
    subscriptions: new Map(),
    told: { events: [], ailment: undefined },
    sequence: 0
  }))
}

/** The Deployment that some work is, if it is one. */
export const deploymentRow = (state: MemoryTables, work: WorkId): DeploymentRow | undefined =>
  isJobId(work) ? undefined : state.deployments.get(work)

/** The Job that some work is, if it is one. */
export const jobRow = (state: MemoryTables, work: WorkId): JobRow | undefined =>
  isJobId(work) ? state.jobs.get(work) : undefined

/** The Release that serves an App, if there is one. */
export const currentRelease = (state: MemoryTables, app: AppId): Release | undefined =>
  [...state.releases.values()].find((row) => row.release.app === app && row.release.current)?.release

/** The Deployments of an App that are not terminal. */
export const activeDeployments = (state: MemoryTables, app: AppId): Active<DeploymentRow> => {
  const active: Array<DeploymentRow> = []
  for (const row of state.deployments.values()) {
    if (row.deployment.app === app && !isTerminal(row.deployment.status)) active.push(row)
  }
  return {
    queued: active.find(({ deployment }) => deployment.status === "queued"),
    inProgress: active.find(({ deployment }) => deployment.status !== "queued")
  }
}

/** The Deployment of an App that is in progress, else the one that waits. */
export const activeDeployment = (state: MemoryTables, app: AppId): DeploymentRow | undefined => {
  const { inProgress, queued } = activeDeployments(state, app)
  return inProgress ?? queued
}

/** An App with the fields that other tables decide. */
export const appOf = (state: MemoryTables, row: AppRow): App => {
  const release = currentRelease(state, row.app.id)
  return {
    ...row.app,
    envRevision: state.revisions.get(row.app.id)?.at(-1)?.revision ?? state.revisionZero,
    deployedEnvRevision: release?.envRevision ?? null,
    currentRelease: release?.id ?? null,
    activeDeployment: activeDeployment(state, row.app.id)?.deployment.id ?? null
  }
}

/** Writes an Event of an App. */
export const publish = (
  state: MemoryTables,
  at: DateTime.Utc,
  type: EventType,
  { id: app, tenant }: App,
  subject: string,
  data: Event["data"] = {}
): void => publishOf(state, at, type, { tenant, app }, subject, data)

/** Writes an Event of a Tenant, and of an App if there is one. */
export const publishOf = (
  state: MemoryTables,
  at: DateTime.Utc,
  type: EventType,
  { app, tenant }: Pick<Event, "app" | "tenant">,
  subject: string,
  data: Event["data"] = {}
): void => {
  state.events.push({ id: EventId.make(`0-${++state.lastEvent}`), type, at, tenant, app, subject, data })
}
