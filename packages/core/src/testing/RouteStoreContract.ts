// What every store of routes keeps: the newest Fence decides, versions have one order for all readers, and a late report
// never speaks for a newer version.
import { Effect } from "effect"
import { type App, AppId, HostPort } from "../domain/App.ts"
import { Fence } from "../domain/Lease.ts"
import { Address, IpAddress } from "../domain/Workload.ts"
import type { AppStore } from "../port/AppStore.ts"
import { type RouteState, type RouteVersion } from "../domain/Route.ts"
import { RouteStore } from "../port/RouteStore.ts"
import { type Contract, equal, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index + 1)

const at = (port: number): Address => Address.make({ host: IpAddress.make("127.0.0.1"), port: HostPort.make(port) })

const routeOf = (app: App, fence: number, address: Address | null = at(30_000 + fence)) => ({
  app: app.id,
  hostPort: app.hostPort,
  fence: Fence.make(fence),
  address
})

const put = Effect.fnUntraced(function* (app: App, fence: number, address?: Address | null) {
  const routes = yield* RouteStore
  return yield* routes.put(routeOf(app, fence, address))
})

const end = Effect.fnUntraced(function* (app: App, fence: number) {
  const routes = yield* RouteStore
  return yield* routes.end(app.id, Fence.make(fence))
})

