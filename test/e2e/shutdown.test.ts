// SIGTERM: what is in progress ends cleanly, workloads are gone, and the next start brings back what served.

import { assert, describe, layer, vi } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { ask, begin, deploy, deployedApp, logText, makeApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { stopServer } from "../harness/server.ts"
import { deafApp, goodApp, silentApp, slowlyBuilt } from "../harness/testApp.ts"
import { atRest, type Footprint } from "../harness/footprint.ts"
import { byFlavour } from "../harness/flavour.ts"
import { buildBegins, comesToRest, footprint, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** Nothing is half done, and what served is known to the Journal and the routes. Processes have ended, containers run on. */
const stopped = (apps: number) =>
  byFlavour({ docker: atRest(apps), process: { ...atRest(apps), running: 0, homes: 0 } })

layer(World.layer(), { excludeTestServices: true })("X14 INV-7 a server that is stopped", (it) => {
  describe("with SIGTERM", () => {
    it.effect("ends what is in progress as cancelled, in time, and the next start serves the old versions again", () =>
      Effect.gen(function* () {
        const { archives } = yield* World
        const server = yield* start()
        const { client } = server
        const versions = ["a", "b", "c"] as const
        const [a, b, c] = yield* Effect.all(
          versions.map((name) =>
            Effect.flatMap(archives.source(goodApp(name)), (source) => deployedApp(client, source))
          )
        )
        if (a === undefined || b === undefined || c === undefined) return assert.fail("three apps were deployed")
        const large = yield* archives.source(slowlyBuilt("b2"))
        const fetching = yield* begin(client, a.id, { source: yield* archives.heldSource(goodApp("a2")) })
        const waiting = yield* begin(client, c.id, { source: yield* archives.source(silentApp) })
        yield* eventually("the archive is asked for", Effect.sync(archives.held), (held) => held === 1)
        yield* eventually("the app runs", logText(client, waiting.id), (log) => log.includes("waiting until"))
        const building = yield* begin(client, b.id, { source: large })
        yield* buildBegins

        const begun = Date.now()
        const exit = yield* stopServer(server, "SIGTERM")
        assert.deepStrictEqual(exit, { code: 0, signal: null }, server.output())
        assert.isBelow(Date.now() - begun, 15_000)
        const isOver = ({ partialBuilds }: Footprint) => partialBuilds === 0
        assert.deepStrictEqual(
          yield* eventually("no step of a build runs", footprint(), isOver, "1 second"),
          stopped(3)
        )

        const next = yield* start()
        for (const { id } of [fetching, building, waiting]) {
          const { error, finishedAt, release, status } = yield* next.client.deployments.get({
            params: { deployment: id }
          })
          assert.deepStrictEqual([status, error, release], ["cancelled", null, null])
          assert.isNotNull(finishedAt)
        }
        yield* Effect.all([serves(a.url, "a"), serves(b.url, "b"), serves(c.url, "c")])
        yield* comesToRest

        const after = yield* deploy(next.client, a.id, { source: yield* archives.source(goodApp("a3")) })
        assert.strictEqual(after.status, "healthy")
        yield* serves(a.url, "a3")
        yield* comesToRest
        assert.notInclude(next.output(), "ERROR")
        assert.deepStrictEqual(yield* stopServer(next, "SIGTERM"), { code: 0, signal: null })
        assert.deepStrictEqual(yield* footprint(), stopped(3))
      })
    )

    it.effect("is not held up by a client that follows a log", () =>
      Effect.gen(function* () {
        const { archives } = yield* World
        const server = yield* start()
        const { id } = yield* makeApp(server.client, { source: yield* archives.source(silentApp) })
        const deployment = yield* begin(server.client, id)
        const url = `${server.url}/v1/deployments/${deployment.id}/logs?follow=true`
        const headers = { authorization: `Bearer ${Redacted.value(server.place.token)}` }
        const response = yield* Effect.promise(() => fetch(url, { headers }))
        assert.strictEqual(response.status, 200)

        const begun = Date.now()
        assert.deepStrictEqual(yield* stopServer(server, "SIGTERM"), { code: 0, signal: null })
        assert.isBelow(Date.now() - begun, 15_000)
        yield* Effect.ignore(Effect.tryPromise(() => response.text()))
      })
    )
  })

  describe("while an app does not listen to SIGTERM", () => {
    it.effect("U4 kills it ten seconds after it was replaced", () =>
      Effect.gen(function* () {
        const { archives } = yield* World
        const server = yield* start()
        const app = yield* deployedApp(server.client, yield* archives.source(deafApp("deaf")))
        yield* serves(app.url, "deaf")
        const next = yield* deploy(server.client, app.id, { source: yield* archives.source(goodApp("good")) })
        assert.strictEqual(next.status, "healthy")
        yield* serves(app.url, "good")
        yield* comesToRest
        assert.strictEqual((yield* ask(app.url)).status, 200)
      })
    )
  })
})
