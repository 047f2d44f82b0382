// Logs over the wire: what is stored, what comes, how it ends, and that nobody goes on reading for a client that is gone.
import type { DeploymentStatus } from "@lockkeeper/core/domain/Deployment"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { AppId } from "@lockkeeper/core/domain/App"
import { begun, deployed, deploying } from "@lockkeeper/core/testing/Fixture"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Stream } from "effect"
import { TestClock } from "effect/testing"
import { logResponse } from "../src/internal/logStream.ts"
import { assertProblem, createApp, type Fields, live, open, started } from "./support/call.ts"
import { altered, memoryPorts, type MemoryServerOptions } from "./support/memoryServer.ts"

const sse = { accept: "text/event-stream" }

/** A server with an App, and what a test does behind the server's back. */
const withApp = Effect.fnUntraced(function* (options: MemoryServerOptions = {}) {
  const server = yield* started(options)
  const app = yield* Effect.flatMap(createApp(server.call), (id) =>
    Effect.flatMap(AppStore, (store) => store.get(AppId.make(id)))
  ).pipe(Effect.provideContext(server.ports))
  const behind = Effect.provideContext(server.ports)
  const say = (log: string, ...lines: ReadonlyArray<string>) =>
    Effect.flatMap(LogStore, (store) =>
      store.append(
        LogName.make(log),
        lines.map((line) => ({ stream: "build", line }))
      )
    ).pipe(behind)
  const end = (log: string) => Effect.flatMap(LogStore, (store) => store.end(LogName.make(log))).pipe(behind)
  const finish = (claim: Claim) =>
    Effect.flatMap(DeploymentStore, (store) => store.finish(claim, { status: "cancelled" })).pipe(behind)
  return { ...server, app, behind, say, end, finish }
})

const items = (text: string): ReadonlyArray<Fields> =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))

const brief = (list: ReadonlyArray<Fields>) =>
  list.map(({ seq, line, status }) => `${String(seq)} ${String(line ?? status)}`)

/** What comes, part by part, until the client leaves. */
const follow = Effect.fnUntraced(function* (baseUrl: string, path: string, headers = {}) {
  const response = yield* open(baseUrl, "GET", `${path}?follow=true`, { headers })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const next = Effect.promise(async () => (await reader?.read())?.value ?? "")
  return { status: response.status, next, leave: Effect.promise(async () => reader?.cancel()) }
})

const lastItem = (seq: number, status: DeploymentStatus) => ({ seq, end: true, status })

