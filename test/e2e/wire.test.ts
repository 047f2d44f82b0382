// What goes over the wire, as a client in any language sees it that has only read the contract.

import { assert, layer, vi } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../harness/eventually.ts"
import { call, type Received } from "../harness/http.ts"
import { goodApp } from "../harness/testApp.ts"
import { comesToRest, SharedServer, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const problem = ({ fields, headers, status }: Received) => [status, headers.get("content-type"), fields["code"]]

const json = "application/problem+json"

const terminal = ({ fields }: Received) => fields["finishedAt"] !== null

layer(SharedServer.layer(), { excludeTestServices: true })("X13 the API", (it) => {
  it.effect("H9 R10 says that it is there and ready, from which build, and describes itself", () =>
    Effect.gen(function* () {
      const server = yield* SharedServer
      const health = yield* call(server, "/healthz", { token: null })
      assert.deepStrictEqual([health.status, health.fields["status"]], [200, "ok"])
      assert.match(String(health.fields["build"]), /^\d+\.\d+\.\d+\+[0-9a-f]{12}$/)
      assert.deepStrictEqual((yield* call(server, "/readyz", { token: null })).text, `{"status":"ready"}`)
      assert.include((yield* call(server, "/metrics", { token: null })).headers.get("content-type"), "text/plain")
      assert.include((yield* call(server, "/docs", { token: null })).headers.get("content-type"), "text/html")
      const document = yield* call(server, "/openapi.json", { token: null })
      assert.match(String(document.fields["openapi"]), /^3\.1\./)
      assert.include(document.text, "/v1/apps/{app}/deployments")
    })
  )

  it.effect("X1 takes an app, deploys it, and sends its log as lines and as events, from anywhere", () =>
    Effect.gen(function* () {
      const server = yield* SharedServer
      const { archives } = yield* World
      const source = yield* archives.source(goodApp("wire"))
      const healthCheck = { path: "/healthz", intervalMillis: 50 }
      const body = { tenant: "acme", name: "web", source, healthCheck }
      const created = yield* call(server, "/v1/apps", { body })
      const app = String(created.fields["id"])
      assert.strictEqual(created.status, 201)
      assert.strictEqual(created.headers.get("location"), `/v1/apps/${app}`)
      assert.match(app, /^app_/)
      assert.deepStrictEqual(created.fields["healthCheck"], { ...healthCheck, timeoutSeconds: 60 })
      assert.deepStrictEqual([created.fields["url"], created.fields["currentRelease"]], [null, null])
      assert.deepStrictEqual(problem(yield* call(server, "/v1/apps", { body })), [409, json, "app_name_taken"])

      const begun = yield* call(server, `/v1/apps/${app}/deployments`, { method: "POST" })
      const deployment = String(begun.fields["id"])
      assert.strictEqual(begun.status, 202)
      assert.strictEqual(begun.headers.get("location"), `/v1/deployments/${deployment}`)
      const path = `/v1/deployments/${deployment}`
      const followed = yield* call(server, `${path}/logs?follow=true`)
      const ended = yield* eventually("it ends", call(server, path), terminal)
      assert.deepStrictEqual([ended.fields["status"], ended.fields["error"]], ["healthy", null])

      assert.include(followed.headers.get("content-type"), "application/x-ndjson")
      const lines = followed.text.trimEnd().split("\n")
      const last = `{"seq":${lines.length},"end":true,"status":"healthy"}`
      assert.strictEqual(lines.at(-1), last)
      assert.match(lines[0] ?? "", /^\{"seq":1,"at":"\d{4}-\d\d-\d\dT[\d:.]+Z","stream":"system","line":"[^"]+"\}$/)

      const accept = { accept: "text/event-stream" }
      const events = yield* call(server, `${path}/logs?follow=true&after=${lines.length - 2}`, { headers: accept })
      assert.include(events.headers.get("content-type"), "text/event-stream")
      const expected = [lines.length - 1, lines.length].map((seq) => `id: ${seq}\ndata: ${lines[seq - 1]}\n\n`)
      assert.strictEqual(events.text, expected.join(""))
      const resumed = { ...accept, "last-event-id": String(lines.length - 1) }
      assert.strictEqual((yield* call(server, `${path}/logs`, { headers: resumed })).text, expected[1])

      const served = yield* call(server, `/v1/apps/${app}`)
      assert.match(String(served.fields["url"]), /^http:\/\/127\.0\.0\.1:\d+$/)
      assert.strictEqual(served.fields["currentRelease"], ended.fields["release"])
      const said = eventually(
        "what the app says is stored",
        call(server, `/v1/apps/${app}/logs`),
        ({ text }) => text.includes("app wire listens"),
        "5 seconds"
      )
      assert.strictEqual((yield* said).status, 200)
      yield* comesToRest
    })
  )

  it.effect("E2 E3 E4 E12 changes an env by keys, guarded by its revision, and masks every value", () =>
    Effect.gen(function* () {
      const server = yield* SharedServer
      const created = yield* call(server, "/v1/apps", { body: { tenant: "acme", name: "env" } })
      const path = `/v1/apps/${String(created.fields["id"])}/env`
      const patch = (env: unknown, headers = {}, query = "") =>
        call(server, `${path}${query}`, { method: "PATCH", body: { env }, headers })

      const first = yield* patch({ A: "1", B: "zwei", C: "" })
      assert.strictEqual(first.headers.get("etag"), `"1"`)
      const env = { A: "***", B: "***" }
      assert.deepStrictEqual(first.fields, { revision: 1, keysSet: 2, keysDeleted: 0, total: 2, env })
      const stale = yield* patch({ A: "2" }, { "if-match": `"0"` })
      assert.deepStrictEqual([...problem(stale), stale.fields["actual"]], [412, json, "revision_mismatch", 1])
      const dry = yield* patch({ A: null }, {}, "?dryRun=true")
      assert.deepStrictEqual([dry.status, dry.fields["keysDeleted"]], [200, 1])
      const second = yield* patch({ A: null, D: "4" }, { "if-match": `"1"` })
      assert.deepStrictEqual([second.fields["revision"], second.fields["keysDeleted"]], [2, 1])
      assert.strictEqual((yield* patch({ D: "4", A: "" })).fields["revision"], 2)

      const masked = yield* call(server, path)
      assert.deepStrictEqual(masked.fields["env"], { B: "***", D: "***" })
      assert.deepStrictEqual([masked.fields["deployedRevision"], masked.headers.get("etag")], [null, `"2"`])
      const revealed = yield* call(server, `${path}?reveal=true`)
      assert.deepStrictEqual(revealed.fields["env"], { B: "zwei", D: "4" })

      const bad = yield* Effect.all([patch({ "1A": "x" }), patch({ PORT: "1" }), patch({ A: "***" }), patch({ A: 1 })])
      const invalid = ["invalid_env_key", "invalid_env_key", "invalid_env_value", "invalid_env_value"]
      assert.deepStrictEqual(
        bad.map(problem),
        invalid.map((code) => [400, json, code])
      )
      const large = yield* patch({ BIG: "x".repeat(65_536) })
      assert.deepStrictEqual([...problem(large), large.fields["limit"]], [413, json, "env_too_large", 65_536])
      assert.strictEqual((yield* call(server, path)).fields["revision"], 2)
    })
  )

  it.effect(
    "E12 X8 replaces an env at the revision that it names, of two at once one, and tells who changed what",
    () =>
      Effect.gen(function* () {
        const server = yield* SharedServer
        const created = yield* call(server, "/v1/apps", { body: { tenant: "acme", name: "env-replaced" } })
        const path = `/v1/apps/${String(created.fields["id"])}/env`
        const put = (env: unknown, headers = {}, query = "") =>
          call(server, `${path}${query}`, { method: "PUT", body: { env }, headers })
        const at = (revision: number) => ({ "if-match": `"${revision}"` })

        assert.deepStrictEqual(problem(yield* put({ A: "1" })), [428, json, "if_match_required"])
        assert.strictEqual((yield* put({ A: "1", B: "2" }, at(0))).fields["revision"], 1)
        const dry = yield* put({ B: "2", C: "3" }, at(1), "?dryRun=true")
        assert.deepStrictEqual([dry.fields["revision"], dry.fields["keysSet"], dry.fields["keysDeleted"]], [1, 2, 1])

        const both = yield* Effect.all([put({ FIRST: "1" }, at(1)), put({ SECOND: "2" }, at(1))], {
          concurrency: "unbounded"
        })
        assert.sameMembers(
          both.map(({ status }) => status),
          [200, 412]
        )
        const name = both[0].status === 200 ? "FIRST" : "SECOND"
        assert.deepStrictEqual((yield* call(server, path)).fields["env"], { [name]: "***" })

        const history = yield* call(server, `${path}/history`)
        const { items }: { readonly items: ReadonlyArray<{ readonly at: string }> } = JSON.parse(history.text)
        const actor = "ops"
        assert.deepStrictEqual(
          items.map(({ at: _, ...entry }) => entry),
          [
            { revision: 2, actor, keysSet: [name], keysDeleted: ["A", "B"], total: 1 },
            { revision: 1, actor, keysSet: ["A", "B"], keysDeleted: [], total: 2 }
          ]
        )
      })
  )

  it.effect("E7 answers what is wrong with a request as a problem document, with the request's id", () =>
    Effect.gen(function* () {
      const server = yield* SharedServer
      const body = { tenant: "acme", name: "ok" }
      const headers = { "x-request-id": "from-the-client" }
      const missing = yield* call(server, "/v1/apps/app_none", { headers })
      assert.deepStrictEqual(problem(missing), [404, json, "not_found"])
      assert.strictEqual(missing.fields["requestId"], "from-the-client")
      assert.strictEqual(missing.headers.get("x-request-id"), "from-the-client")

      const answers = yield* Effect.all([
        call(server, "/v1/apps", { token: null }),
        call(server, "/v1/apps", { token: "wrong" }),
        call(server, "/v1/nothing"),
        call(server, "/v1/apps", { method: "DELETE" }),
        call(server, "/v1/apps", { body: "{" }),
        call(server, "/v1/apps", { body: { ...body, colour: "red" } }),
        call(server, "/v1/apps", { body: { ...body, source: { type: "git", url: "git@host:x" } } }),
        call(server, "/v1/apps", { body: { ...body, name: "x".repeat(1_100_000) } }),
        call(server, "/v1/apps", { body: "a=b", headers: { "content-type": "text/csv" } })
      ])
      assert.deepStrictEqual(answers.map(problem), [
        [401, json, "unauthorized"],
        [401, json, "unauthorized"],
        [404, json, "not_found"],
        [405, json, "method_not_allowed"],
        [400, json, "invalid_body"],
        [400, json, "invalid_body"],
        [400, json, "invalid_source"],
        [413, json, "payload_too_large"],
        [415, json, "unsupported_media_type"]
      ])
      for (const { fields } of answers) assert.match(String(fields["requestId"]), /^[\w-]{8,}$/)
      const { fields } = yield* call(server, "/v1/apps", { body: { ...body, name: "bare" } })
      const refused = yield* call(server, `/v1/apps/${String(fields["id"])}/deployments`, { method: "POST" })
      assert.deepStrictEqual(problem(refused), [409, json, "no_source"])
    })
  )
})
