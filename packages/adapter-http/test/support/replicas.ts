// Replicas that take part in routing and share one state in memory.
import { AppId, HostPort } from "@lockkeeper/core/domain/App"
import { Fence, ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { Address } from "@lockkeeper/core/domain/Workload"
import { Leases } from "@lockkeeper/core/port/Leases"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import type { Route, RouterError } from "@lockkeeper/core/port/Router"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import { it } from "@effect/vitest"
import { Effect, Layer, Logger, type Scope } from "effect"
import type { RequestListener } from "node:http"
import * as ProxyRouter from "../../src/ProxyRouter.ts"
import { freePort, serve } from "./http.ts"

/** What replicas share. */
export const storage: Layer.Layer<RouteStore | Leases | MemoryState> = Layer.mergeAll(
  RouteStore.layerMemory,
  Leases.layerMemory
).pipe(Layer.provideMerge(MemoryState.layer))

/** A replica with short terms. */
export const replica = (name: string, options: Partial<ProxyRouter.ProxyRouterOptions> = {}) =>
  ProxyRouter.make({
    replica: ReplicaId.make(name),
    leaseTtl: "1 second",
    pollEvery: "20 millis",
    applyTimeout: "5 seconds",
    drainTimeout: "2 seconds",
    ...options
  })

/** The App that is routed. */
export const app: AppId = AppId.make("app_proxied")

/** A route of the App. */
export const route = (hostPort: number, fence: number, address: Address): Route => ({
  app,
  hostPort: HostPort.make(hostPort),
  fence: Fence.make(fence),
  address
})

/** The route of the App as it is kept. */
export const routeOf = Effect.flatMap(RouteStore, (store) => store.get(app))

/** Why a switch was not made. */
export const reasonOf = (switched: Effect.Effect<void, RouterError>) =>
  Effect.map(Effect.flip(switched), ({ reason }) => reason)

/** A server behind the proxy, and the port of the proxy. */
export const proxied = Effect.fnUntraced(function* (listener: RequestListener) {
  const upstream = yield* serve(listener)
  const port = yield* freePort
  const router = yield* replica("a")
  yield* router.swap(route(port, 1, upstream.address))
  return { ...upstream, port, router }
})

/** A test in real time, on a state of its own. */
export const live = <A, E>(
  name: string,
  test: () => Effect.Effect<A, E, RouteStore | Leases | MemoryState | Scope.Scope>,
  timeout = 30_000
): void => it.live(name, () => Effect.provide(test(), [storage, Logger.layer([])]), timeout)
