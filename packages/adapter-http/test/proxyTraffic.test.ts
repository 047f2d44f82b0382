// What passes through the proxy, both ways.
import { assert, describe } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber } from "effect"
import { once } from "node:events"
import { type IncomingHttpHeaders, type IncomingMessage, request as send, type ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { ask, echoWebSockets, keeping, named } from "./support/http.ts"
import { app, live, proxied, route } from "./support/replicas.ts"

const lines = (response: IncomingMessage) => Readable.from(response.setEncoding("utf8"))[Symbol.asyncIterator]()

const opened = (port: number, path = "/") =>
  Effect.callback<IncomingMessage>((resume) => {
    send({ host: "127.0.0.1", port, path, agent: false })
      .once("response", (response) => resume(Effect.succeed(response.on("error", () => response.destroy()))))
      .end()
  })

const kibibyte = 1_024
const big = 128 * kibibyte * kibibyte

const chunk = Buffer.alloc(64 * kibibyte, 1)

const bigBody = () =>
  Readable.from(
    (function* () {
      for (let sent = 0; sent < big; sent += chunk.length) yield chunk
    })()
  )

/** Reads how many bytes of buffers are in use, without those that nobody holds any more. */
const heldBytes = () => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc")
  return (): number => {
    collect()
    return process.memoryUsage().arrayBuffers
  }
}

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
      assert.notMatch(JSON.stringify(seen), /9\.9\.9\.9|bank|443/)
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

      assert.notMatch(answer.body, /x-hop|trailers|secret/)
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

  live("of 128 MiB pass up and down without being held in memory", () =>
    Effect.gen(function* () {
      const { port } = yield* proxied((request, response) => {
        let received = 0
        request.on("data", (part: Buffer) => (received += part.length))
        request.once("end", () => {
          response.setHeader("x-received", received)
          void pipeline(bigBody(), response)
        })
      })
      const held = heldBytes()
      const before = held()
      const { up, down, most } = yield* Effect.promise(async () => {
        const outgoing = send({ host: "127.0.0.1", port, method: "POST", agent: false })
        const answered = once(outgoing, "response")
        await pipeline(bigBody(), outgoing)
        const [response] = await answered
        let received = 0
        let most = 0
        for await (const part of response) {
          if (received % (4 * kibibyte * kibibyte) < part.length) most = Math.max(most, held() - before)
          received += part.length
        }
        return { up: Number(response.headers["x-received"]), down: received, most }
      })
      assert.deepStrictEqual([up, down], [big, big])
      assert.isBelow(most, big / 2)
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
      assert.isBelow(Duration.toMillis(took), 1_000)
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
