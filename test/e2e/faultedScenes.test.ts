// A real server is killed, or told to stop, exactly at a failpoint that it reaches while a Deployment takes the place of
// another one, while one is cancelled, and while a Job runs. The next start makes it good: one version serves, every Job has
// its end, and nothing else is left. Deploys alone are in kills.test.ts.

import { assert, layer, vi } from "@effect/vitest"
import type { Client } from "@lockkeeper/adapter-http/Client"
import { ItemInput } from "@lockkeeper/core/domain/Job"
import type { Source } from "@lockkeeper/core/domain/Source"
import { Effect } from "effect"
import { ask, begin, deployedApp, logText } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { type Commanded, startCommanded } from "../harness/failpoints.ts"
import { byFlavour, flavour } from "../harness/flavour.ts"
import { shuffled, soak, tryUntil } from "../harness/sample.ts"
import { goodApp, silentApp } from "../harness/testApp.ts"
import { comesToRest, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 120_000 })

const faults = ["is killed before", "is killed after", "is stopped before"] as const

/** What is done with an App while its server is cut off. */
interface Scene {
  readonly what: string
  readonly plays: (
    client: Client,
    app: string,
    sources: { readonly good: Source; readonly silent: Source }
  ) => Effect.Effect<unknown, unknown>
}

/** A Deployment whose version never answers. */
const waits = Effect.fnUntraced(function* (client: Client, app: string, source: Source) {
  const { id } = yield* begin(client, app, { source })
  yield* eventually("it waits for an answer", logText(client, id), (log) => log.includes("waiting until"), "20 seconds")
  return id
})

const scenes: ReadonlyArray<Scene> = [
  {
    what: "a deploy supersedes another one",
    plays: Effect.fnUntraced(function* (client, app, { good, silent }) {
      yield* waits(client, app, silent)
      yield* begin(client, app, { source: good, policy: "supersede" })
    })
  },
  {
    what: "a deploy is cancelled",
    plays: Effect.fnUntraced(function* (client, app, { silent }) {
      const deployment = yield* waits(client, app, silent)
      yield* client.deployments.cancel({ params: { deployment } })
    })
  },
  {
    what: "a job goes through its items",
    plays: Effect.fnUntraced(function* (client, app) {
      const items = [ItemInput.make("a"), ItemInput.make("b"), ItemInput.make("c")] as const
      yield* client.jobs.begin({ params: { app }, payload: { command: ["node", "--version"], items } })
    })
  }
]

/** Plays a scene on a server that is told to end at a point; answers what it reached, when it has ended or all is over. */
const played = Effect.fnUntraced(function* (
  { plays }: Scene,
  app: string,
  server: Commanded,
  order: { readonly point: string; readonly fault: (typeof faults)[number] | "none" }
) {
  const { archives } = yield* World
  const sources = {
    good: yield* archives.source(goodApp(`after-${order.point}`)),
    silent: yield* archives.source(silentApp)
  }
  yield* server.obey(order)
  const scene = Effect.ignoreCause(plays(server.client, app, sources))
  const over = Effect.andThen(comesToRest, Effect.sleep("1 second"))
  yield* Effect.raceFirst(server.exited, Effect.andThen(scene, Effect.ignoreCause(over)))
  return server.reached()
})

/** Ends a server for good, and answers the next one: nothing but what serves is left, and every Job has ended well. */
const madeGood = Effect.fnUntraced(function* (server: Commanded, url: string) {
  yield* server.signal("SIGKILL")
  yield* server.exited
  const next = yield* startCommanded()
  yield* comesToRest
  assert.strictEqual((yield* ask(url)).status, 200)
  const { items } = yield* next.client.jobs.list({ query: {} })
  for (const job of items) assert.deepInclude(job, { status: "succeeded", items: { total: 3, done: 3, failed: 0 } })
  return next
})

layer(World.layer(), { excludeTestServices: true, timeout: 120_000 })("INV-1 INV-4 INV-7 INV-13 U5 H45 while", (it) => {
  it.effect.each(scenes)("$what, a server that ends at any point is made good by the next start", (scene) =>
    Effect.gen(function* () {
      const { archives } = yield* World
      let server = yield* startCommanded()
      const { id, url } = yield* deployedApp(server.client, yield* archives.source(goodApp(`first of ${scene.what}`)))
      yield* comesToRest
      const [first, second] = [
        yield* played(scene, id, server, { point: "", fault: "none" }),
        yield* played(scene, id, server, { point: "", fault: "none" })
      ]
      const points = [...new Set(first)].filter((point) => second.includes(point) && /#[1-3]$/.test(point))
      assert.isAbove(points.length, 15, points.join())
      const wanted = soak.many(byFlavour({ docker: 1, process: 2 }), byFlavour({ docker: 10, process: 30 }))
      const tried = Effect.fnUntraced(function* (point: string, before: number) {
        const fault = faults[before % faults.length] ?? "is killed before"
        const reached = yield* played(scene, id, server, { point, fault })
        server = yield* madeGood(server, url)
        return reached.includes(point)
      })
      const { attempts, hits } = yield* tryUntil(wanted, shuffled(points).slice(0, wanted * 5), tried)
      soak.count(`server ends while ${scene.what}, ${flavour}`, { attempts, "point reached": hits })
      assert.isAbove(hits, 0)
    })
  )
})
