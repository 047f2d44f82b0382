// The tables behind every port's in-memory meaning, in one place, so that a change, its history and its Event are made
// together there too. For unit tests and models; nothing here survives the process.
import { Context, type DateTime, Layer } from "effect"
import type { App, AppId, DeploymentId, ReleaseId } from "../domain/App.ts"
import type { Deployment } from "../domain/Deployment.ts"
import { type EnvChange, type EnvKey, Revision } from "../domain/Env.ts"
import { type Event, EventId, type EventType } from "../domain/Event.ts"
import type { Fence, ReplicaId } from "../domain/Lease.ts"
import type { LogLine } from "../domain/LogLine.ts"
import type { Release } from "../domain/Release.ts"
import type { RouteState } from "../domain/Route.ts"
import type { Source } from "../domain/Source.ts"
import type { Address, ImageDigest, Workload, WorkloadName } from "../domain/Workload.ts"

/** An App with what only its store knows. */
export interface AppRow {
  app: App
  readonly position: number
  source: Source | undefined
  lastFence: number
}

/** A Deployment with what only its store knows: who holds it until when (milliseconds), under which Fence. */
export interface DeploymentRow {
  deployment: Deployment
  readonly position: number
  readonly source: Source
  fence: Fence | undefined
  replica: ReplicaId | undefined
  leaseUntil: number
  activated: boolean
}

/** One change of an Env. */
export interface RevisionRow {
  readonly revision: Revision
  readonly change: EnvChange
  readonly actor: string
  readonly keysSet: ReadonlyArray<EnvKey>
  readonly keysDeleted: ReadonlyArray<EnvKey>
}

/** An intent and what became of it. */
export interface IntentRow {
  readonly name: WorkloadName
  readonly app: AppId
  readonly deployment: DeploymentId
  readonly fence: Fence
  readonly replica: ReplicaId
  workload: Workload | null
  released: boolean
}

/** A log: its lines, its size in bytes, and whether it has ended. */
export interface LogRow {
  readonly lines: Array<LogLine>
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

/** The tables. */
export interface MemoryTables {
  readonly revisionZero: Revision
  readonly apps: Map<AppId, AppRow>
  readonly deployments: Map<DeploymentId, DeploymentRow>
  readonly releases: Map<ReleaseId, { release: Release; readonly deployment: DeploymentId }>
  readonly revisions: Map<AppId, Array<RevisionRow>>
  readonly intents: Map<WorkloadName, IntentRow>
  readonly logs: Map<string, LogRow>
  readonly leases: Map<string, LeaseRow>
  readonly routes: Map<AppId, RouteRow>
  readonly routeStates: Map<AppId, RouteState>
  readonly images: Set<ImageDigest>
  readonly workloads: Map<WorkloadName, Workload>
  readonly events: Array<Event>
  sequence: number
}

/** The one state under all memory layers of a test. */
export class MemoryState extends Context.Service<MemoryState, MemoryTables>()("@lockkeeper/core/port/MemoryState") {
  /** A fresh, empty state. */
  static readonly layer: Layer.Layer<MemoryState> = Layer.sync(MemoryState, () => ({
    revisionZero: Revision.make(0),
    apps: new Map(),
    deployments: new Map(),
    releases: new Map(),
    revisions: new Map(),
    intents: new Map(),
    logs: new Map(),
    leases: new Map(),
    routes: new Map(),
    routeStates: new Map(),
    images: new Set<ImageDigest>(),
    workloads: new Map(),
    events: [],
    sequence: 0
  }))
}

/** The Release that serves an App, if there is one. */
export const currentRelease = (state: MemoryTables, app: AppId): Release | undefined =>
  [...state.releases.values()].find((row) => row.release.app === app && row.release.current)?.release

/** The Deployment of an App that is not terminal, if there is one. */
export const activeDeployment = (state: MemoryTables, app: AppId): DeploymentRow | undefined =>
  [...state.deployments.values()].find(
    ({ deployment }) => deployment.app === app && ["queued", "building", "deploying"].includes(deployment.status)
  )

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

/** Writes an Event. */
export const publish = (
  state: MemoryTables,
  at: DateTime.Utc,
  type: EventType,
  app: App,
  subject: string,
  data: Event["data"] = {}
): void => {
  state.events.push({
    id: EventId.make(`0-${state.events.length + 1}`),
    type,
    at,
    tenant: app.tenant,
    app: app.id,
    subject,
    data
  })
}
