// A server whose database is behind PgBouncer in transaction mode, with two connections for all that it does.

import { assert, layer, vi } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { describeWith } from "../harness/capability.ts"
import { deployedApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { call } from "../harness/http.ts"
import { pgbouncer } from "../harness/pgbouncer.ts"
import { stopServer } from "../harness/server.ts"
import { goodApp } from "../harness/testApp.ts"
import { start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

describeWith("pgbouncer")("behind PgBouncer", () => {
  layer(World.layer(), { excludeTestServices: true })("a server with two connections", (it) => {
    it.effect("K11 K12 INV-14: migrates, deploys, is killed, restarts while the pooler does, and serves", () =>
      Effect.gen(function* () {
        const { archives, database, sql } = yield* World
        const pooler = yield* pgbouncer(database, 2)
        const env = { DATABASE_URL: Redacted.value(pooler.url) }
        const first = yield* start(undefined, env)
        const app = yield* deployedApp(first.client, yield* archives.source(goodApp("first")))
        yield* serves(app.url, "first")

        yield* stopServer(first, "SIGKILL")
        const second = yield* start(undefined, env)
        yield* eventually("it is ready", call(second, "/readyz"), ({ status }) => status === 200)
        const other = yield* deployedApp(second.client, yield* archives.source(goodApp("second")))
        yield* serves(other.url, "second")

        yield* pooler.restart
        yield* eventually("it is ready again", call(second, "/readyz"), ({ status }) => status === 200)
        const third = yield* deployedApp(second.client, yield* archives.source(goodApp("third")))
        yield* serves(third.url, "third")
        assert.deepStrictEqual(yield* sql`select locktype from pg_locks where locktype = 'advisory'`, [])
        assert.strictEqual((yield* stopServer(second, "SIGTERM")).code, 0)
      })
    )
  })
})
