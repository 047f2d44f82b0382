// Requests that no route takes, and how a server that stops treats those that one does.
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { assertProblem, createApp, live, raw, started } from "./support/call.ts"
import { isListening, until } from "./support/http.ts"
import { altered } from "./support/memoryServer.ts"

describe("requests that no route takes", () => {
  live("are 404 not_found, also when their path is no path", () =>
    Effect.gen(function* () {
      const { call, port } = yield* started()
      for (const path of [
        "/",
        "/nowhere",
        "/v1",
        "/v1/nowhere",
        "/healthzz",
        "/%zz",
        "/v1/apps/%zz",
        "/v1/apps/a/b/c"
      ]) {
        assertProblem(yield* call("GET", path), 404, "not_found")
      }
      const head = yield* raw(port, "GET //evil.example/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      assert.match(head, /^HTTP\/1\.1 404 [^]*"code":"not_found"/)
    })
  )

  live("are 405 method_not_allowed with Allow where another method is taken", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const cases = [
        ["DELETE", "/v1/apps", "GET, HEAD, POST"],
        ["OPTIONS", "/v1/apps/", "GET, HEAD, POST"],
        ["PUT", "/v1/apps/app_1", "DELETE, GET, HEAD, PATCH"],
        ["POST", "/v1/apps/app_1/env", "GET, HEAD, PATCH, PUT"],
        ["PUT", "/v1/apps/app_1/env/history", "GET, HEAD"],
        ["PATCH", "/v1/deployments/dep_1", "GET, HEAD"],
        ["POST", "/healthz", "GET, HEAD"],
        ["POST", "/openapi.json", "GET, HEAD"],
        ["DELETE", "/docs", "GET, HEAD"],
        ["PUT", "/metrics?x=1", "GET, HEAD"]
      ] as const
      for (const [method, path, allow] of cases) {
        const answer = yield* call(method, path)
        assertProblem(answer, 405, "method_not_allowed")
        assert.strictEqual(answer.headers.get("allow"), allow)
      }
    })
  )

  live("HEAD answers as GET does, without a body, also what is wrong", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const id = yield* createApp(call)
      for (const path of [
        "/healthz",
        "/v1/apps",
        `/v1/apps/${id}`,
        `/v1/apps/${id}/env`,
        "/v1/apps/app_missing",
        "/nowhere"
      ]) {
        const get = yield* call("GET", path)
        const head = yield* call("HEAD", path, { headers: { "idempotency-key": "k" } })
        assert.strictEqual(head.status, get.status, path)
        assert.strictEqual(head.headers.get("content-type"), get.headers.get("content-type"))
        assert.strictEqual(head.text, "")
      }
    })
  )

  live("a head of a request that is too long or no HTTP is refused with nothing internal", () =>
    Effect.gen(function* () {
      const { port, call } = yield* started()
      const long = yield* raw(port, `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`)
      const garbage = yield* raw(port, "what is this\r\n\r\n")
      const smuggled =
        "POST /v1/apps HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
      assert.match(long, /^HTTP\/1\.1 431 [^\r]*\r\nConnection: close\r\n\r\n$/)
      assert.match(garbage, /^HTTP\/1\.1 400 [^\r]*\r\nConnection: close\r\n\r\n$/)
      assert.match(yield* raw(port, smuggled), /^HTTP\/1\.1 400 [^\r]*\r\nConnection: close\r\n\r\n$/)
      assert.strictEqual((yield* call("GET", "/healthz")).status, 200)
    })
  )
})

describe("a server that stops", () => {
  live("X14 answers what is in progress and takes nothing new", () =>
    Effect.gen(function* () {
      const reached = yield* Deferred.make<void>()
      const proceed = yield* Deferred.make<void>()
      const ports = altered(AppStore, (store) => ({
        ...store,
        list: (tenant, page) =>
          Deferred.succeed(reached, undefined).pipe(
            Effect.andThen(Deferred.await(proceed)),
            Effect.andThen(store.list(tenant, page))
          )
      }))
      const scope = yield* Scope.make()
      const { call, port } = yield* Scope.provide(started({ ports }), scope)
      const inProgress = yield* Effect.forkChild(call("GET", "/v1/apps"))
      yield* Deferred.await(reached)

      const stopped = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* until(Effect.map(isListening(port), (listening) => !listening))
      assert.isUndefined(stopped.pollUnsafe())
      yield* Deferred.succeed(proceed, undefined)
      const answer = yield* Fiber.join(inProgress)
      yield* Fiber.join(stopped)

      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(answer.fields, { items: [], nextCursor: null })
    })
  )
})
