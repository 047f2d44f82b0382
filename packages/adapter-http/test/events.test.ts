// Events over the wire: all of them in order, gone on after any, each Tenant's own, for as long as somebody listens.
import { AppId } from "@lockkeeper/core/domain/App"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { EventFeed } from "@lockkeeper/core/port/EventFeed"
import { hinted } from "@lockkeeper/core/port/hinted"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { deployed, registered } from "@lockkeeper/core/testing/Fixture"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Queue, Redacted, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Client from "../src/Client.ts"
import { eventResponse, followEvents } from "../src/internal/eventStream.ts"
import { assertProblem, createApp, type Fields, live, open, started, textAt } from "./support/call.ts"
import { altered, memoryPorts, startServer, tokens } from "./support/memoryServer.ts"

interface Said {
  readonly id: string
  readonly event: string
  readonly data: Fields
}

const parsed = (block: string): Said => {
  const [, id = "", event = "", data = ""] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(block) ?? []
  return { id, event, data: JSON.parse(data) }
}

/** A client that listens: what comes, one after the other, until it leaves. */
const listen = Effect.fnUntraced(function* (
  baseUrl: string,
  query = "",
  { token = tokens.admin, headers = {} }: { token?: string; headers?: Readonly<Record<string, string>> } = {}
) {
  const response = yield* open(baseUrl, "GET", `/v1/events${query}`, { token, headers })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  let ended = false
  const next: Effect.Effect<Said | undefined> = Effect.suspend(() => {
    const [block = "", ...others] = rest.split("\n\n")
    if (others.length > 0) {
      rest = others.join("\n\n")
      return block.startsWith(":") ? next : Effect.succeed(parsed(block))
    }
    if (ended) return Effect.succeed(undefined)
    return Effect.flatMap(
      Effect.promise(async () => reader?.read()),
      (part) => {
        ended = part?.done !== false
        rest += part?.value ?? ""
        return next
      }
    )
  })
  const take = (count: number) =>
    Effect.map(Effect.all(Array.from({ length: count }, () => next)), (said) => said.flatMap((one) => one ?? []))
  return { response, next, take, leave: Effect.promise(async () => reader?.cancel()) }
})

const types = (said: ReadonlyArray<Said>) => said.map(({ event }) => event)
const ids = (said: ReadonlyArray<Said>) => said.map(({ id }) => id)

const deployment = ["queued", "building", "deploying", "healthy"].map((status) => `deployment.${status}`)

