// Switching an App's traffic so that it can be switched back.
import { Effect, type Scope } from "effect"
import type { Address } from "../domain/Workload.ts"
import { type Route, Router, type RouterError } from "../port/Router.ts"
import { backoff } from "./backoff.ts"

/**
 * Leads the traffic to a new address. Unless `kept` says so when the Scope closes, it is led back to `previous`; also when
 * the switch itself went wrong, since its answer may have been lost.
 */
export const switchTo = Effect.fn("switchTo")(function* (
  route: Route,
  previous: Address | undefined,
  kept: Effect.Effect<boolean>
): Effect.fn.Return<void, RouterError, Router | Scope.Scope> {
  const router = yield* Router
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(kept, (isKept) =>
      isKept
        ? Effect.void
        : Effect.catchCause(switchBack(route, previous), (cause) =>
            Effect.logError(`traffic of ${route.app} was not switched back`, cause)
          )
    )
  )
  yield* Effect.uninterruptible(router.swap(route))
})

/**
 * Leads the traffic back to where it went before; to nowhere if that is where it went. A newer Fence's route stays. Tries
 * for some seconds while the router is away.
 */
export const switchBack = Effect.fn("switchBack")(function* (
  { app, hostPort, fence }: Omit<Route, "address">,
  previous: Address | undefined
): Effect.fn.Return<void, RouterError, Router> {
  const router = yield* Router
  const back =
    previous === undefined ? router.remove(app, fence) : router.swap({ app, hostPort, fence, address: previous })
  yield* back.pipe(
    Effect.retry({
      while: (error) => error.reason === "unavailable",
      schedule: backoff("50 millis", "2 seconds"),
      times: 10
    }),
    Effect.catch((error) => (error.reason === "stale" ? Effect.void : Effect.fail(error)))
  )
})
