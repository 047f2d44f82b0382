// Who may do what: no token, no answer; and what is another Tenant's does not exist.
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { assert, describe } from "@effect/vitest"
import { Cause, Effect, Logger } from "effect"
import { inspect } from "node:util"
import {
  type Answer,
  archive,
  assertProblem,
  type CallOptions,
  createApp,
  each,
  live,
  raw,
  started,
  textAt
} from "./support/call.ts"
import { altered, tokens } from "./support/memoryServer.ts"

const routes = (app: string, deployment: string): ReadonlyArray<readonly [string, string]> => [
  ["GET", "/v1/tenants/acme"],
  ["POST", "/v1/apps"],
  ["GET", "/v1/apps"],
  ["GET", `/v1/apps/${app}`],
  ["PATCH", `/v1/apps/${app}`],
  ["GET", `/v1/apps/${app}/env`],
  ["PATCH", `/v1/apps/${app}/env`],
  ["PUT", `/v1/apps/${app}/env`],
  ["GET", `/v1/apps/${app}/env/history`],
  ["POST", `/v1/apps/${app}/deployments`],
  ["GET", `/v1/apps/${app}/deployments`],
  ["GET", `/v1/deployments/${deployment}`],
  ["GET", `/v1/deployments/${deployment}/explanation`],
  ["GET", `/v1/deployments/${deployment}/logs`],
  ["GET", `/v1/apps/${app}/logs`]
]

const withoutRequestId = ({ text }: Answer): string => text.replace(/"requestId":"[^"]*"/, "")

const begun = Effect.gen(function* () {
  const server = yield* started()
  const app = yield* createApp(server.call)
  const deployment = textAt((yield* server.call("POST", `/v1/apps/${app}/deployments`)).fields, "id")
  return { ...server, app, deployment }
})

describe("401 before anything else", () => {
  live("on every route below /v1, on unknown ones and under wrong methods", () =>
    Effect.gen(function* () {
      const { call, app, deployment } = yield* begun
      const unknown = [
        ["GET", "/v1"],
        ["GET", "/v1/nowhere"],
        ["DELETE", "/v1/apps"]
      ] as const
      for (const [method, path] of [...routes(app, deployment), ...unknown]) {
        const answer = yield* call(method, path, { token: null })
        assertProblem(answer, 401, "unauthorized")
        assert.strictEqual(answer.headers.get("www-authenticate"), "Bearer")
      }
    })
  )

  live("whatever is wrong with the token", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const secret = tokens.admin
      const wrong = [
        "",
        "Bearer",
        "Bearer ",
        secret,
        `Basic ${btoa(`:${secret}`)}`,
        `Token ${secret}`,
        `Bearer${secret}`,
        `Bearer ${secret}x`,
        `Bearer ${secret.slice(1)}`,
        `Bearer ${secret.toUpperCase()}`,
        `Bearer "${secret}"`,
        `Bearer ${secret}, Bearer ${secret}`,
        `Bearer ${"x".repeat(4_000)}`,
        "Bearer *",
        "Bearer ops"
      ]
      for (const authorization of wrong) {
        const answer = yield* call("GET", "/v1/apps", { token: null, headers: { authorization } })
        assertProblem(answer, 401, "unauthorized")
        assert.notInclude(answer.text, secret)
      }
      const lowerCase = { authorization: `bearer  ${secret}` }
      assert.strictEqual((yield* call("GET", "/v1/apps", { token: null, headers: lowerCase })).status, 200)
    })
  )

  live("also when the body, its type, its length or its idempotency key would be refused", () =>
    Effect.gen(function* () {
      const { call, app } = yield* begun
      const bad: ReadonlyArray<CallOptions> = [
        { body: "{" },
        { body: { unknown: 1 } },
        { body: "x", headers: { "content-type": "text/plain" } },
        { body: `"${"x".repeat(1_100_000)}"` },
        { body: {}, headers: { "idempotency-key": "k" } }
      ]
      for (const options of bad) {
        assertProblem(yield* call("POST", "/v1/apps", { ...options, token: "wrong" }), 401, "unauthorized")
        assertProblem(yield* call("PATCH", `/v1/apps/${app}/env`, { ...options, token: "wrong" }), 401, "unauthorized")
      }
    })
  )

  live("the first of two Authorization headers counts, so nothing is added behind a proxy's", () =>
    Effect.gen(function* () {
      const { port } = yield* started()
      const head = ["GET /v1/apps HTTP/1.1", "Host: x", "Connection: close"]
      const lines = [...head, "Authorization: Bearer wrong", `Authorization: Bearer ${tokens.admin}`, "", ""]
      assert.match(yield* raw(port, lines.join("\r\n")), /^HTTP\/1\.1 401 /)
    })
  )

  live("but never on health, readiness, metrics and the documentation", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"]) {
        assert.strictEqual((yield* call("GET", path, { token: null })).status, 200, path)
      }
    })
  )
})

