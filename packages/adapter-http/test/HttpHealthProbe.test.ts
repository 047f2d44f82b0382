// What counts as healthy, and what is said about what does not. Real servers on this machine.
import type { HealthCheck } from "@lockkeeper/core/domain/HealthCheck"
import type { Address } from "@lockkeeper/core/domain/Workload"
import { HealthProbe } from "@lockkeeper/core/port/HealthProbe"
import { makeHealthProbeContract, probeCanary, type ProbeFixture } from "@lockkeeper/core/testing/HealthProbeContract"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { createServer, type Socket } from "node:net"
import * as HttpHealthProbe from "../src/HttpHealthProbe.ts"
import { at, freePort, portOf, serve } from "./support/http.ts"

const tcp: HealthCheck = { intervalMillis: 500, timeoutSeconds: 60 }

const http: HealthCheck = { ...tcp, path: "/healthz?deep=1" }

const probe = (address: Address, check: HealthCheck) =>
  Effect.provide(
    Effect.flatMap(HealthProbe, (probe) => probe.probe(address, check)),
    HttpHealthProbe.layer
  )

const detailOf = (address: Address, check: HealthCheck) =>
  Effect.map(Effect.flip(probe(address, check)), ({ detail }) => detail)

/** A server of bare connections that does with each what it is told. */
const accepting = (onSocket: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly address: Address; readonly close: () => void }>((resume) => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket.on("error", () => socket.destroy()))
        onSocket(socket)
      })
      const close = () => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ address: at(portOf(server)), close })))
    }),
    ({ close }) => Effect.sync(close)
  )

const probed: ProbeFixture<never> = {
  serving: Effect.map(
    serve((_request, response) => response.end()),
    ({ address }) => address
  ),
  failing: Effect.map(
    serve((_request, response) => response.writeHead(500, { "x-said": probeCanary }).end(probeCanary)),
    ({ address }) => address
  ),
  silent: Effect.map(
    serve(() => undefined),
    ({ address }) => address
  ),
  absent: Effect.map(freePort, at)
}

describe("the contract of HealthProbe", () => {
  it.live.each(makeHealthProbeContract(probed).map(({ id, law, run }) => ({ id, law, run })))("$id $law", ({ run }) =>
    Effect.provide(run, HttpHealthProbe.layer)
  )
})

describe("a check with a path", () => {
  it.live.each([200, 204, 301, 399])("passes on %s, and the path is asked for as it is", (status) =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const { address } = yield* serve((request, response) => {
        asked.push(`${request.method} ${request.url}`)
        response.writeHead(status, { location: "/elsewhere" }).end()
      })
      yield* probe(address, http)
      assert.deepStrictEqual(asked, ["GET /healthz?deep=1"])
    })
  )

  it.live.each([400, 404, 500, 503])("does not pass on %s, and says so without what the body says (INV-11)", (status) =>
    Effect.gen(function* () {
      const { address } = yield* serve((_request, response) => response.writeHead(status).end("password=hunter2"))
      assert.strictEqual(yield* detailOf(address, http), `GET /healthz?deep=1 answered ${status}`)
    })
  )

  it.live("passes on the status alone, when the body never ends", () =>
    Effect.gen(function* () {
      const closed = Deferred.makeUnsafe<void>()
      const { address } = yield* serve((_request, response) => {
        response.write("begun")
        response.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
      })
      yield* probe(address, http)
      yield* Deferred.await(closed)
    })
  )

  it.live("does not pass where nothing listens, the connection breaks off or no HTTP is spoken", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* detailOf(at(yield* freePort), http), "the connection was refused")
      const rude = yield* accepting((socket) => socket.resetAndDestroy())
      assert.strictEqual(yield* detailOf(rude.address, http), "the connection was closed without an answer")
      const other = yield* accepting((socket) => socket.end("220 mail.example ESMTP\r\n"))
      assert.match(yield* detailOf(other.address, http), /^what answered is not HTTP \(HPE_/)
    })
  )
})

describe("a check without a path", () => {
  it.live("passes when a connection is taken", () =>
    Effect.gen(function* () {
      const { address } = yield* accepting((socket) => socket.end())
      yield* probe(address, tcp)
    })
  )

  it.live("does not pass when it is refused", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* detailOf(at(yield* freePort), tcp), "the connection was refused")
    })
  )
})

describe("one try", () => {
  it.effect.each([
    { check: http, limit: 5_000 },
    { check: { ...http, intervalMillis: 20_000 }, limit: 20_000 },
    { check: { ...http, timeoutSeconds: 2 }, limit: 2_000 }
  ])("is over after $limit ms, and its connection is closed (H8, H24)", ({ check, limit }) =>
    Effect.gen(function* () {
      const arrived = Deferred.makeUnsafe<void>()
      const closed = Deferred.makeUnsafe<void>()
      const { address } = yield* serve((request) => {
        request.socket.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
        Deferred.doneUnsafe(arrived, Effect.void)
      })
      const asking = yield* Effect.forkChild(detailOf(address, check))
      yield* Deferred.await(arrived)
      yield* TestClock.adjust(limit - 1)
      assert.isUndefined(asking.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(asking), `there was no answer within ${limit} ms`)
      yield* Deferred.await(closed)
    })
  )

  it.live("closes its connection when it is interrupted (H24)", () =>
    Effect.gen(function* () {
      const arrived = Deferred.makeUnsafe<void>()
      const closed = Deferred.makeUnsafe<void>()
      const { address } = yield* serve((request) => {
        request.socket.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
        Deferred.doneUnsafe(arrived, Effect.void)
      })
      const asking = yield* Effect.forkChild(probe(address, http))
      yield* Deferred.await(arrived)
      yield* Fiber.interrupt(asking)
      yield* Deferred.await(closed)
    })
  )
})
