// Logs that somebody reads while the server stops: one that is followed ends, so that its client goes on elsewhere; one that
// is only read comes whole.
import { AppId } from "@lockkeeper/core/domain/App"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { deployed, deploying } from "@lockkeeper/core/testing/Fixture"
import { assert, describe } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Scope } from "effect"
import { createApp, live, open, started } from "./support/call.ts"
import { isListening, until } from "./support/http.ts"
import { altered, type MemoryServerOptions } from "./support/memoryServer.ts"

/** A server with a Deployment in progress whose log has so many lines; it stops when told to. */
const withLog = Effect.fnUntraced(function* (lines: number, options: MemoryServerOptions = {}) {
  const scope = yield* Scope.make()
  const server = yield* Scope.provide(started(options), scope)
  const behind = Effect.provideContext(server.ports)
  const app = yield* createApp(server.call)
  const claim = yield* Effect.flatMap(AppStore, (apps) => apps.get(AppId.make(app))).pipe(
    Effect.flatMap((found) => deploying(found)),
    behind
  )
  const log = LogName.make(`deployment/${claim.deployment.id}`)
  const entries = Array.from({ length: lines }, (_, index) => ({ stream: "build" as const, line: `line ${index}` }))
  yield* behind(Effect.flatMap(LogStore, (store) => store.append(log, entries)))
  const path = `/v1/deployments/${claim.deployment.id}/logs`
  return { ...server, behind, app, claim, log, path, stop: Scope.close(scope, Exit.void) }
})

const ended = Effect.fnUntraced(function* (claim: Claim, log: LogName) {
  yield* Effect.flatMap(LogStore, (store) => store.end(log))
  yield* Effect.flatMap(DeploymentStore, (store) => store.finish(claim, { status: "cancelled" }))
})

/** What comes, part by part; undefined at the end. */
const follow = Effect.fnUntraced(function* (baseUrl: string, path: string, accept: string) {
  const response = yield* open(baseUrl, "GET", `${path}?follow=true`, { headers: { accept } })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  return Effect.promise(async () => (await reader?.read())?.value)
})

describe("a server that stops", () => {
  for (const accept of ["application/x-ndjson", "text/event-stream"]) {
    live(`X1 X14 ends a log that is followed (${accept}) at once, and not as if the log had ended`, () =>
      Effect.gen(function* () {
        const { baseUrl, path, stop } = yield* withLog(1)
        const next = yield* follow(baseUrl, path, accept)
        assert.include(yield* next, "line 0")
        const stopped = yield* Effect.forkChild(stop)
        const [took, rest] = yield* Effect.timed(next)
        assert.isUndefined(rest)
        assert.isBelow(Duration.toMillis(took), 2_000)
        yield* Fiber.join(stopped)
      })
    )
  }

  live("X1 X14 ends what an app says, when somebody follows that", () =>
    Effect.gen(function* () {
      const { app, baseUrl, behind, claim, log, stop } = yield* withLog(1)
      yield* behind(ended(claim, log))
      const { deployment } = yield* behind(deployed(claim.app))
      const said = LogName.make(`workload/${deployment.id}`)
      yield* behind(Effect.flatMap(LogStore, (store) => store.append(said, [{ stream: "stdout", line: "hello" }])))
      const next = yield* follow(baseUrl, `/v1/apps/${app}/logs`, "application/x-ndjson")
      assert.include(yield* next, "hello")
      const stopped = yield* Effect.forkChild(stop)
      const [took, rest] = yield* Effect.timed(next)
      assert.isUndefined(rest)
      assert.isBelow(Duration.toMillis(took), 2_000)
      yield* Fiber.join(stopped)
    })
  )

  live("X1 X14 answers a log that is only read whole, with its end", () =>
    Effect.gen(function* () {
      const [reached, proceed] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const ports = altered(LogStore, (store) => ({
        ...store,
        read: (log, after, limit) =>
          after === 0
            ? store.read(log, after, limit)
            : Deferred.succeed(reached, undefined).pipe(
                Effect.andThen(Deferred.await(proceed)),
                Effect.andThen(store.read(log, after, limit))
              )
      }))
      const { baseUrl, behind, claim, log, path, port, stop } = yield* withLog(700, { ports })
      yield* behind(ended(claim, log))
      const response = yield* open(baseUrl, "GET", path)
      const read = yield* Effect.forkChild(Effect.promise(() => response.text()))
      yield* Deferred.await(reached)
      const stopped = yield* Effect.forkChild(stop)
      yield* until(Effect.map(isListening(port), (listening) => !listening))
      yield* Deferred.succeed(proceed, undefined)
      const lines = (yield* Fiber.join(read)).trimEnd().split("\n")
      assert.lengthOf(lines, 701)
      assert.deepStrictEqual(JSON.parse(lines.at(-1) ?? ""), { seq: 701, end: true, status: "cancelled" })
      yield* Fiber.join(stopped)
    })
  )
})
