// The Router as a reverse proxy inside the servers. Any replica writes down what is wanted; the one that holds the
// `router` lease listens on the Apps' ports, carries it out and reports, and the one that asked waits for the report.
import type { AppId } from "@lockkeeper/core/domain/App"
import { areSoundTerms, type Fence, type ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { Leases } from "@lockkeeper/core/port/Leases"
import { type Route, Router, RouterError } from "@lockkeeper/core/port/Router"
import type { RouteState, RouteVersion } from "@lockkeeper/core/domain/Route"
import { type RouteStale, RouteStore } from "@lockkeeper/core/port/RouteStore"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Duration, Effect, Layer, type Scope } from "effect"
import { hold } from "./internal/proxyHolder.ts"
import { makeSignal } from "./internal/proxySignal.ts"

/**
 * Says how a replica takes part in routing.
 *
 * `host` is where Apps are listened for (127.0.0.1). `leaseTtl` is after how long another replica takes over from one
 * that is gone (10 s), renewed every `renewEvery` (by default three tenths of it, never more than a third). `pollEvery`
 * is how often the store is asked for what other replicas wrote (250 ms). `applyTimeout` bounds the wait for a switch,
 * `drainTimeout` the wait for requests that went elsewhere before (10 s each).
 */
export interface ProxyRouterOptions {
  readonly replica: ReplicaId
  readonly host?: string | undefined
  readonly leaseTtl?: Duration.Input | undefined
  readonly renewEvery?: Duration.Input | undefined
  readonly pollEvery?: Duration.Input | undefined
  readonly applyTimeout?: Duration.Input | undefined
  readonly drainTimeout?: Duration.Input | undefined
}

const limits = { connect: 5_000, headers: 60_000 }

const durationsOf = (options: ProxyRouterOptions) => {
  const ttl = Duration.fromInputUnsafe(options.leaseTtl ?? "10 seconds")
  return {
    terms: { ttl, renewEvery: Duration.fromInputUnsafe(options.renewEvery ?? Duration.times(ttl, 0.3)) },
    pollEvery: Duration.fromInputUnsafe(options.pollEvery ?? "250 millis"),
    applyTimeout: Duration.fromInputUnsafe(options.applyTimeout ?? "10 seconds"),
    drainTimeout: Duration.fromInputUnsafe(options.drainTimeout ?? "10 seconds")
  }
}

const unavailable = (detail: string) => new RouterError({ reason: "unavailable", detail })

const storeFailed = ({ message }: StoreError) => unavailable(message)

/**
 * Makes the Router of a replica and takes part in holding the `router` lease until the end of the scope, which frees the
 * ports, ends their connections after a second of grace and gives the lease back. Dies when `renewEvery` leaves no room
 * for two missed renewals.
 */
