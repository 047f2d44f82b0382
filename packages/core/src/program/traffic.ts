// Switching an App's traffic so that it can be switched back.
import { Effect, Ref, type Scope } from "effect"
import type { AppId } from "../domain/App.ts"
import type { Address } from "../domain/Workload.ts"
import type { Serving } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { type Intent, Journal } from "../port/Journal.ts"
import { type Route, Router, RouterError } from "../port/Router.ts"
import { backoff } from "./backoff.ts"

/**
 * Leads the traffic to a new address. Unless `kept` is true when the Scope closes, it is led back to what serves then,
 * which is `previous` where that cannot be told, and that is read back; also when the switch failed or ended by a defect, since it may have been made and its answer lost. When it
 * cannot be led back, `kept` becomes true: what the traffic goes to must stay, until the Reaper has led it back.
 */
export const switchTo = Effect.fn("switchTo")(function* (
  route: Route,
  previous: Address | undefined,
  kept: Ref.Ref<boolean>
): Effect.fn.Return<void, RouterError, DeploymentStore | Journal | Router | Scope.Scope> {
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
): Effect.fn.Return<void, RouterError, DeploymentStore | Journal | Router> {
  const router = yield* Router
  const back = previous === undefined ? undefined : ((yield* replacing(route.app)) ?? previous)
  yield* switchBack(route, isSameAddress(back, route.address) ? undefined : back)
  if (isSameAddress(yield* router.current(route.app), route.address)) {
    const detail = `the traffic of ${route.app} still goes where it was led back from`
    return yield* new RouterError({ reason: "unavailable", detail })
  }
})

/**
 * Where the Workload is that serves an App. Since the traffic was switched under a newer Fence nobody replaces it any more,
 * but the Reconciler may have done so just before.
 */
const replacing = Effect.fnUntraced(function* (
  app: AppId
): Effect.fn.Return<Address | undefined, never, DeploymentStore | Journal> {
  const store = yield* DeploymentStore
  const journal = yield* Journal
  const told = Effect.gen(function* () {
    const serving = (yield* store.serving).find((candidate) => candidate.app.id === app)
    return addressOf(serving, yield* journal.held(app))
  })
  return yield* told.pipe(
    Effect.retry({
      while: ({ reason }) => reason === "unavailable",
      schedule: backoff("50 millis", "1 second"),
      times: 3
    }),
    Effect.catch((error) => Effect.as(Effect.logWarning(`what serves ${app} could not be read`, error), undefined))
  )
})

/** Where the newest Workload is of the Release that serves. */
export const addressOf = (serving: Serving | undefined, held: ReadonlyArray<Intent>): Address | undefined =>
  held.findLast((intent) => intent.work === serving?.deployment && intent.workload !== null)?.workload?.address

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
