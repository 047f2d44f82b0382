// Requests that come with an Idempotency-Key, on the wire: each is carried out once, and answered the same however often it
// is sent.
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber, Latch } from "effect"
import { Api } from "../src/api/Api.ts"
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

/** Every route that asks for something that must not be done twice. */
const keyed = Object.values(Api.groups)
  .flatMap((group) => Object.values(group.endpoints).map(({ method, path }) => ({ method: String(method), path })))
  .filter(({ method }) => method === "POST" || method === "PATCH")

const withKey = (key: string, options: CallOptions = {}): CallOptions => ({
  ...options,
  headers: { ...options.headers, "idempotency-key": key }
})

const isReplayed = ({ headers }: Answer): boolean => headers.get("idempotency-replayed") === "true"

const sameAnswer = (first: Answer, second: Answer): void => {
  const own = ({ headers }: Answer) =>
    ["content-type", "etag", "location", "content-length"].map((name) => headers.get(name))
  assert.deepStrictEqual([second.status, second.text, own(second)], [first.status, first.text, own(first)])
  assert.deepStrictEqual([isReplayed(first), isReplayed(second)], [false, true])
  assert.notStrictEqual(second.headers.get("x-request-id"), first.headers.get("x-request-id"))
}

const given = Effect.gen(function* () {
  const server = yield* started()
  const app = yield* createApp(server.call)
  const deployment = textAt((yield* server.call("POST", `/v1/apps/${app}/deployments`)).fields, "id")
  const at = (path: string) => path.replace(":app", app).replace(":deployment", deployment)
  return { ...server, app, at }
})

const revisionOf = Effect.fnUntraced(function* (call: Effect.Success<typeof given>["call"], app: string) {
  return (yield* call("GET", `/v1/apps/${app}/env`)).fields["revision"]
})

