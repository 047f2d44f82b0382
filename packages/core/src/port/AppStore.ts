// Keeps Apps and their status. Env, Deployments and Releases have stores of their own.
import { Context, DateTime, Effect, Layer, Schema } from "effect"
import { App, AppId, AppName, appSourcesOf, AppStatus, HostPort } from "../domain/App.ts"
import { defaultHealthCheck, type HealthCheck } from "../domain/HealthCheck.ts"
import { hasEnded } from "../domain/Job.ts"
import { Fence } from "../domain/Lease.ts"
import { cut, type Page, type PageRequest } from "../domain/Page.ts"
import type { Policy } from "../domain/Policy.ts"
import { open, type Source } from "../domain/Source.ts"
import { TenantName } from "../domain/Tenant.ts"
import type { Command, WorkloadPort } from "../domain/Workload.ts"
import { erase } from "./memoryErase.ts"
import { activeDeployment, activeDeployments, appOf, type AppRow, MemoryState, publish } from "./MemoryState.ts"
import { askToStop } from "./memoryDeployments.ts"
import { endJobsOf } from "./memoryJobs.ts"
import type { StoreError } from "./StoreError.ts"

/** No App of this id exists, or it was deleted. */
export class AppGone extends Schema.TaggedError<AppGone>()("AppGone", { app: Schema.String }) {}

/** The App exists and is not `live`, so it takes no changes of this kind. */
export class AppNotLive extends Schema.TaggedError<AppNotLive>()("AppNotLive", { app: AppId, status: AppStatus }) {}

/** The Tenant has an App of this name already. */
export class AppNameTaken extends Schema.TaggedError<AppNameTaken>()("AppNameTaken", {
  tenant: TenantName,
  name: AppName
}) {}

/** Every port on which Apps may be reached is given to an App. */
export class PortsExhausted extends Schema.TaggedError<PortsExhausted>()("PortsExhausted", {
  first: Schema.Int,
  last: Schema.Int
}) {}

/** What a new App is made from. */
export interface AppRequest {
  readonly tenant: TenantName
  readonly name: AppName
  readonly source?: Source | undefined
  readonly policy?: Policy | undefined
  readonly healthCheck?: HealthCheck | undefined
  readonly port?: WorkloadPort | undefined
  readonly preDeploy?: Command | null | undefined
  /** When it expires; never without it. */
  readonly expiresAt?: DateTime.Utc | null | undefined
}

/** What may be changed of a live App; what is absent stays, and null takes away. */
export interface AppChange {
  readonly source?: Source | undefined
  readonly policy?: Policy | undefined
  readonly healthCheck?: HealthCheck | undefined
  readonly port?: WorkloadPort | undefined
  readonly preDeploy?: Command | null | undefined
}

/** An App that is not live and of which something may be left, and the Fence under which its route ends. */
export interface AppEnding {
  readonly app: App
  readonly fence: Fence
}

/** The host ports that Apps are given, both ends included. */
export interface PortRange {
  readonly first: number
  readonly last: number
}

/** The ports that Apps are given unless the operator says otherwise. */
export const defaultPorts: PortRange = { first: 20_000, last: 29_999 }

