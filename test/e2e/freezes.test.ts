// A real server is frozen exactly at a failpoint that a deploy reaches, for longer than its lease. Another server takes over
// and tells how the Deployment ended; when the first one goes on, it changes nothing of that, and lets go of what it made.

import { assert, layer, vi } from "@effect/vitest"
import type { Source } from "@lockkeeper/core/domain/Source"
import { Context, Effect, Layer } from "effect"
import { isDeepStrictEqual } from "node:util"
import { describeWith } from "../harness/capability.ts"
import { ask, begin, deployedApp, ended, makeApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { type Commanded, startCommandedAt } from "../harness/failpoints.ts"
import { byFlavour, flavour } from "../harness/flavour.ts"
import { atRest, type Footprint } from "../harness/footprint.ts"
import { GitWorld } from "../harness/gitWorld.ts"
import { shuffled, soak, tryUntil } from "../harness/sample.ts"
import { makePlace, stopServer } from "../harness/server.ts"
import { goodApp } from "../harness/testApp.ts"
import { footprint, type Running, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 180_000 })

const faults = ["is frozen before", "is frozen after"] as const

/** Of what the server has in hand that is frozen: long enough that it does not run out by chance. */
const leaseMillis = 5_000

/** Longer than that, and the time until another one looks. */
const beyondTheLease = "7 seconds"

/** Where what is done late would be seen at once. It is always tried. */
const theSwitch = "postgres.RouteStore.put#1"

/** Two servers, of which one leads the traffic and the other one does at a failpoint what it is told. */
class Pair extends Context.Service<
  Pair,
  {
    readonly keeper: Running
    readonly victim: Commanded
    readonly source: Source
    readonly id: string
    readonly url: string
    readonly points: ReadonlyArray<string>
    /** Commits the next version and answers it and its commit. */
    readonly next: () => { readonly version: string; readonly commit: string }
    /** The version that serves. */
    serving: string
  }
>()("test/e2e/freezes/Pair") {
  static readonly layer = Layer.effect(
    Pair,
    Effect.gen(function* () {
      const { repository, source } = yield* GitWorld
      const { database, place } = yield* World
      const { LOCKKEEPER_APP_PORTS = "", LOCKKEEPER_SECRET_KEY_FILE = "" } = place.env
      const other = yield* makePlace(database, { LOCKKEEPER_APP_PORTS, LOCKKEEPER_SECRET_KEY_FILE })
      let version = 1
      const next = () => {
        const commit = repository.commit(goodApp(`v${++version}`))
        return { version: `v${version}`, commit }
      }
      const alone = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* startCommandedAt(other, leaseMillis)
          const { id, url } = yield* deployedApp(server.client, source)
          const once = Effect.gen(function* () {
            next()
            yield* server.obey({ point: "", fault: "none" })
            const deployment = yield* begin(server.client, id)
            assert.strictEqual((yield* ended(server.client, deployment.id)).status, "healthy")
            return new Set(server.reached())
          })
          const [first, second] = [yield* once, yield* once]
          const isSure = (point: string): boolean => second.has(point) && /#[12]$/.test(point)
          // So that who comes next need not wait for the lease of the router to run out.
          yield* stopServer(server, "SIGTERM")
          return { id, url, points: [...first].filter(isSure) }
        })
      )
      const keeper = yield* start()
      const output = Effect.sync(() => keeper.output())
      yield* eventually("it holds the router", output, (said) => said.includes("holds the router"), "30 seconds")
      const victim = yield* startCommandedAt(other, leaseMillis)
      yield* serves(alone.url, `v${version}`)
      return { keeper, victim, source, next, serving: `v${version}`, ...alone }
    })
  ).pipe(Layer.provideMerge(World.layer()), Layer.provideMerge(GitWorld.layer))
}

/** What exists because of both servers: in process Workloads each has its own, on an engine they share all. */
const footprints = Effect.gen(function* () {
  const { keeper, victim } = yield* Pair
  const [one, other] = [yield* footprint(keeper.place), yield* footprint(victim.place)]
  const sum = (key: keyof Footprint) => byFlavour({ docker: one[key], process: one[key] + other[key] })
  return { ...one, running: sum("running"), homes: sum("homes"), keys: sum("keys"), fetches: sum("fetches") }
})

const rest = eventually("one app serves and nothing else is left", footprints, (seen) =>
  isDeepStrictEqual({ ...seen }, { ...atRest(1) })
)