describe("the log of a Deployment", () => {
  live("is NDJSON: every line with seq, at, stream and line, then the end with how it ended", () =>
    Effect.gen(function* () {
      const { call, app, behind, say, end } = yield* withApp()
      const { deployment } = yield* behind(deployed(app))
      yield* say(`deployment/${deployment.id}`, "one", "two \u{1F511}\r\u2028")
      yield* end(`deployment/${deployment.id}`)
      for (const query of ["", "?follow=false", "?follow=true"]) {
        const answer = yield* call("GET", `/v1/deployments/${deployment.id}/logs${query}`)
        const [first, second, last] = items(answer.text)
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.headers.get("content-type"), "application/x-ndjson")
        assert.strictEqual(answer.headers.get("cache-control"), "no-store")
        assert.sameMembers(Object.keys(first ?? {}), ["seq", "at", "stream", "line"])
        assert.match(String(first?.["at"]), /^\d{4}-.*Z$/)
        assert.strictEqual(second?.["line"], "two \u{1F511}\r\u2028")
        assert.deepStrictEqual(last, lastItem(3, "healthy"))
        assert.lengthOf(items(answer.text), 3)
      }
    })
  )

  live("comes as events to who accepts them: the id is the seq, the data the same item", () =>
    Effect.gen(function* () {
      const { call, app, behind, say, end } = yield* withApp()
      const { deployment } = yield* behind(deployed(app))
      yield* say(`deployment/${deployment.id}`, "one", "two\nid: 99\ndata: forged")
      yield* end(`deployment/${deployment.id}`)
      const path = `/v1/deployments/${deployment.id}/logs`
      const plain = items((yield* call("GET", path)).text)
      for (const accept of ["text/event-stream", "text/event-stream, */*;q=0.1"]) {
        const answer = yield* call("GET", path, { headers: { accept } })
        assert.strictEqual(answer.headers.get("content-type"), "text/event-stream")
        const expected = plain.map((item) => `id: ${String(item["seq"])}\ndata: ${JSON.stringify(item)}\n\n`).join("")
        assert.strictEqual(answer.text, expected)
      }
    })
  )

  live("U1 goes on after a number, or after the last event that was seen", () =>
    Effect.gen(function* () {
      const { call, app, behind, say, end } = yield* withApp()
      const { deployment } = yield* behind(deployed(app))
      yield* say(`deployment/${deployment.id}`, "one", "two", "three")
      yield* end(`deployment/${deployment.id}`)
      const path = `/v1/deployments/${deployment.id}/logs`
      const read = (query: string, headers = {}) =>
        Effect.map(call("GET", `${path}${query}`, { headers }), ({ text }) => brief(items(text)))

      assert.deepStrictEqual(yield* read("?after=0"), ["1 one", "2 two", "3 three", "4 healthy"])
      assert.deepStrictEqual(yield* read("?after=2"), ["3 three", "4 healthy"])
      assert.deepStrictEqual(yield* read("?after=3"), ["4 healthy"])
      assert.deepStrictEqual(yield* read("", { "last-event-id": "2" }), ["3 three", "4 healthy"])
      assert.deepStrictEqual(yield* read("?after=1", { "last-event-id": "2" }), ["2 two", "3 three", "4 healthy"])
      assert.lengthOf(yield* read("", { "last-event-id": "never seen" }), 4)
      const events = yield* call("GET", path, { headers: { ...sse, "last-event-id": "2" } })
      assert.match(events.text, /^id: 3\n/)
    })
  )

  live("U1 of many lines is complete and in order", () =>
    Effect.gen(function* () {
      const { call, app, behind, say, end } = yield* withApp()
      const { deployment } = yield* behind(deployed(app))
      const lines = Array.from({ length: 1_500 }, (_, index) => `line ${index + 1}`)
      yield* say(`deployment/${deployment.id}`, ...lines)
      yield* end(`deployment/${deployment.id}`)
      const { text } = yield* call("GET", `/v1/deployments/${deployment.id}/logs`)
      assert.deepStrictEqual(brief(items(text)), [
        ...lines.map((line, index) => `${index + 1} ${line}`),
        "1501 healthy"
      ])
    })
  )

  live("that goes on has no end, unless it is followed; then it comes as it is said, until the status is final", () =>
    Effect.gen(function* () {
      const { call, baseUrl, app, behind, say, end, finish } = yield* withApp()
      const claim = yield* behind(deploying(app))
      const log = `deployment/${claim.deployment.id}`
      const path = `/v1/deployments/${claim.deployment.id}/logs`
      yield* say(log, "one")
      const { next: followed } = yield* follow(baseUrl, path)
      assert.deepStrictEqual(brief(items(yield* followed)), ["1 one"])
      assert.deepStrictEqual(brief(items((yield* call("GET", path)).text)), ["1 one"])
      yield* say(log, "two", "three")
      assert.deepStrictEqual(brief(items(yield* followed)), ["2 two", "3 three"])

      yield* end(log)
      assert.deepStrictEqual(brief(items((yield* call("GET", path)).text)), ["1 one", "2 two", "3 three"])
      yield* finish(claim)
      assert.deepStrictEqual(items(yield* followed), [lastItem(4, "cancelled")])
      assert.strictEqual(yield* followed, "")
      assert.deepStrictEqual(items((yield* call("GET", `${path}?after=3`)).text), [lastItem(4, "cancelled")])
    })
  )

  live("ends also when nobody was there to end it", () =>
    Effect.gen(function* () {
      const { call, app, behind, say, finish } = yield* withApp()
      const claim = yield* behind(deploying(app))
      yield* say(`deployment/${claim.deployment.id}`, "one")
      yield* finish(claim)
      const { id } = yield* behind(begun(app))
      yield* behind(Effect.flatMap(DeploymentStore, (store) => store.withdraw(id)))
      for (const query of ["", "?follow=true"]) {
        const crashed = yield* call("GET", `/v1/deployments/${claim.deployment.id}/logs${query}`)
        const neverRan = yield* call("GET", `/v1/deployments/${id}/logs${query}`)
        assert.deepStrictEqual(brief(items(crashed.text)), ["1 one", "2 cancelled"])
        assert.deepStrictEqual(items(neverRan.text), [lastItem(1, "cancelled")])
      }
    })
  )
})