export const make = Effect.fnUntraced(function* (
  options: ProxyRouterOptions
): Effect.fn.Return<Router["Service"], never, RouteStore | Leases | Scope.Scope> {
  const { terms, pollEvery, applyTimeout, drainTimeout } = durationsOf(options)
  if (!areSoundTerms(terms)) return yield* Effect.die("the router's lease is to be renewed thrice within its ttl")

  const store = yield* RouteStore
  const wake = makeSignal()
  const reported = makeSignal()
  const { replica, host = "127.0.0.1" } = options
  yield* Effect.forkScoped(hold({ replica, host, limits, terms, pollEvery, drainTimeout, wake, reported }))

  /** The route of an App as soon as it is as asked. A store that is away for a moment is asked again. */
  const when = Effect.fnUntraced(function* (app: AppId, isAsAsked: (row: RouteState | undefined) => boolean) {
    while (true) {
      const changed = reported.next()
      const found = yield* Effect.result(store.get(app))
      if (found._tag === "Success" && isAsAsked(found.success)) return found.success
      yield* Effect.raceFirst(changed, Effect.sleep(pollEvery))
    }
  })

  const isCarriedOut = (row: RouteState | undefined) => row?.progress !== "wanted"

  /** Writes down what is wanted and waits until the holder did it, or says why not. */
  const apply = (app: AppId, write: Effect.Effect<RouteVersion | undefined, RouteStale | StoreError>) =>
    Effect.gen(function* () {
      const version = yield* write
      if (version === undefined) return
      wake.notify()
      const row = yield* when(app, (row) => row?.version !== version || isCarriedOut(row))
      if (row?.version !== version) {
        return yield* new RouterError({ reason: "stale", detail: `${app} was switched anew meanwhile` })
      }
      if (row.progress === "port_conflict") {
        return yield* new RouterError({
          reason: "port_conflict",
          detail: `port ${row.hostPort} is used by another program`
        })
      }
    }).pipe(
      Effect.catchTags({
        StoreError: (error) => Effect.fail(storeFailed(error)),
        RouteStale: ({ newest }) =>
          Effect.fail(new RouterError({ reason: "stale", detail: `${app} was switched under fence ${newest}` }))
      }),
      Effect.timeoutOrElse({
        duration: applyTimeout,
        orElse: () => Effect.fail(unavailable(`nobody switched ${app} within ${Duration.format(applyTimeout)}`))
      })
    )

  /** Makes what was wanted before `route` wanted again, unless somebody else decided since. */
  const putBack = (route: Route, before: RouteState | undefined) =>
    Effect.gen(function* () {
      const now = yield* store.get(route.app)
      if (now === undefined || now.fence !== route.fence || now.address === null) return
      if (now.address.host !== route.address.host || now.address.port !== route.address.port) return
      const { app, fence } = route
      yield* store.put({ app, fence, hostPort: (before ?? route).hostPort, address: before?.address ?? null })
      wake.notify()
    }).pipe(
      Effect.timeout(applyTimeout),
      Effect.tapError((cause) => Effect.logWarning("a route that was not switched could not be put back", cause)),
      Effect.mapError(() => unavailable(`whether ${route.app} was switched is not known`))
    )

  const swap = Effect.fn("Router.swap")(function* (route: Route): Effect.fn.Return<void, RouterError> {
    const before = yield* Effect.mapError(store.get(route.app), storeFailed)
    yield* apply(route.app, store.put(route)).pipe(
      Effect.tapError(({ reason }) => (reason === "stale" ? Effect.void : putBack(route, before))),
      Effect.onInterrupt(() => Effect.ignore(putBack(route, before)))
    )
  })

  const current = Effect.fn("Router.current")(function* (
    app: AppId
  ): Effect.fn.Return<Route["address"] | undefined, RouterError> {
    const row = yield* when(app, isCarriedOut).pipe(
      Effect.timeoutOrElse({
        duration: applyTimeout,
        orElse: () => Effect.fail(unavailable(`nobody said within ${Duration.format(applyTimeout)} where ${app} leads`))
      })
    )
    return row?.progress === "port_conflict" ? undefined : (row?.address ?? undefined)
  })

  const drain = Effect.fn("Router.drain")(function* (app: AppId): Effect.fn.Return<void> {
    const isDrained = (row: RouteState | undefined) =>
      row === undefined || row.progress === "drained" || row.progress === "port_conflict"
    yield* Effect.timeoutOption(when(app, isDrained), drainTimeout)
  })

  const remove = Effect.fn("Router.remove")(function* (app: AppId, fence: Fence): Effect.fn.Return<void, RouterError> {
    yield* Effect.catchIf(
      apply(app, store.end(app, fence)),
      ({ reason }) => reason === "stale",
      () => Effect.void
    )
  })

  return Router.of({ swap, current, drain, remove })
})

/** Provides the Router of a replica; see {@link make}. */
export const layer = (options: ProxyRouterOptions): Layer.Layer<Router, never, RouteStore | Leases> =>
  Layer.effect(Router, make(options))