/** Keeps Apps. */
export class AppStore extends Context.Service<
  AppStore,
  {
    /** Makes a live App with a host port of its own, and its Event. */
    readonly register: (request: AppRequest) => Effect.Effect<App, AppNameTaken | PortsExhausted | StoreError>
    /** The App; a deleted one is gone. */
    readonly get: (app: AppId) => Effect.Effect<App, AppGone | StoreError>
    /** The Apps of a Tenant (of all Tenants without one) that are not deleted, newest first. */
    readonly list: (tenant: TenantName | undefined, page: PageRequest) => Effect.Effect<Page<App>, StoreError>
    /** Changes a live App as a whole or not at all. */
    readonly change: (app: AppId, change: AppChange) => Effect.Effect<App, AppGone | AppNotLive | StoreError>
    /**
     * Stops an App or begins to delete it; what is so already stays as it is. In one step with the status, its queued
     * Deployment is cancelled, the one in progress is asked to stop, and every Fence given before is older than the App's.
     * `AppNotLive` when the status cannot follow.
     */
    readonly mark: (app: AppId, to: "stopped" | "deleting") => Effect.Effect<App, AppGone | AppNotLive | StoreError>
    /** Sets when a live App expires; with null it is permanent. */
    readonly setExpiry: (
      app: AppId,
      expiresAt: DateTime.Utc | null
    ) => Effect.Effect<App, AppGone | AppNotLive | StoreError>
    /**
     * Marks live and stopped Apps whose time is over as expired, as `mark` does, and answers them: each once to one caller. One
     * that cannot be read is left as it is, and keeps no other from expiring.
     */
    readonly claimExpired: (limit: number) => Effect.Effect<ReadonlyArray<App>, StoreError>
    /**
     * Apps that are not live and not settled, without those that cannot be read. Which of them are answered first is left to
     * chance, so that none keeps others waiting.
     */
    readonly ending: (limit: number) => Effect.Effect<ReadonlyArray<AppEnding>, StoreError>
    /**
     * Settles a stopped App, and makes a deleting one deleted, if no newer Fence was given, none of its Deployments is queued
     * or in progress and no intent of it is left. Answers whether it was done. With a deleted App its secrets are erased: its
     * deploy keys and those of its Deployments, and the values of its Env; who changed which names when stays.
     */
    readonly settle: (ending: AppEnding) => Effect.Effect<boolean, StoreError>
  }
