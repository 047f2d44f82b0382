// What goes over the wire to a webhook, and what is made of its answers. Real receivers on this machine, which check the
// signature by their own means.
import { AppId } from "@lockkeeper/core/domain/App"
import { type Event, EventId } from "@lockkeeper/core/domain/Event"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { Subscriber } from "@lockkeeper/core/port/Subscriber"
import {
  makeSubscriberContract,
  subscriberCanary,
  type SubscriberFixture
} from "@lockkeeper/core/testing/SubscriberContract"
import { assert, describe, it } from "@effect/vitest"
import { Context, DateTime, Deferred, Effect, Fiber, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { createServer } from "node:net"
import type { ServerResponse } from "node:http"
import * as WebhookSubscriber from "../src/WebhookSubscriber.ts"
import { freePort, portOf, serve } from "./support/http.ts"
import { isSigned, keyOf, type Receiver, receiver } from "../../../test/harness/webhookReceiver.ts"

const secret = `whsec_${Buffer.from("twenty-four bytes or more").toString("base64")}`

const event: Event = {
  id: EventId.make("742-19"),
  type: "deployment.failed",
  at: DateTime.makeUnsafe("2026-02-03T04:05:06.789Z"),
  tenant: TenantName.make("acme"),
  app: AppId.make("app_one"),
  subject: "dep_one",
  data: { number: 7, code: "build_failed", release: null }
}

const json =
  '{"id":"742-19","type":"deployment.failed","at":"2026-02-03T04:05:06.789Z","tenant":"acme","app":"app_one","subject":"dep_one","data":{"number":7,"code":"build_failed","release":null}}'

const deliverTo = (port: number, path = "/events?of=lockkeeper", signedWith = secret) =>
  Effect.flatMap(
    WebhookSubscriber.make({
      url: Redacted.make(`http://127.0.0.1:${port}${path}`),
      secret: Redacted.make(signedWith)
    }),
    ({ deliver }) => deliver(event)
  )

const refusedBy = (port: number, path?: string) =>
  Effect.map(Effect.flip(deliverTo(port, path)), (error) =>
    error._tag === "SubscriberError" ? [error.reason, error.detail] : [error._tag]
  )

class Listening extends Context.Service<Listening, Receiver>()("@lockkeeper/adapter-http/test/Listening") {}

const listening = Layer.unwrap(
  Effect.gen(function* () {
    const self = receiver()
    const { address } = yield* serve(self.listener)
    const url = Redacted.make(`http://127.0.0.1:${address.port}/`)
    return Layer.merge(Layer.succeed(Listening, self), WebhookSubscriber.layer({ url, secret: Redacted.make(secret) }))
  })
)

const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
  take: (response) => void response.writeHead(200).end("thank you"),
  refuse: (response) => void response.writeHead(422, { "x-why": subscriberCanary }).end(subscriberCanary),
  fail: (response) => void response.writeHead(500, subscriberCanary).end(subscriberCanary),
  nothing: () => undefined
}

const fixture: SubscriberFixture<Listening> = {
  does: (what) => Effect.map(Listening, (self) => void (self.answer = answers[what] ?? self.answer)),
  arrived: Effect.map(Listening, ({ calls }) => calls.map((call) => call.event))
}

describe("the contract of Subscriber", () => {
  it.live.each(makeSubscriberContract(fixture).map(({ id, law, run }) => ({ id, law, run })))(
    "$id $law",
    ({ run }) => Effect.provide(run, Layer.fresh(listening)),
    30_000
  )
})