describe("the log of an App", () => {
  live("is its current Workload's, and 404 without one", () =>
    Effect.gen(function* () {
      const { call, app, behind, say, end } = yield* withApp()
      const path = `/v1/apps/${app.id}/logs`
      assertProblem(yield* call("GET", path), 404, "not_found")
      const old = yield* behind(deployed(app))
      const current = yield* behind(deployed(app))
      yield* say(`workload/${old.deployment.id}`, "old")
      yield* say(`deployment/${current.deployment.id}`, "built")
      yield* say(`workload/${current.deployment.id}`, "serving")
      assert.deepStrictEqual(brief(items((yield* call("GET", path)).text)), ["1 serving"])
      yield* end(`workload/${current.deployment.id}`)
      assert.deepStrictEqual(brief(items((yield* call("GET", `${path}?follow=true`)).text)), ["1 serving", "2 healthy"])
    })
  )
})

describe("a log that breaks off", () => {
  const one = { seq: 1, stream: "build", line: "one" } as const

  /** A log whose first read answers one line and whose later ones do what is said. */
  const thenReads = (later: Effect.Effect<never, StoreError>): typeof memoryPorts => {
    let reads = 0
    return altered(LogStore, (original) => ({
      ...original,
      read: (log, after, limit) => (reads++ === 0 ? original.read(log, after, limit) : later)
    }))
  }

  live("X1 a client that leaves interrupts the reading, at once and for good", () =>
    Effect.gen(function* () {
      for (const headers of [{}, sse]) {
        const waiting = yield* Deferred.make<void>()
        const interrupted = yield* Deferred.make<void>()
        const later = Effect.andThen(Deferred.succeed(waiting, undefined), Effect.never).pipe(
          Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
        )
        const { baseUrl, app, behind, say } = yield* withApp({ ports: thenReads(later) })
        const { deployment } = yield* behind(deploying(app))
        yield* say(`deployment/${deployment.id}`, one.line)
        const { next, leave } = yield* follow(baseUrl, `/v1/deployments/${deployment.id}/logs`, headers)
        assert.include(yield* next, one.line)
        yield* Deferred.await(waiting)
        yield* leave
        yield* Deferred.await(interrupted)
      }
    })
  )

  live("a store that fails in the middle breaks the connection: a clean end would look complete", () =>
    Effect.gen(function* () {
      const away = Effect.fail(new StoreError({ operation: "read", reason: "unavailable", cause: "away" }))
      const { call, app, behind, say } = yield* withApp({ ports: thenReads(away) })
      const { deployment } = yield* behind(deploying(app))
      yield* say(`deployment/${deployment.id}`, one.line)
      const exit = yield* Effect.exit(call("GET", `/v1/deployments/${deployment.id}/logs?follow=true`))
      assert.isTrue(Exit.hasDies(exit))
    })
  )

  live("X1 a quiet log answers at once, before there is a line", () =>
    Effect.gen(function* () {
      const { baseUrl, app, behind, say } = yield* withApp()
      const { deployment } = yield* behind(deploying(app))
      for (const [index, headers] of [{}, sse].entries()) {
        const { status, next, leave } = yield* follow(baseUrl, `/v1/deployments/${deployment.id}/logs`, headers)
        assert.strictEqual(status, 200)
        if (index === 0) yield* say(`deployment/${deployment.id}`, one.line)
        assert.include(yield* next, one.line)
        yield* leave
      }
    })
  )

  it.effect("X1 a quiet stream of events says ping every 15 seconds", () =>
    Effect.gen(function* () {
      const { body } = yield* logResponse(Stream.never, "text/event-stream", Effect.never)
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
    }).pipe(Effect.provide(memoryPorts))
  )
})
