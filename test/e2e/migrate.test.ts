// A server that leaves the schema to somebody else answers that it is not ready until it is there, and then works.

import { assert, layer, vi } from "@effect/vitest"
import { Effect, identity } from "effect"
import * as TestDatabase from "../harness/database.ts"
import { deployedApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { call } from "../harness/http.ts"
import { makePlace, stopServer } from "../harness/server.ts"
import { goodApp } from "../harness/testApp.ts"
import { start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

layer(World.layer(identity, TestDatabase.make), { excludeTestServices: true })("LOCKKEEPER_MIGRATE=wait", (it) => {
  it.effect("K13 is not ready until another server applied the schema, and changes nothing itself", () =>
    Effect.gen(function* () {
      const { archives, database, place, sql } = yield* World
      const waiting = yield* start(undefined, { LOCKKEEPER_MIGRATE: "wait" })
      const ready = call(waiting, "/readyz")
      const before = yield* ready
      assert.strictEqual(before.status, 503)
      assert.deepInclude(before.fields, { status: "not_ready", reasons: ["SchemaBehind"] })
      assert.isEmpty(yield* sql`select 1 from pg_tables where schemaname = 'public'`)

      const key = place.env["LOCKKEEPER_SECRET_KEY_FILE"] ?? ""
      const applying = yield* start(yield* makePlace(database, { LOCKKEEPER_SECRET_KEY_FILE: key }))
      yield* eventually("it is ready", ready, ({ status }) => status === 200)
      yield* stopServer(applying, "SIGTERM")

      const app = yield* deployedApp(waiting.client, yield* archives.source(goodApp("first")))
      yield* serves(app.url, "first")
    })
  )
})
