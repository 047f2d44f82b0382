// `npm run doctor` as an operator runs it: a line for each thing that was looked at, and 1 when something is to be mended.

import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { randomBytes } from "node:crypto"
import { describeWith } from "../harness/capability.ts"
import * as Database from "../harness/database.ts"
import { pgbouncer } from "../harness/pgbouncer.ts"
import { launch } from "../harness/server.ts"

vi.setConfig({ testTimeout: 60_000 })

const secret = randomBytes(18).toString("base64url")

/** What the doctor says with these settings. */
const doctor = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
  const settings = { PATH: process.env["PATH"] ?? "", LOCKKEEPER_RUNTIME: "process", ...env }
  const run = yield* launch(settings, ["examples/doctor.ts"])
  const { code } = yield* run.exited
  const output = run.output()
  assert.notInclude(output, secret)
  return { code, output }
}, Effect.scoped)

const onDatabase = Layer.fresh(Database.layer)

const databaseUrl = Effect.map(Database.TestDatabase, ({ url }) => url)

describe("npm run doctor", () => {
  it.live("X19 K12: says what it found of a database that is as it should be, and ends with 0", () =>
    Effect.gen(function* () {
      const DATABASE_URL = Redacted.value(yield* databaseUrl)
      const { code, output } = yield* doctor({ DATABASE_URL })
      assert.strictEqual(code, 0, output)
      assert.match(output, /^ok {7}pooling {14}direct: /m)
      assert.match(output, /^ok {7}schema .*\n {30}the next server that starts applies them$/m)
      assert.match(output, /^nothing has to be mended$/m)
    }).pipe(Effect.provide(onDatabase))
  )

  it.live("X19 K13: ends with 1 when no server would bring the schema", () =>
    Effect.gen(function* () {
      const DATABASE_URL = Redacted.value(yield* databaseUrl)
      const { code, output } = yield* doctor({ DATABASE_URL, LOCKKEEPER_MIGRATE: "wait" })
      assert.strictEqual(code, 1, output)
      assert.match(output, /^failed {3}schema .*\n {30}run `npm run migrate`/m)
      assert.match(output, /^to be mended: 1$/m)
    }).pipe(Effect.provide(onDatabase))
  )

  it.live("X19: ends with 1 and shows no password when there is no database, or its address is none", () =>
    Effect.gen(function* () {
      for (const DATABASE_URL of [`postgres://lockkeeper:${secret}@127.0.0.1:9/lockkeeper`, `not-a-url-${secret}`]) {
        const { code, output } = yield* doctor({ DATABASE_URL })
        assert.strictEqual(code, 1, output)
        assert.match(output, /^failed {3}connection /m)
      }
    })
  )

  it.live("X19: says of an engine that does not answer whether servers need it", () =>
    Effect.gen(function* () {
      const DOCKER_HOST = "unix:///nowhere/docker.sock"
      const needed = yield* doctor({ LOCKKEEPER_RUNTIME: "docker", DOCKER_HOST })
      assert.strictEqual(needed.code, 1, needed.output)
      assert.match(needed.output, /^failed {3}engine /m)
      const chosen = yield* doctor({ LOCKKEEPER_RUNTIME: "auto", DOCKER_HOST })
      assert.strictEqual(chosen.code, 0, chosen.output)
      assert.match(chosen.output, /^warning {2}engine /m)
    })
  )

  it.live("X19: names a setting that is malformed", () =>
    Effect.gen(function* () {
      const { code, output } = yield* doctor({ LOCKKEEPER_MIGRATE: "never" })
      assert.strictEqual(code, 1)
      assert.match(output.trim(), /^the doctor did not look: LOCKKEEPER_MIGRATE: .*$/)
    })
  )
})

describeWith("pgbouncer")("npm run doctor behind PgBouncer", () => {
  it.live("X19 K12: says pooled, and which setting does not go with it", () =>
    Effect.gen(function* () {
      const { url } = yield* pgbouncer(yield* databaseUrl, 2)
      const DATABASE_URL = Redacted.value(url)
      const { code, output } = yield* doctor({ DATABASE_URL, LOCKKEEPER_DATABASE_PREPARE: "true" })
      assert.strictEqual(code, 1, output)
      assert.match(output, /^ok {7}pooling {14}pooled: /m)
      assert.match(output, /^failed {3}prepared_statements .*\n {30}set LOCKKEEPER_DATABASE_PREPARE=false$/m)
    }).pipe(Effect.scoped, Effect.provide(onDatabase))
  )
})