describe("B11 X4 an idempotency key", () => {
  live("answers the same request the same on every POST and PATCH route, and another one 409", () =>
    Effect.gen(function* () {
      const { at, call } = yield* given
      assert.isAbove(keyed.length, 3)
      for (const { method, path } of keyed) {
        const send = (body: unknown, token = tokens.admin) => call(method, at(path), withKey("k 1", { body, token }))
        const first = yield* send({})
        assert.isBelow(first.status, 500, path)
        sameAnswer(first, yield* send({}))
        sameAnswer(first, yield* send({}))
        assertProblem(yield* send({ other: true }), 409, "idempotency_key_reused")
        assert.isFalse(isReplayed(yield* send({}, tokens.acme)), path)
      }
    })
  )

  live("makes one App, deploys it once and changes its Env once, with the Location and ETag of the first answer", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const twice = Effect.fnUntraced(function* (method: string, path: string, body: unknown) {
        const first = yield* call(method, path, withKey("once", { body }))
        sameAnswer(first, yield* call(method, path, withKey("once", { body })))
        return first
      })
      const created = yield* twice("POST", "/v1/apps", { tenant: "acme", name: "web", source: archive })
      const app = textAt(created.fields, "id")
      assert.deepStrictEqual([created.status, created.headers.get("location")], [201, `/v1/apps/${app}`])
      const begun = yield* twice("POST", `/v1/apps/${app}/deployments`, {})
      assert.strictEqual(begun.status, 202)
      const merged = yield* twice("PATCH", `/v1/apps/${app}/env`, { env: { A: "1" } })
      assert.deepStrictEqual([merged.status, merged.headers.get("etag")], [200, '"1"'])
      yield* call("PATCH", `/v1/apps/${app}/env`, { body: { env: { A: "2" } } })
      assert.isTrue(
        isReplayed(yield* call("PATCH", `/v1/apps/${app}/env`, withKey("once", { body: { env: { A: "1" } } })))
      )
      const env = yield* call("GET", `/v1/apps/${app}/env?reveal=true`)
      assert.deepStrictEqual([env.fields["env"], env.fields["revision"]], [{ A: "2" }, 2])
      assert.lengthOf(each(yield* call("GET", "/v1/apps"), "id"), 1)
      assert.lengthOf(each(yield* call("GET", `/v1/apps/${app}/deployments`), "id"), 1)
    })
  )

  live("keeps what was refused, with the request id of the first request in the body", () =>
    Effect.gen(function* () {
      const { call } = yield* given
      const body = { tenant: "acme", name: "web" }
      const first = yield* call("POST", "/v1/apps", withKey("taken", { body, headers: { "x-request-id": "first" } }))
      assertProblem(first, 409, "app_name_taken")
      const second = yield* call("POST", "/v1/apps", withKey("taken", { body, headers: { "x-request-id": "second" } }))
      sameAnswer(first, second)
      assert.deepStrictEqual([second.fields["requestId"], second.headers.get("x-request-id")], ["first", "second"])
    })
  )

  live("is that of one token on one route, and stands for method, path, query, If-Match and body", () =>
    Effect.gen(function* () {
      const { app, call } = yield* given
      const other = yield* createApp(call, { name: "other" })
      const body = { env: { A: "1" } }
      const merge = (path: string, options: CallOptions = {}) => call("PATCH", path, withKey("k", { body, ...options }))
      const first = yield* merge(`/v1/apps/${app}/env`)
      assert.strictEqual(first.status, 200)
      for (const fresh of [
        yield* merge(`/v1/apps/${app}/env`, { token: tokens.acme }),
        yield* merge(`/v1/apps/${other}/env`),
        yield* merge(`/v1/apps/${app}`, { body: {} })
      ]) {
        assert.deepStrictEqual([fresh.status, isReplayed(fresh)], [200, false])
      }
      for (const changed of [
        yield* merge(`/v1/apps/${app}/env?dryRun=true`),
        yield* merge(`/v1/apps/${app}/env`, { headers: { "if-match": '"1"' } }),
        yield* merge(`/v1/apps/${app}/env`, { body: { env: { A: "2" } } }),
        yield* merge(`/v1/apps/${app}/env`, { body: '{"env":{"A":"1"} }' })
      ]) {
        assertProblem(changed, 409, "idempotency_key_reused")
      }
      assert.isTrue(isReplayed(yield* merge(`/v1//apps/${app}/env/`)))
      assert.isFalse(isReplayed(yield* merge(`/v1/apps/${app}/env`, { token: tokens.other })))
    })
  )

  live("is 1 to 255 printable characters of ASCII, or nothing is done", () =>
    Effect.gen(function* () {
      const { app, call, port } = yield* given
      const path = `/v1/apps/${app}/env`
      const body = { env: { A: "1" } }
      for (const key of ["", "x".repeat(256), "\u00e9", "a\tb"]) {
        assertProblem(yield* call("PATCH", path, withKey(key, { body })), 400, "invalid_body")
        assertProblem(yield* call("PATCH", path, withKey(key, { body: "{" })), 400, "invalid_body")
      }
      const head = `PATCH ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${tokens.admin}\r\n`
      assert.match(
        yield* raw(port, `${head}Idempotency-Key: a\u0080b\r\nContent-Length: 0\r\n\r\n`),
        / 400 [^]*idempotency-key/
      )
      assert.strictEqual(yield* revisionOf(call, app), 0)
      for (const key of ["x".repeat(255), "!", "~ ~", "k,k", '"quoted"']) {
        assert.strictEqual((yield* call("PATCH", path, withKey(key, { body }))).status, 200)
        assert.isTrue(isReplayed(yield* call("PATCH", path, withKey(key, { body }))))
      }
    })
  )

  live("means nothing to what only reads, to unknown routes and to strangers", () =>
    Effect.gen(function* () {
      const { app, call } = yield* given
      for (const [method, path, status, options] of [
        ["GET", `/v1/apps/${app}`, 200, {}],
        ["POST", "/v1/nowhere", 404, { body: {} }],
        ["POST", `/v1/apps/${app}`, 405, { body: {} }],
        ["POST", "/v1/apps", 401, { body: {}, token: "wrong" }],
        ["POST", "/v1/apps", 413, { body: `"${"x".repeat(1_100_000)}"` }]
      ] as const) {
        for (const _ of [1, 2]) {
          const answer = yield* call(method, path, withKey("k", options))
          assert.deepStrictEqual([answer.status, isReplayed(answer)], [status, false], `${method} ${path}`)
        }
      }
      const body = { tenant: "acme", name: "later" }
      assert.strictEqual((yield* call("POST", "/v1/apps", withKey("k", { body }))).status, 201)
    })
  )

  live("is answered 409 idempotency_in_progress while its first request goes on, and then as that was", () =>
    Effect.gen(function* () {
      const [reached, proceed] = [yield* Latch.make(), yield* Latch.make()]
      const ports = altered(AppStore, (store) => ({
        ...store,
        register: (app) => reached.open.pipe(Effect.andThen(proceed.await), Effect.andThen(store.register(app)))
      }))
      const { call } = yield* started({ ports })
      const make = (name: string) => call("POST", "/v1/apps", withKey("k", { body: { tenant: "acme", name } }))
      const first = yield* Effect.forkChild(make("one"))
      yield* reached.await
      assertProblem(yield* make("one"), 409, "idempotency_in_progress")
      assertProblem(yield* make("other"), 409, "idempotency_key_reused")
      yield* proceed.open
      const answer = yield* Fiber.join(first)
      assert.strictEqual(answer.status, 201)
      sameAnswer(answer, yield* make("one"))
    })
  )

  live("of twenty that are sent at once for the first time has one carried out", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const send = call("POST", "/v1/apps", withKey("k", { body: { tenant: "acme", name: "web" } }))
      const all = yield* Effect.all(
        Array.from({ length: 20 }, () => send),
        { concurrency: "unbounded" }
      )
      const done = all.filter((answer) => answer.status === 201 && !isReplayed(answer))
      assert.lengthOf(done, 1)
      for (const answer of all) {
        if (answer.status === 201) assert.strictEqual(answer.text, done[0]?.text)
        else assertProblem(answer, 409, "idempotency_in_progress")
      }
      assert.lengthOf(each(yield* call("GET", "/v1/apps"), "id"), 1)
    })
  )
})
