// Switching an App's traffic so that it can be switched back.
import { Effect, Ref, type Scope } from "effect"
import type { Address } from "../domain/Workload.ts"
import { type Route, Router, RouterError } from "../port/Router.ts"
import { backoff } from "./backoff.ts"

/**
 * Leads the traffic to a new address. Unless `kept` is true when the Scope closes, it is led back to `previous`, and that
 * is read back; also when the switch failed or ended by a defect, since it may have been made and its answer lost. When it
 * cannot be led back, `kept` becomes true: what the traffic goes to must stay, until the Reaper has led it back.
 */
export const switchTo = Effect.fn("switchTo")(function* (
  route: Route,
  previous: Address | undefined,
  kept: Ref.Ref<boolean>
): Effect.fn.Return<void, RouterError, Router | Scope.Scope> {
  const router = yield* Router
  const isNewer = yield* Ref.make(false)
  const undo = Effect.catchCause(settledBack(route, previous), (cause) =>
    Effect.andThen(Effect.logError(`traffic of ${route.app} was not switched back`, cause), Ref.set(kept, true))
  )
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      if (!(yield* Ref.get(kept)) && !(yield* Ref.get(isNewer))) yield* undo
    })
  )
  yield* Effect.uninterruptible(
    Effect.tapError(router.swap(route), ({ reason }) => Ref.set(isNewer, reason === "stale"))
  )
})

/** Leads the traffic back and reads where it goes then. Where it went to the new address before, nothing served there. */
const settledBack = Effect.fnUntraced(function* (
  route: Route,
  previous: Address | undefined
): Effect.fn.Return<void, RouterError, Router> {
  const router = yield* Router
  yield* switchBack(route, isSameAddress(previous, route.address) ? undefined : previous)
  if (isSameAddress(yield* router.current(route.app), route.address)) {
    const detail = `the traffic of ${route.app} still goes where it was led back from`
    return yield* new RouterError({ reason: "unavailable", detail })
  }
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