describe("another Tenant's", () => {
  live("App, Env, Deployments and logs are 404, byte for byte as what is missing", () =>
    Effect.gen(function* () {
      const { call, app, deployment } = yield* begun
      const own = routes(app, deployment).filter(([, path]) => /app_|dep_/.test(path))
      const missing = routes("app_missing", "dep_missing").filter(([, path]) => /app_|dep_/.test(path))
      assert.strictEqual(own.length, 12)
      for (const [index, [method, path]] of own.entries()) {
        const body = method === "GET" ? {} : { body: path.endsWith("/env") ? { env: { A: "1" } } : {} }
        const theirs = yield* call(method, path, { token: tokens.other, ...body })
        const none = yield* call(method, missing[index]?.[1] ?? "", { token: tokens.other, ...body })
        assertProblem(theirs, 404, "not_found")
        assert.strictEqual(withoutRequestId(theirs), withoutRequestId(none))
        assert.deepStrictEqual([...theirs.headers.keys()], [...none.headers.keys()])
      }
    })
  )

  live("name in a body, a query or a path is 404, and nothing is made", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const body = { tenant: "acme", name: "web", source: archive }
      assertProblem(yield* call("POST", "/v1/apps", { token: tokens.other, body }), 404, "not_found")
      assertProblem(yield* call("GET", "/v1/apps?tenant=acme", { token: tokens.other }), 404, "not_found")
      assertProblem(yield* call("GET", "/v1/tenants/acme", { token: tokens.other }), 404, "not_found")
      assert.deepStrictEqual(each(yield* call("GET", "/v1/apps"), "id"), [])
    })
  )

  live("change no cap, not even their own: 403 without a token for every tenant", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      for (const tenant of ["other", "acme"]) {
        const answer = yield* call("PUT", `/v1/tenants/${tenant}`, { token: tokens.other, body: { jobCap: 9 } })
        assertProblem(answer, 403, "forbidden")
      }
      assert.deepInclude((yield* call("GET", "/v1/tenants/acme")).fields, { jobCap: 3 })
    })
  )

  live("name as an App's name says nothing about it: names are per Tenant", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      yield* createApp(call)
      const mine = yield* call("POST", "/v1/apps", { token: tokens.other, body: { tenant: "other", name: "web" } })
      const again = yield* call("POST", "/v1/apps", { token: tokens.other, body: { tenant: "other", name: "web" } })
      assert.strictEqual(mine.status, 201)
      assertProblem(again, 409, "app_name_taken")
    })
  )

  live("is everything to a token of `*`", () =>
    Effect.gen(function* () {
      const { call, app, deployment } = yield* begun
      const readable = routes(app, deployment).filter(
        ([method, path]) => method === "GET" && !path.endsWith(`${app}/logs`)
      )
      assert.lengthOf(readable, 9)
      for (const [method, path] of readable) assert.strictEqual((yield* call(method, path)).status, 200, path)
    })
  )
})

describe("tokens", () => {
  live("are in no answer and in no log line, also when a request fails", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const collect = Logger.make(({ message, cause }) => logged.push(`${inspect(message)} ${Cause.pretty(cause)}`))
      const away = () => Effect.fail(new StoreError({ operation: "list", reason: "unavailable", cause: "away" }))
      const ports = altered(AppStore, (original) => ({ ...original, list: away }))
      const { call } = yield* Effect.provide(started({ ports }), Logger.layer([collect]))
      const known = Object.values(tokens)
      for (const token of [...known, "not-a-token"]) {
        for (const [method, path] of routes("app_1", "dep_1")) {
          const answer = yield* call(method, path, { token, ...(method === "GET" ? {} : { body: "{" }) })
          assert.notInclude(answer.text + inspect([...answer.headers]), token)
        }
      }
      assert.lengthOf(logged, known.length)
      for (const line of logged) {
        assert.include(line, "StoreError")
        assert.notMatch(line, /-secret|not-a-token/)
      }
    })
  )
})
