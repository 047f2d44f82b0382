// Keeps where each App's traffic should go and how far that has been carried out. Any replica may ask for a switch; the
// one that holds the router carries it out and reports. Routers over shared storage are built on this.
import { Context, Effect, Layer, Schema } from "effect"
import { AppId } from "../domain/App.ts"
import { Fence } from "../domain/Lease.ts"
import { type RouteProgress, type RouteState, RouteVersion } from "../domain/Route.ts"
import { MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** A newer Fence has decided about this App's traffic; nothing was changed. */
export class RouteStale extends Schema.TaggedError<RouteStale>()("RouteStale", { app: AppId, newest: Fence }) {}

/** Keeps routes. */
export class RouteStore extends Context.Service<
  RouteStore,
  {
    /** Decides where an App's traffic goes (nowhere with a null address), under a Fence not older than the last one. */
    readonly put: (
      route: Pick<RouteState, "app" | "hostPort" | "fence" | "address">
    ) => Effect.Effect<RouteVersion, RouteStale | StoreError>
    /**
     * Decides that an App's traffic goes nowhere, under a Fence not older than the last one. Where it went
     * nowhere before, there is nothing to carry out, and it is on record all the same. Answers undefined for what is no App.
     */
    readonly end: (app: AppId, fence: Fence) => Effect.Effect<RouteVersion | undefined, RouteStale | StoreError>
    /** The route of an App, if one was ever decided or ended. */
    readonly get: (app: AppId) => Effect.Effect<RouteState | undefined, StoreError>
    /** The routes that changed after a version, in the order of their versions. */
    readonly since: (version: RouteVersion) => Effect.Effect<ReadonlyArray<RouteState>, StoreError>
    /** Reports how far a version was carried out. A route that has a newer version stays as it is. */
    readonly report: (app: AppId, version: RouteVersion, progress: RouteProgress) => Effect.Effect<void, StoreError>
  }
>()("@lockkeeper/core/port/RouteStore") {
  /** Routes in memory. */
  static readonly layerMemory: Layer.Layer<RouteStore, never, MemoryState> = Layer.effect(
    RouteStore,
    Effect.gen(function* () {
      const state = yield* MemoryState

      const put = Effect.fnUntraced(function* (
        route: Pick<RouteState, "app" | "hostPort" | "fence" | "address">,
        progress: RouteProgress = "wanted"
      ) {
        const newest = state.routeStates.get(route.app)?.fence
        if (newest !== undefined && newest > route.fence) return yield* new RouteStale({ app: route.app, newest })
        const version = RouteVersion.make(++state.sequence)
        state.routeStates.set(route.app, { ...route, version, progress })
        return version
      })

      const end = Effect.fnUntraced(function* (app: AppId, fence: Fence) {
        const known = state.routeStates.get(app)
        const hostPort = known?.hostPort ?? state.apps.get(app)?.app.hostPort
        if (hostPort === undefined) return undefined
        const isEnded = known === undefined || (known.address === null && known.progress === "drained")
        return yield* put({ app, hostPort, fence, address: null }, isEnded ? "drained" : "wanted")
      })

      const report = (app: AppId, version: RouteVersion, progress: RouteProgress) =>
        Effect.sync(() => {
          const row = state.routeStates.get(app)
          if (row?.version === version) state.routeStates.set(app, { ...row, progress })
        })

      return RouteStore.of({
        put: (route) => put(route),
        end,
        get: (app) => Effect.sync(() => state.routeStates.get(app)),
        since: (version) =>
          Effect.sync(() =>
            [...state.routeStates.values()].filter((row) => row.version > version).sort((a, b) => a.version - b.version)
          ),
        report
      })
    })
  )
}
