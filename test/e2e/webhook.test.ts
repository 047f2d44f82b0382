// A platform at its own webhook: it is told of everything that happens, in order, though servers are killed and it is away
// itself meanwhile.

import { assert, layer, vi } from "@effect/vitest"
import { EventFeed } from "@lockkeeper/core/port/EventFeed"
import * as PostgresEventFeed from "@lockkeeper/adapter-postgres/PostgresEventFeed"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import * as Path from "node:path"
import { begin, deploy, deployedApp, ended } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { makePlace, type Place, stopServer } from "../harness/server.ts"
import { goodApp } from "../harness/testApp.ts"
import { isSigned, type Receiver, receiver } from "../harness/webhookReceiver.ts"
import { start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const secret = `whsec_${Buffer.from("what the platform and its server share").toString("base64")}`

/** Listens for a platform, until the Scope closes or it is called away. */
const listens = Effect.fnUntraced(function* (platform: Receiver, port = 0) {
  const server = createServer(platform.listener)
  const away = Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(port, "127.0.0.1", () => resume(Effect.void))),
    () => (server.listening ? away : Effect.void)
  )
  const address = server.address()
  return { port: typeof address === "object" && address !== null ? address.port : 0, away }
})

/** The settings of a server that tells a platform at this port. */
const tells = (place: Place, port: number) => {
  const file = Path.join(place.directory, "webhook.secret")
  writeFileSync(file, `${secret}\n`, { mode: 0o600 })
  return {
    LOCKKEEPER_WEBHOOK_URL: `http://127.0.0.1:${port}/lockkeeper`,
    LOCKKEEPER_WEBHOOK_SECRET_FILE: file
  }
}

/** The ids of all that happened, in order. */
const happened = Effect.gen(function* () {
  const { sql } = yield* World
  const feed = yield* Effect.provideService(PostgresEventFeed.make, SqlClient.SqlClient, sql)
  return (yield* EventFeed.of(feed).read({ limit: 10_000 })).map(({ id }) => String(id))
})

const toldBy = ({ calls }: Receiver): ReadonlyArray<string> => calls.map(({ event }) => String(event.id))

/** Waits until a platform has been told of all that happened since it was first told, each for the first time in order. */
const isTold = Effect.fnUntraced(function* (platform: Receiver, before: number) {
  const all = Effect.map(happened, (ids) => ({ expected: ids.slice(before), seen: [...new Set(toldBy(platform))] }))
  const last = ({ expected, seen }: Effect.Success<typeof all>) =>
    expected.every((id) => seen.includes(id)) && expected.length > 0
  const { expected, seen } = yield* eventually("all that happened is told", all, last, "40 seconds")
  assert.deepStrictEqual(seen, expected)
  assert.isTrue(platform.calls.every((call) => isSigned(call, secret)))
  assert.isTrue(platform.calls.every(({ event, headers }) => headers["webhook-id"] === event.id))
})

layer(World.layer(), { excludeTestServices: true })("X12 U7 a platform at its webhook", (it) => {
  it.effect("is told of a deployment in order, also when the server is killed while it tells", () =>
    Effect.gen(function* () {
      const { archives, place } = yield* World
      const platform = receiver()
      const { port } = yield* listens(platform)
      const server = yield* start(undefined, tells(place, port))
      let isHeld = false
      platform.answer = (response, { event }) => {
        isHeld ||= event.type === "deployment.deploying"
        if (!isHeld) response.writeHead(204).end()
      }
      const app = yield* deployedApp(server.client, yield* archives.source(goodApp("one")))
      const held = Effect.sync(() => isHeld)
      yield* eventually("it is told that the app is being started", held, (is) => is)
      const told = toldBy(platform)
      assert.deepStrictEqual([...new Set(told)], told)

      yield* stopServer(server, "SIGKILL")
      platform.answer = (response) => void response.writeHead(200).end("thank you")
      const next = yield* start(undefined, tells(place, port))
      yield* isTold(platform, 0)
      assert.isTrue(toldBy(platform).filter((id) => id === told.at(-1)).length > 1)
      const { status } = yield* deploy(next.client, app.id, { source: yield* archives.source(goodApp("two")) })
      assert.strictEqual(status, "healthy")
      yield* isTold(platform, 0)
      const types = platform.calls.map(({ event }) => event.type)
      assert.includeMembers(types, ["app.live", "deployment.queued", "deployment.building", "deployment.healthy"])
      assert.notInclude(next.output(), secret)
      assert.notInclude(next.output(), "/lockkeeper")
      yield* stopServer(next, "SIGTERM")
    })
  )

  it.effect("that is away or broken holds up no deployment, and is told of it later, also at another address", () =>
    Effect.gen(function* () {
      const { archives, place } = yield* World
      const before = (yield* happened).length
      const platform = receiver()
      let left = 2
      platform.answer = (response) => void response.writeHead(left-- > 0 ? 500 : 204).end()
      const first = yield* listens(platform)
      yield* first.away
      const server = yield* start(undefined, tells(place, first.port))
      yield* deployedApp(server.client, yield* archives.source(goodApp("away")))
      assert.deepStrictEqual(platform.calls, [])
      yield* stopServer(server, "SIGTERM")

      const second = yield* listens(platform)
      const next = yield* start(undefined, tells(place, second.port))
      yield* isTold(platform, before)
      const ids = toldBy(platform)
      assert.deepStrictEqual(ids.slice(0, 2), [ids[2], ids[2]])
      yield* stopServer(next, "SIGTERM")
    })
  )

  it.effect("INV-13 is told by one of two servers, and by the other when that one is killed", () =>
    Effect.gen(function* () {
      const { archives, database, place } = yield* World
      const before = (yield* happened).length
      const platform = receiver()
      const { port } = yield* listens(platform)
      const settings = tells(place, port)
      const first = yield* start(undefined, settings)
      const isTelling = (output: () => string) =>
        eventually("it tells", Effect.sync(output), (text) => text.includes("tells webhook what happens"), "25 seconds")
      yield* isTelling(first.output)
      const key = place.env["LOCKKEEPER_SECRET_KEY_FILE"] ?? ""
      const second = yield* start(yield* makePlace(database, { LOCKKEEPER_SECRET_KEY_FILE: key }), settings)
      const app = yield* deployedApp(second.client, yield* archives.source(goodApp("shared")))
      yield* isTold(platform, before)
      const told = toldBy(platform)
      assert.deepStrictEqual([...new Set(told)], told)
      assert.notInclude(second.output(), "tells webhook what happens")

      const { id } = yield* begin(second.client, app.id, { source: yield* archives.source(goodApp("alone")) })
      yield* stopServer(first, "SIGKILL")
      assert.include(["healthy", "failed"], (yield* ended(second.client, id, "40 seconds")).status)
      yield* isTelling(second.output)
      yield* isTold(platform, before)
    })
  )
})