/** The laws of {@link RouteStore}. */
export const RouteStoreContract: Contract<RouteStore | AppStore> = [
  law(
    "RouteStore-1",
    "what is decided is kept, wanted and not yet carried out",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const app = yield* Given.registered()
      yield* equal("the route before", yield* routes.get(app.id), undefined)
      const version = yield* put(app, 1)
      const expected: RouteState = { ...routeOf(app, 1), version, progress: "wanted" }
      yield* equal("the route", yield* routes.get(app.id), expected)
      const ended = yield* put(app, 2, null)
      yield* equal("the route to nowhere", yield* routes.get(app.id), {
        ...routeOf(app, 2, null),
        version: ended,
        progress: "wanted"
      })
    })
  ),

  law(
    "INV-2",
    "an older Fence than the last one is told the newest and changes nothing, the same and newer ones decide",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const app = yield* Given.registered()
      const first = yield* put(app, 5)
      const before = yield* routes.get(app.id)
      for (const fence of [4, 0]) {
        const stale = yield* refused("RouteStale", put(app, fence))
        yield* equal("the refusal", [stale.app, Number(stale.newest)], [app.id, 5])
      }
      yield* equal("the route", yield* routes.get(app.id), before)
      const again = yield* put(app, 5, at(31_000))
      const newer = yield* put(app, 6)
      yield* holds("growing versions", first < again && again < newer, [first, again, newer])
      yield* equal("the route's Fence", Number((yield* routes.get(app.id))?.fence), 6)
    })
  ),

  law(
    "INV-6",
    "a route that was ended is not brought back under an older Fence",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const app = yield* Given.registered()
      yield* put(app, 1)
      yield* put(app, 3, null)
      yield* refused("RouteStale", put(app, 2))
      yield* equal("where the traffic goes", (yield* present("a route", yield* routes.get(app.id))).address, null)
    })
  ),

  law(
    "H22",
    "a route that was ended before there was one is not made under an older Fence, and there is nothing to carry out",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const app = yield* Given.registered()
      const version = yield* present("a version", yield* end(app, 3))
      const expected: RouteState = { ...routeOf(app, 3, null), version, progress: "drained" }
      yield* equal("the route", yield* routes.get(app.id), expected)
      yield* refused("RouteStale", put(app, 2))
      yield* equal("the route after a late decision", yield* routes.get(app.id), expected)
      yield* equal("the end for no App", yield* routes.end(AppId.make("app_nowhere"), Fence.make(1)), undefined)
    })
  ),

  law(
    "INV-2",
    "a route is ended by its own Fence or a newer one, and by no older one",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const app = yield* Given.registered()
      yield* put(app, 2)
      const before = yield* routes.get(app.id)
      const stale = yield* refused("RouteStale", end(app, 1))
      yield* equal("the refusal", [stale.app, Number(stale.newest)], [app.id, 2])
      yield* equal("the route", yield* routes.get(app.id), before)
      for (const fence of [2, 3]) {
        yield* end(app, fence)
        const route = yield* present("a route", yield* routes.get(app.id))
        yield* equal("the ended route", [Number(route.fence), route.address], [fence, null])
      }
    })
  ),

  law(
    "RouteStore-6",
    "the end of a route is wanted until it is carried out, under a new version",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const app = yield* Given.registered()
      const version = yield* put(app, 1)
      yield* routes.report(app.id, version, "drained")
      const ended = yield* present("a version", yield* end(app, 2))
      yield* holds("a growing version", version < ended, [version, ended])
      yield* equal("the route", yield* routes.get(app.id), {
        ...routeOf(app, 2, null),
        version: ended,
        progress: "wanted"
      })
    })
  ),

  law(
    "INV-2",
    "of several decisions at the same time the newest Fence stands",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const app = yield* Given.registered()
      yield* together([3, 8, 1, 6, 2, 7, 5, 4].map((fence) => put(app, fence)))
      const route = yield* present("a route", yield* routes.get(app.id))
      yield* equal("the route", [Number(route.fence), route.address?.port], [8, 30_008])
    })
  ),

  law(
    "RouteStore-2",
    "the routes that changed after a version are answered in the order of their versions, each as it is now",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const [one, two, three] = [yield* Given.registered(), yield* Given.registered(), yield* Given.registered()]
      const start = yield* put(one, 1)
      yield* put(two, 1)
      yield* put(three, 1)
      yield* put(two, 2)
      const ours = new Set<string>([one.id, two.id, three.id])
      const changes = (yield* routes.since(start)).filter((route) => ours.has(route.app))
      yield* equal(
        "what changed",
        changes.map(({ app, fence }) => [app, Number(fence)]),
        [
          [three.id, 1],
          [two.id, 2]
        ]
      )
      const versions = changes.map(({ version }) => Number(version))
      yield* holds(
        "growing versions after the first",
        versions.every((version, index) => version > (versions[index - 1] ?? start)),
        versions
      )
      const last = yield* present("a last change", changes.at(-1))
      const after = (yield* routes.since(last.version)).filter((route) => ours.has(route.app))
      yield* equal("what changed after the last", after, [])
    })
  ),

  law(
    "RouteStore-3",
    "a reader that follows the versions while twelve decide misses no route",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const apps = yield* Given.registeredTogether(12)
      const start = yield* put(yield* Given.registered(), 1)
      const seen = new Map<string, RouteState>()
      let last: RouteVersion = start
      const look = Effect.gen(function* () {
        for (const route of yield* routes.since(last)) {
          seen.set(route.app, route)
          last = route.version
        }
      })
      const decide = Effect.forEach(apps, (app) => Effect.forEach(numbers(4), (fence) => put(app, fence)), {
        concurrency: "unbounded"
      })
      yield* Effect.all([decide, Effect.forEach(numbers(20), () => Effect.andThen(look, Effect.yieldNow))], {
        concurrency: "unbounded"
      })
      yield* put(yield* Given.registered(), 1)
      yield* look
      const fences = apps.map((app) => Number(seen.get(app.id)?.fence))
      yield* equal(
        "the Fences that were seen",
        fences,
        apps.map(() => 4)
      )
    })
  ),

  law(
    "RouteStore-4",
    "a report says how far a version was carried out, and a new version is wanted again",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const app = yield* Given.registered()
      const version = yield* put(app, 1)
      for (const progress of ["applied", "drained", "port_conflict"] as const) {
        yield* routes.report(app.id, version, progress)
        yield* equal("the route", yield* routes.get(app.id), { ...routeOf(app, 1), version, progress })
      }
      yield* put(app, 2)
      yield* equal("the progress of the new version", (yield* routes.get(app.id))?.progress, "wanted")
    })
  ),

  law(
    "RouteStore-5",
    "a report of an older version, or of an App without a route, changes nothing",
    Effect.gen(function* () {
      const routes = yield* RouteStore
      const [app, routeless] = [yield* Given.registered(), yield* Given.registered()]
      const old = yield* put(app, 1)
      const version = yield* put(app, 2)
      yield* routes.report(app.id, old, "applied")
      yield* routes.report(routeless.id, version, "applied")
      const expected: RouteState = { ...routeOf(app, 2), version, progress: "wanted" }
      yield* equal("the route", yield* routes.get(app.id), expected)
      yield* equal("the route of the other App", yield* routes.get(routeless.id), undefined)
    })
  )
]
