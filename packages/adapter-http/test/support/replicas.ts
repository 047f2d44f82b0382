// Replicas that take part in routing and share one state in memory.
import { AppId, HostPort } from "@lockkeeper/core/domain/App"
import { Fence, ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { Address } from "@lockkeeper/core/domain/Workload"
import { Leases } from "@lockkeeper/core/port/Leases"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import type { Route } from "@lockkeeper/core/port/Router"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import { it } from "@effect/vitest"
import { Effect, Layer, Logger, type Scope } from "effect"
import * as ProxyRouter from "../../src/ProxyRouter.ts"

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

/** A test in real time, on a state of its own. */
export const live = <A, E>(
  name: string,
  test: () => Effect.Effect<A, E, RouteStore | Leases | MemoryState | Scope.Scope>,
  timeout = 30_000
): void => it.live(name, () => Effect.provide(test(), [storage, Logger.layer([])]), timeout)
