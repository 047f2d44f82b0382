// What every route answers when all is well: status, headers, and objects with exactly the fields that are promised.
import { deployed } from "@lockkeeper/core/testing/Fixture"
import { AppId } from "@lockkeeper/core/domain/App"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { archive, createApp, each, live, raw, started, textAt } from "./support/call.ts"
import { tokens } from "./support/memoryServer.ts"

const words = (...lines: ReadonlyArray<string>): ReadonlyArray<string> => lines.flatMap((line) => line.split(" "))

const appKeys = words(
  "id tenant name status source policy healthCheck port preDeploy expiresAt envRevision deployedEnvRevision",
  "envPending currentRelease activeDeployment url createdAt updatedAt"
)

const deploymentKeys = words(
  "id app number status trigger policy source commit image envRevision release queuePosition error cancelling",
  "createdAt startedAt finishedAt"
)

const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

describe("apps", () => {
  live("POST answers 201 with the App, live and without Release, and where it is", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const answer = yield* call("POST", "/v1/apps", { body: { tenant: "acme", name: "web" } })
      const { id, createdAt, updatedAt, ...rest } = answer.fields

      assert.strictEqual(answer.status, 201)
      assert.strictEqual(answer.headers.get("content-type"), "application/json")
      assert.strictEqual(answer.headers.get("location"), `/v1/apps/${id}`)
      assert.sameMembers(Object.keys(answer.fields), [...appKeys])
      assert.match(String(id), /^app_[a-z0-9]+$/)
      assert.match(String(createdAt), iso)
      assert.strictEqual(updatedAt, createdAt)
      assert.deepStrictEqual(rest, {
        tenant: "acme",
        name: "web",
        status: "live",
        source: null,
        policy: null,
        healthCheck: { intervalMillis: 500, timeoutSeconds: 60 },
        port: null,
        preDeploy: null,
        expiresAt: null,
        envRevision: 0,
        deployedEnvRevision: null,
        envPending: false,
        currentRelease: null,
        activeDeployment: null,
        url: null
      })
    })
  )

  live("GET shows what POST answered, and PATCH changes only what it names", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const made = yield* call("POST", "/v1/apps", { body: { tenant: "acme", name: "web", source: archive } })
      const path = textAt({ at: made.headers.get("location") }, "at")
      const shown = yield* call("GET", path)
      const healthCheck = { path: "/up", timeoutSeconds: 5 }
      const changed = yield* call("PATCH", path, { body: { healthCheck, policy: "reject" } })

      assert.deepStrictEqual(shown.fields, made.fields)
      assert.strictEqual(changed.status, 200)
      const { updatedAt: _, ...rest } = changed.fields
      const { updatedAt: __, ...before } = made.fields
      const expected = { ...before, policy: "reject", healthCheck: { ...healthCheck, intervalMillis: 500 } }
      assert.deepStrictEqual(rest, expected)
    })
  )

  live("of a Tenant are all that its token lists; `*` lists all Tenants' or one's", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const acme = yield* createApp(call)
      const other = yield* createApp(call, { tenant: "other" })

      assert.deepStrictEqual(each(yield* call("GET", "/v1/apps"), "id"), [other, acme])
      assert.deepStrictEqual(each(yield* call("GET", "/v1/apps?tenant=acme"), "id"), [acme])
      assert.deepStrictEqual(each(yield* call("GET", "/v1/apps", { token: tokens.acme }), "id"), [acme])
      assert.deepStrictEqual(each(yield* call("GET", "/v1/apps?tenant=nobody"), "id"), [])
      assert.sameMembers(Object.keys((yield* call("GET", "/v1/apps")).fields), ["items", "nextCursor"])
    })
  )

  live("say their address and the deployed revision once they serve, and that the Env changed since", () =>
    Effect.gen(function* () {
      const { call, ports } = yield* started()
      const id = yield* createApp(call)
      const app = yield* Effect.provideContext(
        Effect.flatMap(AppStore, (store) => store.get(AppId.make(id))),
        ports
      )
      const { deployment } = yield* Effect.provideContext(deployed(app), ports)
      const serving = yield* call("GET", `/v1/apps/${id}`)
      yield* call("PATCH", `/v1/apps/${id}/env`, { body: { env: { A: "1" } } })
      const pending = yield* call("GET", `/v1/apps/${id}`)

      assert.strictEqual(serving.fields["url"], `http://127.0.0.1:${app.hostPort}`)
      assert.strictEqual(serving.fields["currentRelease"], deployment.release)
      assert.strictEqual(serving.fields["deployedEnvRevision"], 0)
      assert.isFalse(serving.fields["envPending"])
      assert.isTrue(pending.fields["envPending"])
      assert.strictEqual(pending.fields["envRevision"], 1)
      assert.notProperty(serving.fields, "hostPort")
    })
  )
})

