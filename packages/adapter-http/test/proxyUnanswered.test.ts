// What the proxy answers when no Workload does.
import { Fence } from "@lockkeeper/core/domain/Lease"
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Exit } from "effect"
import type { ServerResponse } from "node:http"
import { connect } from "node:net"
import { listen } from "../src/internal/proxyListener.ts"
import { makeTarget } from "../src/internal/proxyTarget.ts"
import { ask, freePort, serve, until } from "./support/http.ts"
import { app, live, proxied } from "./support/replicas.ts"

const problem = (code: string, title: string, status: number) =>
  JSON.stringify({ type: `urn:lockkeeper:problem:${code}`, title, status, code })

describe("a Workload that does not answer", () => {
  live("is a 502 that tells nothing of the inside, for every method and for WebSockets", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* proxied(() => {})
      yield* stop
      const expected = problem("upstream_unreachable", "Upstream Unreachable", 502)
      for (const request of [{}, { method: "POST", body: "data" }, { method: "DELETE" }]) {
        const { status, headers, body } = yield* ask(port, request)
        assert.strictEqual(status, 502)
        assert.strictEqual(headers["content-type"], "application/problem+json")
        assert.strictEqual(body, expected)
      }
      const upgrade = yield* ask(port, {
        headers: {
          connection: "Upgrade",
          upgrade: "websocket",
          "sec-websocket-key": "x",
          "sec-websocket-version": "13"
        }
      })
      assert.deepStrictEqual([upgrade.status, upgrade.body], [502, expected])
    })
  )

  live("because it closed a kept connection is asked again, where that changes nothing (INV-8)", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const { port } = yield* proxied((request, response) => {
        asked.push(`${request.method} ${request.headers.connection}`)
        if (asked.length === 2) request.socket.resetAndDestroy()
        else response.end("answered")
      })
      yield* ask(port)
      assert.strictEqual((yield* ask(port)).body, "answered")
      assert.deepStrictEqual(asked, ["GET keep-alive", "GET keep-alive", "GET close"])
    })
  )

  live("is never asked twice to change something, not even on a kept connection", () =>
    Effect.gen(function* () {
      const asked: Array<string | undefined> = []
      const { port } = yield* proxied((request, response) => {
        if (request.method === "GET") return void response.end("kept")
        asked.push(request.method)
        request.socket.resetAndDestroy()
      })
      for (const request of [{ method: "POST", body: "pay" }, { method: "POST" }, { method: "DELETE" }]) {
        yield* ask(port)
        assert.strictEqual((yield* ask(port, request)).status, 502)
      }
      assert.deepStrictEqual(asked, ["POST", "POST", "DELETE"])
    })
  )

  live("to the end of its answer leaves the client with a broken answer, not a whole one", () =>
    Effect.gen(function* () {
      const { port } = yield* proxied((_request, response) => {
        response.writeHead(200, { "content-length": "100" }).write("part")
        setTimeout(() => response.destroy(), 50)
      })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(ask(port))))
    })
  )

  live("in time is a 504, and streams are not limited (H8, H24)", () =>
    Effect.gen(function* () {
      const upstream = yield* serve((request, response) => {
        if (request.url !== "/stream") return
        response.write("begun")
        setTimeout(() => response.end(" ended"), 600)
      })
      const port = yield* freePort
      const causes: Array<string> = []
      const ignore = () => {}
      const listener = yield* listen(port, makeTarget(upstream.address, ignore), {
        host: "127.0.0.1",
        limits: { connect: 5_000, headers: 200 },
        onChange: ignore,
        onError: ignore,
        onProblem: (_port, code) => causes.push(code)
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => (listener.close(), listener.destroy())))

      const late = yield* ask(port)
      assert.deepStrictEqual([late.status, late.body], [504, problem("upstream_timeout", "Upstream Timeout", 504)])
      assert.deepStrictEqual(causes, ["upstream_timeout"])
      assert.strictEqual((yield* ask(port, { path: "/stream" })).body, "begun ended")
    })
  )

  live("because its route has just ended is a 503 on connections that were kept", () =>
    Effect.gen(function* () {
      const begun = Deferred.makeUnsafe<ServerResponse>()
      const { port, router } = yield* proxied((_request, response) => {
        response.writeHead(200, { "content-length": "2" }).write("o")
        Deferred.doneUnsafe(begun, Effect.succeed(response))
      })
      let received = ""
      const client = connect(port, "127.0.0.1")
      const ended = Effect.callback<void>((resume) => void client.once("close", () => resume(Effect.void)))
      client.setEncoding("utf8").on("data", (part) => (received += String(part)))
      client.write("GET / HTTP/1.1\r\nHost: app\r\n\r\n")
      const response = yield* Deferred.await(begun)
      yield* until(Effect.sync(() => received.endsWith("o")))
      client.write("GET / HTTP/1.1\r\nHost: app\r\n\r\n")
      yield* router.remove(app, Fence.make(1))
      yield* Effect.sleep(100)
      response.end("k")
      yield* ended
      assert.match(received, /^HTTP\/1.1 200 OK/)
      assert.match(received, /okHTTP\/1.1 503 Service Unavailable/)
      assert.isTrue(received.endsWith(problem("no_route", "No Route", 503)))
    })
  )
})
