// What only a server on Docker does: its apps outlive it, and its engine may go away and come back.

import { assert, layer, vi } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { engineProxy } from "../../packages/adapter-docker/test/support/engineProxy.ts"
import { describeWith } from "../harness/capability.ts"
import { ask, begin, deploy, deployedApp, ended, logText, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { stopServer } from "../harness/server.ts"
import { countingApp, goodApp, silentApp } from "../harness/testApp.ts"
import { comesToRest, type Running, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** What an app said, as far as it is stored. */
const countsOf = Effect.fnUntraced(function* ({ client }: Running, app: string) {
  const items = yield* client.deployments.appLogs({
    params: { app },
    query: {},
    headers: { accept: "application/x-ndjson" }
  })
  const lines = yield* Stream.runCollect(items)
  return lines.flatMap((item) => ("line" in item ? (/^count (\d+)$/.exec(item.line)?.[1] ?? []) : [])).map(Number)
})

describeWith("docker")("a server on Docker", () => {
  layer(World.layer(), { excludeTestServices: true })((it) => {
    it.effect(
      "X14 adopts its apps: they run on while it is away, and no line that they say is lost or told twice",
      () =>
        Effect.gen(function* () {
          const { archives } = yield* World
          const server = yield* start()
          const app = yield* deployedApp(server.client, yield* archives.source(countingApp("counted")))
          const { instance } = yield* serves(app.url, "counted")
          yield* eventually("it counts", countsOf(server, app.id), ({ length }) => length > 20)
          yield* stopServer(server, "SIGKILL")
          yield* Effect.sleep("1 second")

          const second = yield* start()
          assert.strictEqual((yield* serves(app.url, "counted")).instance, instance)
          const before = (yield* countsOf(second, app.id)).length
          yield* eventually("it is heard again", countsOf(second, app.id), ({ length }) => length > before + 50)
          yield* stopServer(second, "SIGTERM")

          const third = yield* start()
          const far = yield* countsOf(third, app.id)
          const counts = yield* eventually(
            "and again",
            countsOf(third, app.id),
            ({ length }) => length > far.length + 50
          )
          assert.deepStrictEqual(
            counts,
            counts.map((_, index) => index + 1)
          )
          assert.strictEqual((yield* serves(app.url, "counted")).instance, instance)
          yield* comesToRest
          yield* stopServer(third, "SIGTERM")
        })
    )

    it.effect(
      "INV-15 H11 has the block of a tenant's network from the database, for as long as the network is there",
      () =>
        Effect.gen(function* () {
          const { archives, sql } = yield* World
          const server = yield* start()
          const { id, tenant } = yield* deployedApp(server.client, yield* archives.source(goodApp("one")))
          const held = sql`select 1 from subnets where owner like ${`${tenant}/%`} and lease_until > now()`
          assert.lengthOf(yield* held, 1)
          yield* server.client.apps.delete({ params: { app: id } })
          yield* eventually("it is given back", held, ({ length }) => length === 0)
          assert.lengthOf(yield* sql`select 1 from free_subnets where reusable_at > now()`, 1)
          yield* stopServer(server, "SIGTERM")
        })
    )

    it.effect(
      "INV-8 H24 B13 whose engine is away serves on, fails deploys with engine_unavailable, and goes on with it",
      () =>
        Effect.gen(function* () {
          const { archives, place } = yield* World
          const proxy = yield* engineProxy
          const server = yield* start(place, { DOCKER_HOST: proxy.engine })
          const { client } = server
          const app = yield* deployedApp(client, yield* archives.source(goodApp("old")))
          const { instance } = yield* serves(app.url, "old")
          const next = { source: yield* archives.source(goodApp("new")) }

          yield* proxy.away
          const first = yield* deploy(client, app.id, next)
          assert.deepStrictEqual([first.status, first.error?.code], ["failed", "engine_unavailable"])
          assert.strictEqual((yield* serves(app.url, "old")).instance, instance)
          yield* proxy.back

          const waiting = yield* begin(client, app.id, { source: yield* archives.source(silentApp) })
          yield* eventually("it runs", logText(client, waiting.id), (log) => log.includes("waiting until"))
          yield* proxy.away
          const second = yield* ended(client, waiting.id, "30 seconds")
          assert.deepStrictEqual([second.status, second.error?.code], ["failed", "engine_unavailable"])
          assert.strictEqual((yield* ask(app.url)).status, 200)
          yield* proxy.back

          yield* comesToRest
          assert.strictEqual((yield* deploy(client, app.id, next)).status, "healthy")
          yield* serves(app.url, "new")
          yield* comesToRest
          yield* stopServer(server, "SIGTERM")
        })
    )
  })
})
