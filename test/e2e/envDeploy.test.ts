// What is changed in an Env reaches the Workload with the next Deployment, whole: also what is changed while one is built,
// which keeps the Revision that it began with.

import { assert, layer, vi } from "@effect/vitest"
import { Effect } from "effect"
import { begin, deploy, deployedApp, ended, serves } from "../harness/deploying.ts"
import { call } from "../harness/http.ts"
import { goodApp, slowlyBuilt } from "../harness/testApp.ts"
import { buildBegins, comesToRest, SharedServer, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** Merges some keys, and answers the Revision. */
const patch = Effect.fnUntraced(function* (app: string, env: Readonly<Record<string, string>>) {
  const server = yield* SharedServer
  const { fields, status, text } = yield* call(server, `/v1/apps/${app}/env`, { method: "PATCH", body: { env } })
  assert.strictEqual(status, 200, text)
  return fields["revision"]
})

/** What the App and its Env say about what is not deployed yet. */
const pendingOf = Effect.fnUntraced(function* (app: string) {
  const server = yield* SharedServer
  const { deployedEnvRevision, envPending } = yield* server.client.apps.get({ params: { app } })
  const { fields } = yield* call(server, `/v1/apps/${app}/env`)
  assert.deepStrictEqual([fields["deployedRevision"], fields["pending"]], [deployedEnvRevision, envPending])
  const seen: ReadonlyArray<unknown> = [deployedEnvRevision, envPending]
  return seen
})

layer(SharedServer.layer(), { excludeTestServices: true })("E11 INV-5: an env", (it) => {
  it.effect("that is changed by many at once is whole in the Workload of the next Deployment", () =>
    Effect.gen(function* () {
      const { client } = yield* SharedServer
      const { archives } = yield* World
      const app = yield* deployedApp(client, yield* archives.source(goodApp("many")))
      const names = Array.from({ length: 40 }, (_, index) => `KEY_${index}`)
      yield* Effect.forEach(names, (name) => patch(app.id, { [name]: `grüß ${name}` }), { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* pendingOf(app.id), [0, true])
      assert.strictEqual((yield* deploy(client, app.id)).status, "healthy")
      assert.deepStrictEqual(yield* pendingOf(app.id), [40, false])
      const { env } = yield* serves(app.url, "many")
      for (const name of names) assert.strictEqual(env[name], `grüß ${name}`)
      yield* comesToRest
    })
  )

  it.effect(
    "that is changed while an image is made is pending afterwards, and not in that Workload but in the next",
    () =>
      Effect.gen(function* () {
        const { client } = yield* SharedServer
        const { archives } = yield* World
        const app = yield* deployedApp(client, yield* archives.source(goodApp("before")))
        assert.strictEqual(yield* patch(app.id, { EARLY: "1" }), 1)
        const { id } = yield* begin(client, app.id, { source: yield* archives.source(slowlyBuilt("built")) })
        yield* buildBegins
        assert.strictEqual(yield* patch(app.id, { LATE: "1" }), 2)
        assert.deepStrictEqual(yield* pendingOf(app.id), [0, true])
        const { envRevision, status } = yield* ended(client, id, "60 seconds")
        assert.deepStrictEqual([status, envRevision], ["healthy", 1])
        const first = yield* serves(app.url, "built")
        assert.deepStrictEqual([first.env["EARLY"], first.env["LATE"]], ["1", undefined])
        assert.deepStrictEqual(yield* pendingOf(app.id), [1, true])

        assert.strictEqual((yield* deploy(client, app.id)).status, "healthy")
        assert.deepStrictEqual(yield* pendingOf(app.id), [2, false])
        const next = yield* serves(app.url, "before")
        assert.deepStrictEqual([next.env["EARLY"], next.env["LATE"]], ["1", "1"])
        yield* comesToRest
      })
  )
})