describe("the stream of Events", () => {
  live("X12 tells a deploy in order, from the beginning and as it happens", () =>
    Effect.gen(function* () {
      const { baseUrl, call } = yield* started({ work: "carried out" })
      const id = yield* createApp(call)
      const { response, take, leave } = yield* listen(baseUrl)
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
      assert.strictEqual(response.headers.get("cache-control"), "no-store")
      assert.deepStrictEqual(types(yield* take(1)), ["app.live"])
      const begun = yield* call("POST", `/v1/apps/${id}/deployments`)
      const said = yield* take(4)
      assert.deepStrictEqual(types(said), deployment)
      for (const { id: cursor, event, data } of said) {
        assert.sameMembers(Object.keys(data), ["id", "type", "at", "tenant", "app", "subject", "data"])
        assert.include(data, { id: cursor, type: event, tenant: "acme", app: id, subject: textAt(begun.fields, "id") })
        assert.match(textAt(data, "at"), /^\d{4}-.*Z$/)
      }
      yield* leave
    })
  )

  live("X12 goes on after any Event without a gap and without one twice, on any replica", () =>
    Effect.gen(function* () {
      const shared = Layer.succeedContext(yield* Layer.build(memoryPorts))
      const [one, other] = [yield* started({ ports: shared, work: "carried out" }), yield* started({ ports: shared })]
      const id = yield* createApp(one.call)
      const first = yield* listen(one.baseUrl)
      yield* one.call("POST", `/v1/apps/${id}/deployments`)
      const all = yield* first.take(5)
      assert.lengthOf(new Set(ids(all)), 5)
      for (const [seen, { id: cursor }] of all.entries()) {
        for (const again of [
          yield* listen(other.baseUrl, `?after=${cursor}`),
          yield* listen(one.baseUrl, "", { headers: { "last-event-id": cursor } }),
          yield* listen(one.baseUrl, `?after=${cursor}`, { headers: { "last-event-id": "0-1" } })
        ]) {
          assert.deepStrictEqual(yield* again.take(4 - seen), all.slice(seen + 1))
          yield* again.leave
        }
      }
      const last = yield* listen(other.baseUrl, `?after=${all.at(-1)?.id}`)
      yield* other.call("PATCH", `/v1/apps/${id}/env`, { body: { env: { A: "1" } } })
      const [told, retold] = [yield* first.next, yield* last.next]
      assert.strictEqual(told?.event, "env.changed")
      assert.deepStrictEqual(retold, told)
      yield* Effect.all([first.leave, last.leave])
    })
  )

  live("X12 shows a Tenant's token that Tenant's Events alone", () =>
    Effect.gen(function* () {
      const { baseUrl, call } = yield* started()
      const theirs = yield* createApp(call, { tenant: "other" })
      const own = yield* createApp(call)
      const acme = yield* listen(baseUrl, "", { token: tokens.acme })
      const other = yield* listen(baseUrl, "", { token: tokens.other })
      const admin = yield* listen(baseUrl)
      yield* call("PATCH", `/v1/apps/${theirs}/env`, { body: { env: { A: "1" } } })
      yield* call("PATCH", `/v1/apps/${own}/env`, { body: { env: { A: "1" } } })
      const apps = (said: ReadonlyArray<Said>) => said.map(({ data }) => data["app"])
      assert.deepStrictEqual(apps(yield* acme.take(2)), [own, own])
      assert.deepStrictEqual(apps(yield* other.take(2)), [theirs, theirs])
      assert.deepStrictEqual(apps(yield* admin.take(4)), [theirs, own, theirs, own])
      yield* Effect.all([acme.leave, other.leave, admin.leave])
    })
  )

  live("X12 is 400 for what is no cursor and 401 without a token", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      for (const cursor of ["x", "1", "1-", "-1-1", "1-1-1", "9".repeat(21) + "-1", ""]) {
        assertProblem(yield* call("GET", `/v1/events?after=${cursor}`), 400, "invalid_body")
      }
      assertProblem(yield* call("GET", "/v1/events", { headers: { "last-event-id": "7" } }), 400, "invalid_body")
      assertProblem(yield* call("GET", "/v1/events", { token: null }), 401, "unauthorized")
      assertProblem(yield* call("GET", "/v1/events", { token: "wrong" }), 401, "unauthorized")
    })
  )

  live("X12 comes decoded to the typed client", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const client = yield* Client.make({ baseUrl: server.baseUrl, token: Redacted.make(tokens.acme) })
      yield* createApp((yield* started({ ports: Layer.succeedContext(server.ports) })).call)
      const events = yield* client.events.follow({ query: {}, headers: {} })
      const [event] = yield* Stream.runCollect(Stream.take(events, 1))
      const [kept] = yield* Effect.flatMap(EventFeed, (feed) => feed.read({ limit: 1 })).pipe(
        Effect.provideContext(server.ports)
      )
      assert.strictEqual(event?.type, "app.live")
      assert.deepStrictEqual(event, kept)
    })
  )
})