describe("X12 U7 what a webhook gets", () => {
  it.live.each([secret, "a secret as it is, long enough\n"])(
    "is the JSON of the event, signed as Standard Webhooks has it",
    (given) =>
      Effect.gen(function* () {
        const self = receiver()
        const { address } = yield* serve(self.listener)
        yield* deliverTo(address.port, undefined, given)
        const [call] = self.calls
        if (call === undefined) return assert.fail("nothing came")
        assert.deepStrictEqual([call.method, call.path, call.body], ["POST", "/events?of=lockkeeper", json])
        assert.strictEqual(call.headers["content-type"], "application/json")
        assert.strictEqual(call.headers["webhook-id"], "742-19")
        assert.isTrue(isSigned(call, given.trim()))
        assert.isFalse(isSigned({ ...call, body: `${call.body} ` }, given.trim()))
        assert.isFalse(isSigned(call, "a secret of somebody else"))
        assert.isFalse(isSigned({ ...call, headers: { ...call.headers, "webhook-id": "742-20" } }, given.trim()))
      })
  )

  it("is checked here as in the example of the specification", () => {
    const body = '{"test": 2432232314}'
    const known = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert.strictEqual(keyOf(known).byteLength, 24)
    const headers = {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    }
    assert.isTrue(isSigned({ headers, body }, known, 1_614_265_330))
    assert.isFalse(isSigned({ headers, body }, known))
  })

  it.live("has the same id and another signature of its own time in every try", () =>
    Effect.gen(function* () {
      const self = receiver()
      let left = 2
      self.answer = (response) => void response.writeHead(left-- > 0 ? 500 : 204).end()
      const { address } = yield* serve(self.listener)
      assert.deepStrictEqual(yield* refusedBy(address.port), ["unavailable", "it answered 500"])
      assert.deepStrictEqual(yield* refusedBy(address.port), ["unavailable", "it answered 500"])
      yield* deliverTo(address.port)
      assert.deepStrictEqual(
        self.calls.map((call) => [call.headers["webhook-id"], call.body, isSigned(call, secret)]),
        Array.from({ length: 3 }, () => ["742-19", json, true])
      )
    })
  )
})