/** Everything that is told of Deployments, and where the traffic goes. */
const told = Effect.gen(function* () {
  const { sql } = yield* World
  return {
    deployments:
      yield* sql`select id, status, fence, release, error_code, finished_at from deployments order by position`,
    history: yield* sql`select deployment, status, fence from deployment_history order by 1, 2`,
    releases: yield* sql`select id, number, image, current from releases order by number`,
    events: yield* sql`select type, subject from events order by xid, id`,
    routes: yield* sql`select app, fence, address_host, address_port, version from routes order by app`
  }
})

/** Deploys with a freeze at a point; dies when what must hold then does not. Answers whether the point was reached. */
const tried = Effect.fnUntraced(function* (point: string, fault: (typeof faults)[number]) {
  const pair = yield* Pair
  const { id, keeper, url, victim } = pair
  const { commit, version } = pair.next()
  yield* rest
  yield* victim.obey({ point, fault })
  const reached = Effect.sync(() => victim.reached().includes(point))
  const deployed = Effect.gen(function* () {
    const { id: deployment } = yield* begin(victim.client, id)
    yield* ended(victim.client, deployment, "1 minute")
    yield* Effect.sleep("2 seconds")
  })
  const frozen = Effect.asVoid(eventually("the point is reached", reached, (is) => is, "2 minutes"))
  yield* Effect.raceFirst(Effect.ignoreCause(deployed), frozen)
  const isFrozen = yield* reached
  if (isFrozen) {
    yield* Effect.sleep(beyondTheLease)
    const list = keeper.client.deployments.list({ params: { app: id }, query: { limit: 1 } })
    const isOver = ({ items }: Effect.Success<typeof list>) => items.every(({ finishedAt }) => finishedAt !== null)
    yield* eventually("the other one ended it", list, isOver, "1 minute")
    assert.strictEqual((yield* ask(url)).status, 200, `${point}: while the server is frozen`)
    const before = yield* told
    yield* victim.signal("SIGCONT")
    yield* rest
    yield* Effect.sleep("2 seconds")
    assert.deepStrictEqual(yield* told, before, `${point}: after the server went on`)
  }
  const { items } = yield* keeper.client.deployments.list({ params: { app: id }, query: { limit: 1 } })
  const isNew = items.some((deployment) => deployment.commit === commit && deployment.status === "healthy")
  pair.serving = isNew ? version : pair.serving
  yield* serves(url, pair.serving)
  return isFrozen
})

describeWith(...byFlavour({ docker: ["docker", "git", "sshd"] as const, process: ["git", "sshd"] as const }))(
  "INV-1 INV-2 INV-7 INV-8 INV-13 H22 R9 a deploy whose server",
  () => {
    layer(Pair.layer, { excludeTestServices: true, timeout: 180_000 })((it) => {
      it.effect.each(faults)("%s any one point of it, beyond its lease, changes nothing when it goes on", (fault) =>
        Effect.gen(function* () {
          const { points } = yield* Pair
          assert.isAbove(points.length, 30, points.join())
          assert.include(points, theSwitch)
          const wanted = soak.many(byFlavour({ docker: 1, process: 2 }), 20)
          const drawn = shuffled(points).filter((point) => point !== theSwitch)
          const cases = [theSwitch, ...drawn].slice(0, wanted * 8)
          const { attempts, hits } = yield* tryUntil(wanted, cases, (point) => tried(point, fault))
          soak.count(`server frozen at a failpoint, ${flavour}`, { attempts, "point reached": hits })
          assert.isAbove(hits, 0)
        })
      )

      it.effect(
        "is frozen before the very first switch of an App, beyond its lease, switches nothing when it goes on",
        () =>
          Effect.gen(function* () {
            const { keeper, source, victim } = yield* Pair
            const { id } = yield* makeApp(victim.client, { source })
            yield* rest
            yield* victim.obey({ point: theSwitch, fault: "is frozen before" })
            const { id: deployment } = yield* begin(victim.client, id)
            const reached = Effect.sync(() => victim.reached().includes(theSwitch))
            yield* eventually("the point is reached", reached, (is) => is, "2 minutes")
            yield* Effect.sleep(beyondTheLease)
            const { error, status } = yield* ended(keeper.client, deployment, "1 minute")
            assert.deepStrictEqual([status, error?.code], ["failed", "lease_lost"])
            const before = yield* told
            yield* victim.signal("SIGCONT")
            yield* rest
            yield* Effect.sleep("2 seconds")
            assert.deepStrictEqual(yield* told, before)
            assert.isNull((yield* keeper.client.apps.get({ params: { app: id } })).url)
          })
      )
    })
  }
)
