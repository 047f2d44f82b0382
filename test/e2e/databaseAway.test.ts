// The database goes away and comes back: apps serve on, the API says so in time, and nothing has to be started again.

import { assert, layer, vi } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted, Schedule } from "effect"
import { inject } from "vitest"
import { ask, begin, deploy, deployedApp, ended, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { call } from "../harness/http.ts"
import { type TcpProxy, tcpProxy } from "../harness/tcpProxy.ts"
import { goodApp } from "../harness/testApp.ts"
import { comesToRest, SharedServer, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** The way from the server to its database. */
class Line extends Context.Service<Line, TcpProxy>()("@lockkeeper/test/e2e/Line") {
  static readonly layer = Layer.effect(
    Line,
    Effect.suspend(() => {
      const { hostname, port } = new URL(inject("postgresUrl"))
      return tcpProxy({ host: hostname, port: Number(port === "" ? 5432 : port) })
    })
  )
}

const through = ({ port }: TcpProxy) =>
  World.layer((url) => {
    const changed = new URL(Redacted.value(url))
    changed.host = `127.0.0.1:${port}`
    return Redacted.make(changed.toString())
  })

const environment = Layer.effect(SharedServer, start()).pipe(
  Layer.provideMerge(Layer.unwrap(Effect.map(Line, through))),
  Layer.provideMerge(Line.layer)
)

const ready = Effect.flatMap(SharedServer, (server) =>
  eventually("the server is ready", call(server, "/readyz"), ({ status }) => status === 200, "10 seconds")
)

/** Does something while the line is cut or mute. */
const meanwhile = <A, E, R>(trouble: "drop" | "stall", what: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Line, (line) =>
    Effect.acquireUseRelease(
      line[trouble],
      () => what,
      () => line.resume
    )
  )

/** How long it may take to say that the database does not answer, by path. */
const limits = { "/v1/apps": 12_000, "/readyz": 5_000, "/healthz": 2_000 } as const

const refusesInTime = Effect.gen(function* () {
  const server = yield* SharedServer
  const timed = (path: keyof typeof limits) =>
    Effect.timed(call(server, path)).pipe(
      Effect.tap(([took]) => Effect.sync(() => assert.isBelow(Duration.toMillis(took), limits[path], path))),
      Effect.map(([, answer]) => answer)
    )
  const [list, readiness, health] = yield* Effect.all([timed("/v1/apps"), timed("/readyz"), timed("/healthz")], {
    concurrency: "unbounded"
  })
  assert.deepStrictEqual([list.status, list.fields["code"]], [503, "store_unavailable"])
  assert.match(list.headers.get("retry-after") ?? "", /^\d+$/)
  assert.deepStrictEqual(readiness.fields, { status: "not_ready", reasons: ["DatabaseUnavailable"] })
  assert.deepStrictEqual([readiness.status, health.status], [503, 200])
})

const name = "E9 H9 a server whose database"

layer(environment, { excludeTestServices: true })(name, (it) => {
  it.effect("ends every connection goes on with new ones", () =>
    Effect.gen(function* () {
      const { client } = yield* SharedServer
      const { archives, sql } = yield* World
      const app = yield* deployedApp(client, yield* archives.source(goodApp("ends")))
      const { instance } = yield* serves(app.url, "ends")
      yield* sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'lockkeeper'`
      yield* ready
      assert.strictEqual((yield* client.apps.get({ params: { app: app.id } })).id, app.id)
      assert.strictEqual((yield* deploy(client, app.id)).status, "healthy")
      assert.notStrictEqual((yield* serves(app.url, "ends")).instance, instance)
      yield* comesToRest
    })
  )

  it.effect("is away for longer than a lease lasts serves its apps on, and takes deploys when it is back", () =>
    Effect.gen(function* () {
      const { client } = yield* SharedServer
      const { archives } = yield* World
      const app = yield* deployedApp(client, yield* archives.source(goodApp("away")))
      const { instance } = yield* serves(app.url, "away")
      const asked = ask(app.url).pipe(
        Effect.tap(({ status, text }) => Effect.sync(() => assert.strictEqual(status, 200, text))),
        Effect.repeat(Schedule.max([Schedule.spaced("100 millis"), Schedule.during("17 seconds")]))
      )
      yield* meanwhile("drop", Effect.all([refusesInTime, asked], { concurrency: 2 }))
      yield* ready
      assert.strictEqual((yield* serves(app.url, "away")).instance, instance)
      assert.strictEqual((yield* deploy(client, app.id)).status, "healthy")
      yield* comesToRest
    })
  )

  it.effect("does not say anything any more is given up on in time, and used again when it speaks", () =>
    Effect.gen(function* () {
      const { client } = yield* SharedServer
      const { archives } = yield* World
      const app = yield* deployedApp(client, yield* archives.source(goodApp("mute")))
      const asked = Effect.map(ask(app.url), ({ status }) => assert.strictEqual(status, 200))
      yield* meanwhile("stall", Effect.andThen(refusesInTime, asked))
      yield* ready
      assert.strictEqual((yield* deploy(client, app.id)).status, "healthy")
      yield* comesToRest
    })
  )

  it.effect("INV-8 is away for two seconds at any moment of a deploy: it ends, and what it ends as is true", () =>
    Effect.gen(function* () {
      const { client } = yield* SharedServer
      const { archives } = yield* World
      const app = yield* deployedApp(client, yield* archives.source(goodApp("round-0")))
      let serving = "round-0"
      for (const [index, delayMillis] of [0, 60, 150, 300, 500].entries()) {
        const version = `round-${index + 1}`
        const source = yield* archives.source(goodApp(version))
        const { id } = yield* begin(client, app.id, { source })
        yield* Effect.sleep(delayMillis)
        yield* meanwhile("drop", Effect.sleep("2 seconds"))
        yield* ready
        const { error, status } = yield* ended(client, id, "45 seconds")
        assert.include(["healthy", "failed"], status)
        if (status === "healthy") serving = version
        else assert.include(["store_unavailable", "lease_lost"], error?.code, error?.detail)
        yield* serves(app.url, serving)
        yield* comesToRest
      }
    })
  )
})