describe("deployments", () => {
  live("POST answers 202 with the queued Deployment and where it is; the App names it", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const app = yield* createApp(call)
      const answer = yield* call("POST", `/v1/apps/${app}/deployments`)
      const { id, createdAt, ...rest } = answer.fields

      assert.strictEqual(answer.status, 202)
      assert.strictEqual(answer.headers.get("location"), `/v1/deployments/${id}`)
      assert.match(String(id), /^dep_[a-z0-9]+$/)
      assert.match(String(createdAt), iso)
      assert.sameMembers(Object.keys(answer.fields), [...deploymentKeys])
      assert.deepStrictEqual(rest, {
        app,
        number: 1,
        status: "queued",
        trigger: { kind: "manual" },
        policy: "reject",
        source: archive,
        commit: null,
        image: null,
        envRevision: 0,
        release: null,
        queuePosition: 1,
        error: null,
        cancelling: false,
        startedAt: null,
        finishedAt: null
      })
      assert.deepStrictEqual((yield* call("GET", `/v1/deployments/${id}`)).fields, answer.fields)
      assert.strictEqual((yield* call("GET", `/v1/apps/${app}`)).fields["activeDeployment"], id)
      const list = yield* call("GET", `/v1/apps/${app}/deployments`)
      assert.deepStrictEqual(list.fields, { items: [answer.fields], nextCursor: null })
    })
  )
})

describe("the rest", () => {
  live("a Tenant that nobody has seen has the default cap and uses nothing", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const answer = yield* call("GET", "/v1/tenants/acme", { token: tokens.acme })
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(answer.fields, { tenant: "acme", jobCap: 3, running: 0, queued: 0 })
    })
  )

  live("R10 health says what the server was built from and its schema, to everybody", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const answer = yield* call("GET", "/healthz", { token: null })
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(answer.fields, { status: "ok", build: "test", schemaVersion: 1 })
    })
  )

  live("readiness is plain JSON, also when it says why not", () =>
    Effect.gen(function* () {
      const ready = yield* started()
      const away = yield* started({ notReady: ["SchemaBehind", "DatabaseAway"] })
      const yes = yield* ready.call("GET", "/readyz", { token: null })
      const no = yield* away.call("GET", "/readyz", { token: null })

      assert.strictEqual(yes.status, 200)
      assert.deepStrictEqual(yes.fields, { status: "ready" })
      assert.strictEqual(no.status, 503)
      assert.strictEqual(no.headers.get("content-type"), "application/json")
      assert.match(no.headers.get("retry-after") ?? "", /^\d+$/)
      assert.deepStrictEqual(no.fields, { status: "not_ready", reasons: ["SchemaBehind", "DatabaseAway"] })
    })
  )

  live("metrics are Prometheus text", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const answer = yield* call("GET", "/metrics", { token: null })
      assert.strictEqual(answer.status, 200)
      assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/)
      for (const line of answer.text.split("\n")) assert.match(line, /^(#.*|[a-zA-Z_:][\w:]*(\{.*\})? \S+)?$/)
    })
  )
})

describe("X-Request-Id", () => {
  live("is taken over when it is printable, else made; it is on every answer", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const idFor = (given: string, path: string) =>
        Effect.map(call("GET", path, { headers: { "x-request-id": given } }), ({ headers }) =>
          headers.get("x-request-id")
        )
      for (const path of ["/healthz", "/v1/apps", "/nowhere"]) {
        assert.strictEqual(yield* idFor("abc-1.2:3/~", path), "abc-1.2:3/~")
        assert.strictEqual(yield* idFor("a".repeat(128), path), "a".repeat(128))
        for (const bad of ["", "a b", "é", "a".repeat(129)]) {
          assert.match((yield* idFor(bad, path)) ?? "", /^[\w-]{36}$/)
        }
      }
      const made = yield* Effect.all([call("GET", "/healthz"), call("GET", "/healthz")])
      assert.notStrictEqual(made[0].headers.get("x-request-id"), made[1].headers.get("x-request-id"))
    })
  )

  live("cannot smuggle a header or a second id", () =>
    Effect.gen(function* () {
      const { port } = yield* started()
      const lines = (...extra: ReadonlyArray<string>) =>
        ["GET /healthz HTTP/1.1", "Host: x", "Connection: close", ...extra, "", ""].join("\r\n")
      const twice = yield* raw(port, lines("X-Request-Id: one", "X-Request-Id: two"))
      const injected = yield* raw(port, lines("X-Request-Id: one\nSet-Cookie: a=b"))

      assert.match(twice, /^HTTP\/1\.1 200 /)
      assert.notMatch(twice, /one|two/)
      assert.notMatch(injected, /set-cookie|a=b/i)
    })
  )
})
