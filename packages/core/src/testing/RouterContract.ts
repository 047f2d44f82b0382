// What every Router keeps: traffic goes where the newest Fence said, and no late switch or removal undoes that.
// Whether requests really arrive is for the tests of a Router that listens. App host ports must be free on this machine.
import { Effect } from "effect"
import { type App, HostPort } from "../domain/App.ts"
import { Fence } from "../domain/Lease.ts"
import { Address, IpAddress } from "../domain/Workload.ts"
import type { AppStore } from "../port/AppStore.ts"
import { Router } from "../port/Router.ts"
import { type Contract, equal, law, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const at = (port: number): Address => Address.make({ host: IpAddress.make("127.0.0.1"), port: HostPort.make(port) })

const swap = Effect.fnUntraced(function* (app: App, fence: number, port: number) {
  const router = yield* Router
  yield* router.swap({ app: app.id, hostPort: app.hostPort, fence: Fence.make(fence), address: at(port) })
})

const current = Effect.fnUntraced(function* (app: App) {
  const router = yield* Router
  return yield* router.current(app.id)
})

const remove = Effect.fnUntraced(function* (app: App, fence: number) {
  const router = yield* Router
  yield* router.remove(app.id, Fence.make(fence))
})

/** A law about one new App, whose route is ended in the end. */
const routing = <E, R>(id: string, text: string, check: (app: App) => Effect.Effect<void, E, R>) =>
  law(
    id,
    text,
    Effect.flatMap(Given.registered(), (app) => Effect.ensuring(check(app), Effect.ignore(remove(app, 1_000))))
  )

/** The laws of {@link Router}. */
export const RouterContract: Contract<Router | AppStore> = [
  routing("X2", "an App's traffic goes nowhere before the first swap, and where the last one said after it", (app) =>
    Effect.gen(function* () {
      yield* equal("where the traffic goes", yield* current(app), undefined)
      yield* swap(app, 1, 31_001)
      yield* equal("where the traffic goes", yield* current(app), at(31_001))
      yield* swap(app, 2, 31_002)
      yield* equal("where the traffic goes", yield* current(app), at(31_002))
    })
  ),

  routing("Router-1", "a holder may swap again under its Fence, and repeating a swap changes nothing", (app) =>
    Effect.gen(function* () {
      yield* swap(app, 1, 31_001)
      yield* swap(app, 1, 31_001)
      yield* equal("where the traffic goes", yield* current(app), at(31_001))
      yield* swap(app, 1, 31_002)
      yield* equal("where the traffic goes", yield* current(app), at(31_002))
    })
  ),

  routing("INV-2", "a swap under an older Fence is refused as stale, and traffic goes where it went", (app) =>
    Effect.gen(function* () {
      yield* swap(app, 5, 31_005)
      const { reason } = yield* refused("RouterError", swap(app, 4, 31_004))
      yield* equal("the reason", reason, "stale")
      yield* equal("where the traffic goes", yield* current(app), at(31_005))
    })
  ),

  routing("INV-2", "of several swaps at the same time that of the newest Fence stands", (app) =>
    Effect.gen(function* () {
      const swaps = [3, 8, 1, 6, 2, 7, 5, 4].map((fence) => Effect.result(swap(app, fence, 31_000 + fence)))
      yield* Effect.all(swaps, { concurrency: "unbounded" })
      yield* equal("where the traffic goes", yield* current(app), at(31_008))
    })
  ),

  routing("INV-2", "a route is ended by its own Fence or a newer one, and by no older one", (app) =>
    Effect.gen(function* () {
      yield* swap(app, 2, 31_002)
      yield* remove(app, 1)
      yield* equal("where the traffic goes", yield* current(app), at(31_002))
      yield* remove(app, 2)
      yield* equal("where the traffic goes", yield* current(app), undefined)
      yield* swap(app, 3, 31_003)
      yield* equal("where the traffic goes", yield* current(app), at(31_003))
      yield* remove(app, 9)
      yield* equal("where the traffic goes", yield* current(app), undefined)
    })
  ),

  routing("INV-6", "a route that was ended is not brought back under an older Fence", (app) =>
    Effect.gen(function* () {
      yield* swap(app, 1, 31_001)
      yield* remove(app, 3)
      const { reason } = yield* refused("RouterError", swap(app, 2, 31_002))
      yield* equal("the reason", reason, "stale")
      yield* equal("where the traffic goes", yield* current(app), undefined)
    })
  ),

  routing("H22", "a route that was ended before there was one is not made under an older Fence", (app) =>
    Effect.gen(function* () {
      yield* remove(app, 3)
      const { reason } = yield* refused("RouterError", swap(app, 2, 31_002))
      yield* equal("the reason", reason, "stale")
      yield* equal("where the traffic goes", yield* current(app), undefined)
      yield* swap(app, 4, 31_004)
      yield* equal("where the traffic goes", yield* current(app), at(31_004))
    })
  ),

  routing("H14", "ending a route twice, or one that never was, is no error", (app) =>
    Effect.gen(function* () {
      yield* remove(app, 1)
      yield* swap(app, 1, 31_001)
      yield* remove(app, 1)
      yield* remove(app, 1)
      yield* equal("where the traffic goes", yield* current(app), undefined)
    })
  ),

  routing("X2", "waiting for requests ends where there are none, with a route and without", (app) =>
    Effect.gen(function* () {
      const router = yield* Router
      yield* router.drain(app.id)
      yield* swap(app, 1, 31_001)
      yield* swap(app, 2, 31_002)
      yield* router.drain(app.id)
      yield* equal("where the traffic goes", yield* current(app), at(31_002))
    })
  ),

  routing("Router-2", "the routes of two Apps have nothing to do with each other", (app) =>
    Effect.gen(function* () {
      const other = yield* Given.registered()
      yield* swap(app, 1, 31_001)
      yield* swap(other, 7, 31_007)
      yield* remove(other, 7)
      yield* equal("where the first App's traffic goes", yield* current(app), at(31_001))
      yield* equal("where the other App's traffic goes", yield* current(other), undefined)
    })
  )
]
