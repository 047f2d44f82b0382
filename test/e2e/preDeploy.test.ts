// The command before a deploy, in a real process or container of the new image: while it runs the previous version serves,
// and whatever becomes of it nothing of it is left.

import { assert, layer, vi } from "@effect/vitest"
import { Effect } from "effect"
import { isDeepStrictEqual } from "node:util"
import { ask, begin, deploy, ended, logText, makeApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { atRest, type Footprint } from "../harness/footprint.ts"
import { stopServer } from "../harness/server.ts"
import { goodApp } from "../harness/testApp.ts"
import { comesToRest, footprint, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** Runs a program of the image's own. */
const script = (text: string) => ["node", "--input-type=module", "--eval", text] as const

layer(World.layer(), { excludeTestServices: true, timeout: 120_000 })("the command before a deploy", (it) => {
  it.effect("X9 INV-8: runs in the new image with its env; when it fails, what served still serves", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const { client } = yield* start()
      const preDeploy = script(`import { readFileSync } from "node:fs"
        console.log(readFileSync("app.mjs", "utf8").includes('"two"') ? "sees two" : "sees one", process.env.NAME)
        process.exit(process.env.NAME === "broken" ? 7 : 0)`)
      const { id } = yield* makeApp(client, { source: yield* archives.source(goodApp("one")), preDeploy })
      const first = yield* deploy(client, id)
      assert.strictEqual(first.status, "healthy", first.error?.detail)
      assert.include(yield* logText(client, first.id), "sees one undefined")
      const { url } = yield* client.apps.get({ params: { app: id } })

      const env = { NAME: "broken" }
      yield* client.apps.mergeEnv({ params: { app: id }, query: {}, headers: {}, payload: { env } })
      const source = yield* archives.source(goodApp("two"))
      const second = yield* deploy(client, id, { source })
      const code = "pre_deploy_failed"
      const detail = "the command before the deploy exited with code 7"
      assert.deepStrictEqual([second.status, second.error], ["failed", { code, detail }])
      assert.include(yield* logText(client, second.id), "sees two ***")
      yield* serves(url ?? "", "one")

      yield* client.apps.change({ params: { app: id }, payload: { preDeploy: null } })
      assert.strictEqual((yield* deploy(client, id, { source })).status, "healthy")
      yield* serves(url ?? "", "two")
      yield* comesToRest
    })
  )

  it.effect(
    "X9 INV-7 INV-1: killed with its server, it is gone after the next start, and what served still serves",
    () =>
      Effect.gen(function* () {
        const { archives, sql } = yield* World
        const server = yield* start()
        const { client } = server
        const source = yield* archives.source(goodApp("kept"))
        const app = yield* makeApp(client, { source })
        yield* deploy(client, app.id)
        const payload = { preDeploy: script(`console.log("begun"); setTimeout(() => {}, 600_000)`) }
        const { url } = yield* client.apps.change({ params: { app: app.id }, payload })
        const { id } = yield* begin(client, app.id)
        const hasBegun = (text: string) => text.includes("begun")
        yield* eventually("the command runs", logText(client, id), (text) => hasBegun(text.replaceAll("running", "")))
        assert.strictEqual((yield* ask(url ?? "")).status, 200)
        const intents = Effect.orDie(sql<{ readonly name: string }>`select name from intents
        where deployment = ${id} and released_at is null`)
        assert.lengthOf(yield* intents, 1)

        assert.deepStrictEqual(yield* stopServer(server, "SIGKILL"), { code: null, signal: "SIGKILL" })
        const next = yield* start()
        const { error, status } = yield* ended(next.client, id)
        assert.deepStrictEqual([status, error?.code], ["failed", "lease_lost"])
        yield* serves(url ?? "", "kept")
        assert.lengthOf(yield* intents, 0)
        const isAtRest = (seen: Footprint) => isDeepStrictEqual(seen, { ...seen, ...atRest(2) })
        yield* eventually("only what serves is left", footprint(), isAtRest)
      })
  )
})
