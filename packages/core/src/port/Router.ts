// Leads an App's one address to the Workload that serves it.
import { Context, Effect, Layer, Schema } from "effect"
import type { AppId, HostPort } from "../domain/App.ts"
import type { Fence } from "../domain/Lease.ts"
import type { Address } from "../domain/Workload.ts"
import { MemoryState } from "./MemoryState.ts"

/**
 * Traffic was not switched. `port_conflict`: something else listens on the App's port, and it goes where it went before;
 * `stale`: a newer Fence has switched it already; `unavailable`: whoever holds the router did not answer in time, and where
 * the traffic goes is for {@link Router} `current` to say.
 */
export class RouterError extends Schema.TaggedError<RouterError>()("RouterError", {
  reason: Schema.Literals(["port_conflict", "stale", "unavailable"]),
  detail: Schema.String
}) {
  override readonly message = this.detail
}

/** Where an App's host port leads, and the Fence under which that was decided. */
export interface Route {
  readonly app: AppId
  readonly hostPort: HostPort
  readonly fence: Fence
  readonly address: Address
}

/** Routes traffic. */
export class Router extends Context.Service<
  Router,
  {
    /** Leads new requests to the route's address; when this succeeds they go there, and connections in use go on. */
    readonly swap: (route: Route) => Effect.Effect<void, RouterError>
    /** Where an App's traffic goes now. */
    readonly current: (app: AppId) => Effect.Effect<Route["address"] | undefined, RouterError>
    /** Waits, bounded, until requests that went elsewhere before the App's last swap have been answered. */
    readonly drain: (app: AppId) => Effect.Effect<void>
    /** Ends an App's route if it is of this Fence or an older one; its port is free. */
    readonly remove: (app: AppId, fence: Fence) => Effect.Effect<void, RouterError>
  }
>()("@lockkeeper/core/port/Router") {
  /** Routes that are only remembered. */
  static readonly layerMemory: Layer.Layer<Router, never, MemoryState> = Layer.effect(
    Router,
    Effect.gen(function* () {
      const { routes } = yield* MemoryState

      const swap = Effect.fnUntraced(function* ({ app, fence, address }: Route) {
        if ((routes.get(app)?.fence ?? 0) > fence) {
          return yield* new RouterError({ reason: "stale", detail: `${app} was switched under a newer fence` })
        }
        routes.set(app, { fence, address })
      })

      return Router.of({
        swap,
        current: (app) => Effect.sync(() => routes.get(app)?.address),
        drain: () => Effect.void,
        remove: (app, fence) =>
          Effect.sync(() => {
            if ((routes.get(app)?.fence ?? 0) <= fence) routes.set(app, { fence, address: undefined })
          })
      })
    })
  )
}