describe("a stream of Events that is quiet", () => {
  it.effect("X1 says ping every 15 seconds", () =>
    Effect.gen(function* () {
      const { body } = eventResponse(Stream.never, Effect.never)
      assert.strictEqual(body._tag, "Stream")
      if (body._tag !== "Stream") return
      const said: Array<string> = []
      yield* body.stream.pipe(
        Stream.decodeText,
        Stream.runForEach((text) => Effect.sync(() => said.push(text))),
        Effect.forkChild
      )
      yield* TestClock.adjust(0)
      for (const [seconds, pings] of [
        [14, 0],
        [1, 1],
        [15, 2],
        [30, 4]
      ] as const) {
        yield* TestClock.adjust(Duration.seconds(seconds))
        assert.strictEqual(said.join(""), ": ping\n\n".repeat(pings))
      }
    })
  )

  live("X1 ends when the server stops, at once and cleanly", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { baseUrl, call } = yield* Scope.provide(started(), scope)
      yield* createApp(call)
      const { next } = yield* listen(baseUrl)
      assert.strictEqual((yield* next)?.event, "app.live")
      const stopped = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      const [took, end] = yield* Effect.timed(next)
      assert.isUndefined(end)
      assert.isBelow(Duration.toMillis(took), 2_000)
      yield* Fiber.join(stopped)
    })
  )

  live("X1 a client that leaves ends the reading", () =>
    Effect.gen(function* () {
      const waiting = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      let reads = 0
      const ports = altered(EventFeed, (original) => ({
        read: (query) =>
          reads++ === 0
            ? original.read(query)
            : Effect.andThen(Deferred.succeed(waiting, undefined), Effect.never).pipe(
                Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
              )
      }))
      const { baseUrl } = yield* started({ ports })
      const { leave } = yield* listen(baseUrl)
      yield* Deferred.await(waiting)
      yield* leave
      yield* Deferred.await(interrupted)
    })
  )

  live("H25 is read at most every 250 milliseconds, and less and less", () =>
    Effect.gen(function* () {
      const read: Array<number> = []
      const fourth = yield* Deferred.make<void>()
      const ports = altered(EventFeed, (original) => ({
        read: (query) =>
          Effect.suspend(() => {
            read.push(performance.now())
            return Effect.andThen(
              read.length === 4 ? Deferred.succeed(fourth, undefined) : Effect.void,
              original.read(query)
            )
          })
      }))
      const { baseUrl } = yield* started({ ports })
      const { leave } = yield* listen(baseUrl)
      yield* Deferred.await(fourth)
      const [a = 0, b = 0, c = 0, d = 0] = read
      assert.isAtLeast(b - a, 245)
      assert.isAtLeast(c - b, 370)
      assert.isAtLeast(d - c, 555)
      yield* leave
    })
  )
})

describe("a stream of Events with hints", () => {
  it.effect("X12 tells a new Event at once: no time passes", () =>
    Effect.gen(function* () {
      const ports = hinted(yield* Layer.build(memoryPorts))
      const told = yield* Queue.unbounded<string>()
      const followed = yield* Effect.provideContext(followEvents({ after: undefined, tenant: undefined }), ports)
      yield* Effect.forkScoped(Stream.runForEach(followed, ({ type }) => Queue.offer(told, type)))
      yield* Effect.repeat(Effect.yieldNow, { times: 100 })
      yield* Effect.provideContext(Effect.flatMap(registered(), deployed), ports)
      assert.deepStrictEqual(yield* Queue.takeN(told, 5), ["app.live", ...deployment])
    })
  )
})

describe("a stream of Events whose store is away", () => {
  const away = Effect.fail(new StoreError({ operation: "read", reason: "unavailable", cause: "away" }))

  live("X12 goes on when it is back, without a gap", () =>
    Effect.gen(function* () {
      let reads = 0
      const ports = altered(EventFeed, (original) => ({
        read: (query) => (reads++ === 1 ? away : original.read(query))
      }))
      const server = yield* started({ ports })
      const id = yield* createApp(server.call)
      const { take, leave } = yield* listen(server.baseUrl)
      const app = Effect.flatMap(AppStore, (store) => store.get(AppId.make(id)))
      yield* Effect.flatMap(app, deployed).pipe(Effect.provideContext(server.ports))
      assert.deepStrictEqual(types(yield* take(5)), ["app.live", ...deployment])
      assert.isAbove(reads, 2)
      yield* leave
    })
  )

  live("X12 is 503 when it begins", () =>
    Effect.gen(function* () {
      const { call } = yield* started({ ports: altered(EventFeed, () => ({ read: () => away })) })
      assertProblem(yield* call("GET", "/v1/events"), 503, "store_unavailable")
    })
  )
})
