// Switching an App's traffic so that it can be switched back.
import { Effect, Ref, type Scope } from "effect"
import type { Address } from "../domain/Workload.ts"
import { type Route, Router, type RouterError } from "../port/Router.ts"
import { backoff } from "./backoff.ts"

/**
 * Leads the traffic to a new address. Unless `kept` is true when the Scope closes, it is led back to `previous`; also when
 * the switch ended by a defect, since it may have been made. When it cannot be led back, `kept` becomes true: what the
 * traffic goes to must stay, until the Reaper has led it back.
 */
export const switchTo = Effect.fn("switchTo")(function* (
  route: Route,
  previous: Address | undefined,
  kept: Ref.Ref<boolean>
): Effect.fn.Return<void, RouterError, Router | Scope.Scope> {
  const router = yield* Router
  const refused = yield* Ref.make(false)
  const undo = Effect.catchCause(switchBack(route, previous), (cause) =>
    Effect.andThen(Effect.logError(`traffic of ${route.app} was not switched back`, cause), Ref.set(kept, true))
  )
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      if (!(yield* Ref.get(kept)) && !(yield* Ref.get(refused))) yield* undo
    })
  )
  yield* Effect.uninterruptible(Effect.tapError(router.swap(route), () => Ref.set(refused, true)))
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

/** Whether both are known and lead to the same place. */
export const isSameAddress = (one: Address | undefined, other: Address | undefined): boolean =>
  one !== undefined && one.host === other?.host && one.port === other.port