describe("X12 what is made of an answer", () => {
  const statuses = [
    ...[200, 201, 202, 204, 299].map((status) => [status, "taken"] as const),
    ...[400, 409, 410, 413, 415, 422].map((status) => [status, "refused"] as const),
    ...[301, 302, 304, 307, 308, 401, 403, 404, 405, 408, 425, 429, 500, 502, 503, 504].map(
      (status) => [status, "unavailable"] as const
    )
  ]

  it.live.each(statuses)("of %s: %s, and no redirect is followed", ([status, expected]) =>
    Effect.gen(function* () {
      const self = receiver()
      self.answer = (response) => void response.writeHead(status, { location: "/elsewhere" }).end()
      const { address } = yield* serve(self.listener)
      const seen = expected === "taken" ? yield* deliverTo(address.port) : yield* refusedBy(address.port)
      assert.deepStrictEqual(seen, expected === "taken" ? undefined : [expected, `it answered ${status}`])
      assert.deepStrictEqual(
        self.calls.map(({ path }) => path),
        ["/events?of=lockkeeper"]
      )
    })
  )

  it.live("of one that is cut off, before or within the head: unavailable; within the body: that of its status", () =>
    Effect.gen(function* () {
      const self = receiver()
      const { address } = yield* serve(self.listener)
      self.answer = (response) => void response.socket?.destroy()
      assert.deepStrictEqual(yield* refusedBy(address.port), ["unavailable", "there was no answer (ECONNRESET)"])
      self.answer = (response) => void response.socket?.end("HTTP/1.1 200 O")
      assert.deepStrictEqual((yield* refusedBy(address.port))[0], "unavailable")
      self.answer = (response) => {
        response.writeHead(200, { "content-length": "100" }).write("half of")
        setImmediate(() => response.socket?.destroy())
      }
      yield* deliverTo(address.port)
    })
  )

  it.live("that never ends: it is cut off at 64 KiB, and its status counts", () =>
    Effect.gen(function* () {
      const self = receiver()
      const closed = Deferred.makeUnsafe<number>()
      self.answer = (response) => {
        let sent = 0
        const more = () => {
          while (!response.destroyed && sent < 2 ** 26) {
            sent += 4_096
            if (!response.write("x".repeat(4_096))) return
          }
        }
        response.on("drain", more).once("close", () => Deferred.doneUnsafe(closed, Effect.succeed(sent)))
        response.writeHead(200)
        more()
      }
      const { address } = yield* serve(self.listener)
      yield* deliverTo(address.port)
      assert.isBelow(yield* Deferred.await(closed), 2 ** 25)
    })
  )

  it.live("where nothing listens, or no HTTP is spoken: unavailable, without its address", () =>
    Effect.gen(function* () {
      const path = "/capability-3f1c"
      assert.deepStrictEqual(yield* refusedBy(yield* freePort, path), [
        "unavailable",
        "there was no answer (ECONNREFUSED)"
      ])
      const other = createServer((socket) => socket.on("error", () => undefined).end("220 mail.example ESMTP\r\n"))
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => void other.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () => Effect.sync(() => other.close())
      )
      const [reason, detail = ""] = yield* refusedBy(portOf(other), path)
      assert.strictEqual(reason, "unavailable")
      assert.match(detail, /^there was no answer \(HPE_\w+\)$/)
    })
  )

  it.effect.each([
    ["that does not come", () => undefined, "unavailable"],
    ["whose rest does not come", (response: ServerResponse) => void response.writeHead(200).write("…"), "taken"]
  ] as const)("%s: over after ten seconds, and the connection is closed (H24)", ([, answer, expected]) =>
    Effect.gen(function* () {
      const arrived = Deferred.makeUnsafe<void>()
      const closed = Deferred.makeUnsafe<void>()
      const self = receiver()
      self.answer = (response) => {
        response.socket?.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
        answer(response)
        setTimeout(() => Deferred.doneUnsafe(arrived, Effect.void), 50)
      }
      const { address } = yield* serve(self.listener)
      const telling = yield* Effect.forkChild(
        Effect.match(deliverTo(address.port), {
          onFailure: (error) => (error._tag === "SubscriberError" ? error.reason : error._tag),
          onSuccess: () => "taken"
        })
      )
      yield* Deferred.await(arrived)
      yield* TestClock.adjust(9_999)
      assert.isUndefined(telling.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(telling), expected)
      yield* Deferred.await(closed)
    })
  )
})

describe("a webhook", () => {
  const made = (url: string, signedWith = secret) =>
    Effect.flip(
      Effect.provide(
        Effect.asVoid(Subscriber),
        WebhookSubscriber.layer({ url: Redacted.make(url), secret: Redacted.make(signedWith) })
      )
    )

  it.effect.each([
    "platform.example/events",
    "http://platform.example/events",
    "http://127.0.0.1.platform.example/",
    "http://10.0.0.1/",
    "ftp://127.0.0.1/",
    "https://user:hunter2@platform.example/",
    ""
  ])("at %j is refused, and the address is not shown (INV-11)", (url) =>
    Effect.gen(function* () {
      const { message, setting } = yield* made(url)
      assert.strictEqual(setting, "url")
      for (const part of ["hunter2", "10.0.0", "/events"]) assert.notInclude(message.replace(/https:\S+/, ""), part)
    })
  )

  it.effect.each(["short", "whsec_c2hvcnQ=", `whsec_${"*".repeat(40)}`, ""])(
    "with the secret %j is refused, and the secret is not shown (INV-11)",
    (given) =>
      Effect.gen(function* () {
        const { message, setting } = yield* made("https://platform.example/", given)
        assert.strictEqual(setting, "secret")
        for (const part of ["short", "c2hv", "***"]) assert.notInclude(message, part)
      })
  )

  it.effect.each([
    "https://platform.example:8443/events?key=1",
    "http://localhost:3000",
    "http://127.0.0.9/",
    "http://[::1]:8080/"
  ])("at %s is taken", (url) =>
    WebhookSubscriber.make({ url: Redacted.make(url), secret: Redacted.make("x".repeat(24)) })
  )
})
