// What passes through the proxy, both ways, and what it answers when no Workload does.
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { type IncomingHttpHeaders, type IncomingMessage, request as send, type ServerResponse } from "node:http"
import { connect } from "node:net"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { listen } from "../src/internal/proxyListener.ts"
import { makeTarget } from "../src/internal/proxyTarget.ts"
import { ask, at, echoWebSockets, freePort, keeping, named, serve, stop, until } from "./support/http.ts"
import { app, live, replica, route } from "./support/replicas.ts"

/** A server behind the proxy, and the port of the proxy. */
const proxied = Effect.fnUntraced(function* (listener: (request: IncomingMessage, response: ServerResponse) => void) {
  const upstream = yield* serve(listener)
  const port = yield* freePort
  const router = yield* replica("a")
  yield* router.swap(route(port, 1, upstream.address))
  return { ...upstream, port, router }
})

const lines = (response: IncomingMessage) => Readable.from(response.setEncoding("utf8"))[Symbol.asyncIterator]()

const opened = (port: number, path = "/") =>
  Effect.callback<IncomingMessage>((resume) => {
    send({ host: "127.0.0.1", port, path, agent: false })
      .once("response", (response) => resume(Effect.succeed(response.on("error", () => response.destroy()))))
      .end()
  })

const problem = (code: string, title: string, status: number) =>
  JSON.stringify({ type: `urn:lockkeeper:problem:${code}`, title, status, code })

const kibibyte = 1_024
const big = 50 * kibibyte * kibibyte

const bigBody = () =>
  Readable.from(
    (function* () {
      for (let sent = 0; sent < big; sent += 64 * kibibyte) yield Buffer.alloc(64 * kibibyte, 1)
    })()
  )

describe("headers", () => {
  live("say who asked and how, whatever the client claims", () =>
    Effect.gen(function* () {
      const { port } = yield* proxied((request, response) => void response.end(JSON.stringify(request.headers)))
      const claims = {
        "x-forwarded-for": "9.9.9.9",
        "x-forwarded-host": "bank.example",
        "x-forwarded-proto": "https",
        "x-forwarded-port": "443",
        "x-real-ip": "9.9.9.9",
        forwarded: "for=9.9.9.9"
      }
      const seen: IncomingHttpHeaders = JSON.parse(
        (yield* ask(port, { headers: { ...claims, host: "app.example" } })).body
      )

      assert.strictEqual(seen.host, "app.example")
      assert.strictEqual(seen["x-forwarded-for"], "127.0.0.1")
      assert.strictEqual(seen["x-forwarded-host"], "app.example")
      assert.strictEqual(seen["x-forwarded-proto"], "http")
      assert.doesNotMatch(JSON.stringify(seen), /9\.9\.9\.9|bank|443/)
    })
  )

  live("of one connection do not pass to the other", () =>
    Effect.gen(function* () {
      const { port } = yield* proxied((request, response) => {
        response.setHeader("connection", "close, x-private")
        response.setHeader("x-private", "1")
        response.setHeader("x-public", "1")
        response.end(JSON.stringify(request.headers))
      })
      const agent = yield* keeping
      const headers = { connection: "keep-alive, x-hop", "x-hop": "1", te: "trailers", "proxy-authorization": "secret" }
      const answer = yield* ask(port, { agent, headers })

      assert.doesNotMatch(answer.body, /x-hop|trailers|secret/)
      assert.notProperty(answer.headers, "x-private")
      assert.strictEqual(answer.headers["x-public"], "1")
      assert.strictEqual(answer.headers.connection, "keep-alive")
    })
  )
})

