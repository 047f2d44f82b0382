// Keeps Apps and their status. Env, Deployments and Releases have stores of their own.
import { Context, DateTime, Effect, Layer, Schema } from "effect"
import { App, AppId, AppName, AppStatus, HostPort } from "../domain/App.ts"
import { defaultHealthCheck, type HealthCheck } from "../domain/HealthCheck.ts"
import { cut, type Page, type PageRequest } from "../domain/Page.ts"
import type { Policy } from "../domain/Policy.ts"
import { open, type Source } from "../domain/Source.ts"
import { TenantName } from "../domain/Tenant.ts"
import type { WorkloadPort } from "../domain/Workload.ts"
import { appOf, MemoryState, publish } from "./MemoryState.ts"
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
}

/** What may be changed of a live App; what is absent stays. */
export interface AppChange {
  readonly source?: Source | undefined
  readonly policy?: Policy | undefined
  readonly healthCheck?: HealthCheck | undefined
  readonly port?: WorkloadPort | undefined
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
        const rows = [...state.apps.values()].filter((row) => row.app.status !== "deleted")
        if (rows.some((row) => row.app.tenant === tenant && row.app.name === name)) {
          return yield* new AppNameTaken({ tenant, name })
        }
        const taken = new Set<number>(rows.map((row) => row.app.hostPort))
        const ports = Array.from({ length: taken.size + 1 }, (_, offset) => defaultPorts.first + offset)
        const port = ports.find((candidate) => candidate <= defaultPorts.last && !taken.has(candidate))
        if (port === undefined) return yield* new PortsExhausted(defaultPorts)
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
          hostPort: HostPort.make(port),
          envRevision: state.revisionZero,
          deployedEnvRevision: null,
          currentRelease: null,
          activeDeployment: null,
          createdAt: now,
          updatedAt: now
        })
        state.apps.set(app.id, { app, position, source: request.source, lastFence: 0 })
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
        const { source, policy, healthCheck, port } = change
        row.source = source ?? row.source
        row.app = {
          ...row.app,
          source: source === undefined ? row.app.source : open(source),
          policy: policy ?? row.app.policy,
          healthCheck: healthCheck ?? row.app.healthCheck,
          port: port ?? row.app.port,
          updatedAt: now
        }
        return appOf(state, row)
      })

      return AppStore.of({ register, get, list, change })
    })
  )
}
