// Switching an App's traffic so that it can be switched back.
import { Effect } from "effect"
import type { Address } from "../domain/Workload.ts"
import { type Route, Router, type RouterError } from "../port/Router.ts"

/** Leads the traffic to a new address and answers where it went before. */
export const switchTo = Effect.fn("switchTo")(function* (
  route: Route
): Effect.fn.Return<Address | undefined, RouterError, Router> {
  const router = yield* Router
  const previous = yield* router.current(route.app)
  yield* router.swap(route)
  return previous
})

/** Leads the traffic back to where it went before; to nowhere if that is where it went. A newer Fence's route stays. */
export const switchBack = Effect.fn("switchBack")(function* (
  route: Omit<Route, "address">,
  previous: Address | undefined
): Effect.fn.Return<void, never, Router> {
  const router = yield* Router
  const back = previous === undefined ? router.remove(route.app, route.fence) : router.swap({ ...route, address: previous })
  yield* Effect.catch(back, (error) =>
    error.reason === "stale" ? Effect.void : Effect.logError(`traffic of ${route.app} was not switched back`, error)
  )
})