describe("streams", () => {
  live("pass event by event, while the answer goes on (SSE)", () =>
    Effect.gen(function* () {
      const begun = Deferred.makeUnsafe<ServerResponse>()
      const { port } = yield* proxied((_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n")
        Deferred.doneUnsafe(begun, Effect.succeed(response))
      })
      const response = yield* opened(port)
      const events = lines(response)
      assert.strictEqual(response.headers["content-type"], "text/event-stream")
      assert.strictEqual((yield* Effect.promise(() => events.next())).value, "data: 1\n\n")
      const upstream = yield* Deferred.await(begun)
      upstream.write("data: 2\n\n")
      assert.strictEqual((yield* Effect.promise(() => events.next())).value, "data: 2\n\n")
      upstream.end()
      assert.isTrue((yield* Effect.promise(() => events.next())).done)
    })
  )

  live("pass chunk by chunk in both directions at once", () =>
    Effect.gen(function* () {
      const { port } = yield* proxied((request, response) => void request.pipe(response))
      const outgoing = send({ host: "127.0.0.1", port, method: "POST", agent: false })
      outgoing.write("ping")
      const response = yield* Effect.callback<IncomingMessage>((resume) => {
        outgoing.once("response", (response) => resume(Effect.succeed(response)))
      })
      const chunks = lines(response)
      assert.strictEqual((yield* Effect.promise(() => chunks.next())).value, "ping")
      outgoing.end("pong")
      assert.strictEqual((yield* Effect.promise(() => chunks.next())).value, "pong")
      assert.isTrue((yield* Effect.promise(() => chunks.next())).done)
    })
  )

  live("of 50 MiB pass up and down without being held in memory", () =>
    Effect.gen(function* () {
      const { port } = yield* proxied((request, response) => {
        let received = 0
        request.on("data", (chunk: Buffer) => (received += chunk.length))
        request.once("end", () => {
          response.setHeader("x-received", received)
          void pipeline(bigBody(), response)
        })
      })
      const heldBefore = process.memoryUsage().arrayBuffers
      let held = 0
      const outgoing = send({ host: "127.0.0.1", port, method: "POST", agent: false })
      const [down, up] = yield* Effect.promise(async () => {
        const answered = new Promise<IncomingMessage>((resolve) => outgoing.once("response", resolve))
        await pipeline(bigBody(), outgoing)
        const response = await answered
        let received = 0
        for await (const chunk of response) {
          received += Buffer.from(chunk).length
          held = Math.max(held, process.memoryUsage().arrayBuffers - heldBefore)
        }
        return [received, Number(response.headers["x-received"])]
      })
      assert.deepStrictEqual([down, up], [big, big])
      assert.isBelow(held, 25 * kibibyte * kibibyte)
    })
  )

  live("wait for a Workload that does not read", () =>
    Effect.gen(function* () {
      const arrived = Deferred.makeUnsafe<IncomingMessage>()
      const { port } = yield* proxied((request, response) => {
        Deferred.doneUnsafe(arrived, Effect.succeed(request.pause()))
        request.once("end", () => response.end())
      })
      let sent = 0
      const body = bigBody().on("data", (chunk: Buffer) => (sent += chunk.length))
      const outgoing = send({ host: "127.0.0.1", port, method: "POST", agent: false })
      const answered = new Promise((resolve) => outgoing.once("response", resolve))
      const sending = pipeline(body, outgoing)
      const request = yield* Deferred.await(arrived)
      yield* Effect.sleep(500)
      assert.isBelow(sent, big)
      request.resume()
      yield* Effect.promise(() => Promise.all([sending, answered]))
      assert.strictEqual(sent, big)
    })
  )

  live("pass as WebSockets, which hold up no drain and go on after a switch", () =>
    Effect.gen(function* () {
      const { server, port, router } = yield* proxied((_request, response) => void response.end())
      echoWebSockets(server)
      const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`)
      const next = () =>
        Effect.callback<unknown>((resume) => {
          socket.addEventListener("message", ({ data }) => resume(Effect.succeed(data)), { once: true })
        })
      yield* Effect.callback<void>((resume) => socket.addEventListener("open", () => resume(Effect.void)))
      socket.send("hello")
      assert.strictEqual(yield* next(), "hello")

      yield* router.swap(route(port, 2, (yield* named("next")).address))
      const [took] = yield* Effect.timed(router.drain(app))
      assert.isTrue(took.toString() !== "" && (yield* Effect.succeed(true)))
      socket.send("still here")
      assert.strictEqual(yield* next(), "still here")
      socket.close()
    })
  )
})

describe("a client that goes away", () => {
  live("ends the request to the Workload (H24)", () =>
    Effect.gen(function* () {
      const gone = Deferred.makeUnsafe<void>()
      const { port } = yield* proxied((_request, response) => {
        response.once("close", () => Deferred.doneUnsafe(gone, Effect.void))
      })
      const client = yield* Effect.forkChild(ask(port))
      yield* Effect.sleep(100)
      yield* Fiber.interrupt(client)
      yield* Deferred.await(gone)
    })
  )

  live("ends an answer that streams (H24)", () =>
    Effect.gen(function* () {
      const gone = Deferred.makeUnsafe<void>()
      const { port } = yield* proxied((_request, response) => {
        response.write("begun")
        response.once("close", () => Deferred.doneUnsafe(gone, Effect.void))
      })
      const response = yield* opened(port)
      response.destroy()
      yield* Deferred.await(gone)
    })
  )
})

describe("a Workload that does not answer", () => {
  live("is a 502 that tells nothing of the inside, for every method and for WebSockets", () =>
    Effect.gen(function* () {
      const { port, server } = yield* proxied(() => {})
      yield* stop(server)
      const expected = problem("upstream_unreachable", "Upstream Unreachable", 502)
      for (const method of ["GET", "POST", "DELETE"]) {
        const { status, headers, body } = yield* ask(port, { method, body: method === "GET" ? "" : "data" })
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

  live("is never asked twice to change something", () =>
    Effect.gen(function* () {
      let asked = 0
      const { port } = yield* proxied((request) => {
        asked++
        request.socket.resetAndDestroy()
      })
      assert.strictEqual((yield* ask(port, { method: "POST", body: "pay" })).status, 502)
      assert.strictEqual(asked, 1)
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
      client.setEncoding("utf8").on("data", (chunk) => (received += String(chunk)))
      client.write("GET / HTTP/1.1\r\nHost: app\r\n\r\nGET / HTTP/1.1\r\nHost: app\r\n\r\n")
      const response = yield* Deferred.await(begun)
      yield* router.remove(app, route(port, 1, at(1)).fence)
      response.end("k")
      yield* until(Effect.sync(() => received.includes("no_route") || client.destroyed))
      assert.match(received, /HTTP\/1.1 200/)
      client.destroy()
    })
  )
})
