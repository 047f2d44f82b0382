// Routers and RouteStores that make the mistakes their contracts exist for.

import { Effect } from "effect"
import { AppId } from "../../src/domain/App.ts"
import { Fence } from "../../src/domain/Lease.ts"
import { RouteVersion } from "../../src/domain/Route.ts"
import { Router, RouterError } from "../../src/port/Router.ts"
import { RouteStale, RouteStore } from "../../src/port/RouteStore.ts"
import { altered, type Broken } from "./Broken.ts"

const everyApp = AppId.make("app_every")

/** Broken Routers. */
export const brokenRouters: ReadonlyArray<Broken> = [
  {
    what: "a Router that remembers what it once answered",
    contract: "Router",
    violates: ["X2 an App's traffic", "Router-1", "INV-2 a route is ended"],
    layer: altered(Router, (original) => {
      const answered = new Map<AppId, Effect.Success<ReturnType<typeof original.current>>>()
      return {
        current: Effect.fnUntraced(function* (app) {
          const address = answered.get(app) ?? (yield* original.current(app))
          answered.set(app, address)
          return address
        })
      }
    })
  },
  {
    what: "a Router for which a Fence is good for one swap",
    contract: "Router",
    violates: ["Router-1", "H14"],
    layer: altered(Router, (original, { routes }) => ({
      swap: (route) =>
        routes.get(route.app)?.fence === route.fence
          ? Effect.fail(new RouterError({ reason: "stale", detail: "it was switched under this fence" }))
          : original.swap(route)
    }))
  },
  {
    what: "a Router that does not compare Fences when it swaps",
    contract: "Router",
    violates: ["INV-2 a swap under", "INV-2 of several swaps", "INV-6", "H22"],
    layer: altered(Router, (_, { routes }) => ({
      swap: ({ address, app, fence }) => Effect.sync(() => void routes.set(app, { fence, address }))
    }))
  },
  {
    what: "a Router that ends routes under any Fence",
    contract: "Router",
    violates: ["INV-2 a route is ended"],
    layer: altered(Router, (original, { routes }) => ({
      remove: (app, fence) => original.remove(app, Fence.make(Math.max(fence, routes.get(app)?.fence ?? 0)))
    }))
  },
  {
    what: "a Router that fails to end a route that is not there",
    contract: "Router",
    violates: ["H22", "H14"],
    layer: altered(Router, (original, { routes }) => ({
      remove: (app, fence) =>
        routes.get(app)?.address === undefined
          ? Effect.fail(new RouterError({ reason: "unavailable", detail: "there is no such route" }))
          : original.remove(app, fence)
    }))
  },
  {
    what: "a Router that ends only what it has begun",
    contract: "Router",
    violates: ["H22"],
    layer: altered(Router, (original, { routes }) => ({
      remove: (app, fence) => (routes.has(app) ? original.remove(app, fence) : Effect.void)
    }))
  },
  {
    what: "a Router that ends the route of which it waits for requests",
    contract: "Router",
    violates: ["X2 waiting for requests"],
    layer: altered(Router, (_, { routes }) => ({ drain: (app) => Effect.sync(() => void routes.delete(app)) }))
  },
  {
    what: "a Router with one route for all Apps",
    contract: "Router",
    violates: ["Router-2"],
    layer: altered(Router, (original) => ({
      swap: (route) => original.swap({ ...route, app: everyApp }),
      current: () => original.current(everyApp),
      remove: (_, fence) => original.remove(everyApp, fence)
    }))
  }
]

/** Broken RouteStores. */
export const brokenRouteStores: ReadonlyArray<Broken> = [
  {
    what: "a RouteStore that forgets a route that leads nowhere",
    contract: "RouteStore",
    violates: ["RouteStore-1", "INV-6"],
    layer: altered(RouteStore, (original, { routeStates }) => ({
      put: (route) =>
        Effect.tap(original.put(route), () =>
          Effect.sync(() => route.address === null && routeStates.delete(route.app))
        )
    }))
  },
  {
    what: "a RouteStore that ends only what it has",
    contract: "RouteStore",
    violates: ["H22"],
    layer: altered(RouteStore, (original, { routeStates }) => ({
      end: (app, fence) => (routeStates.has(app) ? original.end(app, fence) : Effect.succeed(undefined))
    }))
  },
  {
    what: "a RouteStore that ends routes under any Fence",
    contract: "RouteStore",
    violates: ["INV-2 a route is ended"],
    layer: altered(RouteStore, (original, { routeStates }) => ({
      end: (app, fence) => original.end(app, Fence.make(Math.max(fence, routeStates.get(app)?.fence ?? 0)))
    }))
  },
  {
    what: "a RouteStore that takes what it has ended for carried out",
    contract: "RouteStore",
    violates: ["RouteStore-6"],
    layer: altered(RouteStore, (original, { routeStates }) => ({
      end: (app, fence) =>
        Effect.tap(original.end(app, fence), () =>
          Effect.sync(() => {
            const row = routeStates.get(app)
            if (row !== undefined) routeStates.set(app, { ...row, progress: "drained" })
          })
        )
    }))
  },
  {
    what: "a RouteStore that does not compare Fences",
    contract: "RouteStore",
    violates: ["INV-2 an older Fence", "INV-6", "H22", "INV-2 of several decisions"],
    layer: altered(RouteStore, (original, { routeStates }) => ({
      put: (route) =>
        Effect.andThen(
          Effect.sync(() => routeStates.delete(route.app)),
          original.put(route)
        )
    }))
  },
  {
    what: "a RouteStore that answers the version it was asked to start after",
    contract: "RouteStore",
    violates: ["RouteStore-2"],
    layer: altered(RouteStore, (original) => ({
      since: (version) => original.since(RouteVersion.make(version - 1))
    }))
  },
  {
    what: "a RouteStore whose versions are seen in another order than they were given",
    contract: "RouteStore",
    violates: ["RouteStore-3"],
    layer: altered(RouteStore, (_, state) => ({
      put: Effect.fnUntraced(function* (route) {
        const version = RouteVersion.make(++state.sequence)
        yield* Effect.repeat(Effect.yieldNow, { times: version % 3 })
        const newest = state.routeStates.get(route.app)?.fence
        if (newest !== undefined && newest > route.fence) return yield* new RouteStale({ app: route.app, newest })
        state.routeStates.set(route.app, { ...route, version, progress: "wanted" })
        return version
      })
    }))
  },
  {
    what: "a RouteStore whose new versions are as far as the last one was",
    contract: "RouteStore",
    violates: ["RouteStore-4"],
    layer: altered(RouteStore, (original, { routeStates }) => ({
      put: (route) =>
        Effect.suspend(() => {
          const before = routeStates.get(route.app)
          return Effect.tap(original.put(route), () =>
            Effect.sync(() => {
              const row = routeStates.get(route.app)
              if (row !== undefined && before !== undefined) {
                routeStates.set(route.app, { ...row, progress: before.progress })
              }
            })
          )
        })
    }))
  },
  {
    what: "a RouteStore that believes reports of older versions",
    contract: "RouteStore",
    violates: ["RouteStore-5"],
    layer: altered(RouteStore, (original, { routeStates }) => ({
      report: (app, _, progress) =>
        original.report(app, routeStates.get(app)?.version ?? RouteVersion.make(0), progress)
    }))
  }
]