>()("@lockkeeper/core/port/AppStore") {
  /** Apps in memory; host ports from {@link defaultPorts}. */
  static readonly layerMemory: Layer.Layer<AppStore, never, MemoryState> = Layer.effect(
    AppStore,
    Effect.gen(function* () {
      const state = yield* MemoryState

      const register = Effect.fnUntraced(function* (request: AppRequest) {
        const now = yield* DateTime.now
        const { tenant, name } = request
        const taken = new Set<number>()
        for (const { app } of state.apps.values()) {
          if (app.status === "deleted") continue
          if (app.tenant === tenant && app.name === name) return yield* new AppNameTaken({ tenant, name })
          taken.add(app.hostPort)
        }
        let port = defaultPorts.first
        while (taken.has(port)) port += 1
        if (port > defaultPorts.last) return yield* new PortsExhausted(defaultPorts)
        const position = ++state.sequence
        const app = App.make({
          id: AppId.make(`app_${position}`),
          tenant,
          name,
          status: "live",
          source: request.source === undefined ? null : open(request.source),
          policy: request.policy ?? null,
          healthCheck: request.healthCheck ?? defaultHealthCheck,
          port: request.port ?? null,
          preDeploy: request.preDeploy ?? null,
          hostPort: HostPort.make(port),
          expiresAt: request.expiresAt ?? null,
          envRevision: state.revisionZero,
          deployedEnvRevision: null,
          currentRelease: null,
          activeDeployment: null,
          createdAt: now,
          updatedAt: now
        })
        state.apps.set(app.id, { app, position, source: request.source, lastFence: 0, settled: true })
        publish(state, now, "app.live", app, app.id)
        return app
      })

      const get = Effect.fnUntraced(function* (id: AppId) {
        const row = state.apps.get(id)
        if (row === undefined || row.app.status === "deleted") return yield* new AppGone({ app: id })
        return appOf(state, row)
      })

      const list = (tenant: TenantName | undefined, page: PageRequest) =>
        Effect.sync(() => {
          const before = page.cursor === undefined ? Number.POSITIVE_INFINITY : Number(page.cursor)
          const rows = [...state.apps.values()]
            .filter((row) => row.app.status !== "deleted" && row.position < before)
            .filter((row) => tenant === undefined || row.app.tenant === tenant)
            .reverse()
          return cut(
            page,
            rows.slice(0, page.limit + 1),
            (row) => row.position,
            (row) => appOf(state, row)
          )
        })

      const change = Effect.fnUntraced(function* (id: AppId, change: AppChange) {
        const now = yield* DateTime.now
        const row = state.apps.get(id)
        if (row === undefined || row.app.status === "deleted") return yield* new AppGone({ app: id })
        if (row.app.status !== "live") return yield* new AppNotLive({ app: id, status: row.app.status })
        const { source, policy, healthCheck, port, preDeploy } = change
        row.source = source ?? row.source
        row.app = {
          ...row.app,
          source: source === undefined ? row.app.source : open(source),
          policy: policy ?? row.app.policy,
          healthCheck: healthCheck ?? row.app.healthCheck,
          port: port ?? row.app.port,
          preDeploy: preDeploy === undefined ? row.app.preDeploy : preDeploy,
          updatedAt: now
        }
        return appOf(state, row)
      })

      const moved = (row: AppRow, to: "stopped" | "expired" | "deleting", now: DateTime.Utc) => {
        if (row.app.status === "live") row.lastFence += 1
        row.settled = false
        row.app = { ...row.app, status: to, updatedAt: now }
        publish(state, now, `app.${to}`, row.app, row.app.id)
        const { inProgress, queued } = activeDeployments(state, row.app.id)
        if (queued !== undefined) {
          queued.deployment = { ...queued.deployment, status: "cancelled", finishedAt: now }
          publish(state, now, "deployment.cancelled", row.app, queued.deployment.id)
        }
        if (inProgress !== undefined) askToStop(inProgress, "cancelled", now)
        endJobsOf(state, now, row.app.id)
        return appOf(state, row)
      }

      const there = Effect.fnUntraced(function* (id: AppId) {
        const row = state.apps.get(id)
        return row === undefined || row.app.status === "deleted" ? yield* new AppGone({ app: id }) : row
      })

      const mark = Effect.fnUntraced(function* (id: AppId, to: "stopped" | "deleting") {
        const now = yield* DateTime.now
        const row = yield* there(id)
        if (row.app.status === to) return appOf(state, row)
        if (!appSourcesOf(to).includes(row.app.status)) {
          return yield* new AppNotLive({ app: id, status: row.app.status })
        }
        return moved(row, to, now)
      })

      const setExpiry = Effect.fnUntraced(function* (id: AppId, expiresAt: DateTime.Utc | null) {
        const now = yield* DateTime.now
        const row = yield* there(id)
        const { status } = row.app
        if (status !== "live") return yield* new AppNotLive({ app: id, status })
        row.app = { ...row.app, expiresAt, updatedAt: now }
        return appOf(state, row)
      })

      const claimExpired = (limit: number) =>
        Effect.map(DateTime.now, (now) =>
          [...state.apps.values()]
            .filter(({ app }) => appSourcesOf("expired").includes(app.status))
            .filter(({ app }) => app.expiresAt !== null && DateTime.isLessThanOrEqualTo(app.expiresAt, now))
            .slice(0, limit)
            .map((row) => moved(row, "expired", now))
        )

      const ending = (limit: number) =>
        Effect.sync(() =>
          [...state.apps.values()]
            .filter((row) => !row.settled && row.app.status !== "live")
            .slice(0, limit)
            .map((row) => ({ app: appOf(state, row), fence: Fence.make(row.lastFence) }))
        )

      const settle = Effect.fnUntraced(function* ({ app, fence }: AppEnding) {
        const now = yield* DateTime.now
        const row = state.apps.get(app.id)
        const isLeft = [...state.intents.values()].some((intent) => intent.app === app.id && !intent.released)
        if (row === undefined || row.settled || row.lastFence !== fence) return false
        const hasJobs = [...state.jobs.values()].some(({ job }) => job.app === app.id && !hasEnded(job.status))
        if (isLeft || hasJobs || activeDeployment(state, app.id) !== undefined) return false
        if (row.app.status !== "stopped" && row.app.status !== "deleting") return false
        row.settled = true
        if (row.app.status === "stopped") return true
        row.app = { ...row.app, status: "deleted" }
        erase(state, row)
        publish(state, now, "app.deleted", row.app, app.id)
        return true
      })

      return AppStore.of({ register, get, list, change, mark, setExpiry, claimExpired, ending, settle })
    })
  )
}
