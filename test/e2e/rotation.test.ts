// The secret key is replaced as `docs/rotate-keys.md` says, on servers that are stopped, killed and started again meanwhile.

import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Latch, Layer, Redacted } from "effect"
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import * as Path from "node:path"
import { GitRef, GitSource, GitUrl, KnownHosts } from "@lockkeeper/core/domain/Source"
import { deploy, deployedApp, makeApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { byFlavour } from "../harness/flavour.ts"
import { call } from "../harness/http.ts"
import { type Server, stopServer } from "../harness/server.ts"
import { goodApp } from "../harness/testApp.ts"
import { comesToRest, type Running, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const canary = `canary ${randomBytes(12).toString("hex")}`

const source = GitSource.make({
  type: "git",
  url: GitUrl.make("git@code.example:team/app.git"),
  ref: GitRef.make("main"),
  deployKey: Redacted.make(
    `-----BEGIN OPENSSH PRIVATE KEY-----\n${canary.slice(7)}\n-----END OPENSSH PRIVATE KEY-----\n`
  ),
  knownHosts: KnownHosts.make("code.example ssh-ed25519 AAAA")
})

const says = (server: Server, words: RegExp) =>
  eventually(
    `the server says ${words}`,
    Effect.sync(() => server.output()),
    (output) => words.test(output),
    "20 seconds"
  )

const done = /all secrets are sealed under the key of this server/

/** A new key, as a file at the place of the world. */
const newKey = Effect.fnUntraced(function* (name: string) {
  const { place } = yield* World
  const file = Path.join(place.directory, `${name}.key`)
  writeFileSync(file, randomBytes(32), { mode: 0o600 })
  return file
})

const keys = (current: string, ...retired: ReadonlyArray<string>) => ({
  LOCKKEEPER_SECRET_KEY_FILE: current,
  LOCKKEEPER_RETIRED_SECRET_KEY_FILES: retired.join(",")
})

const merge = ({ client }: Running, app: string, env: Readonly<Record<string, string>>) =>
  client.apps.mergeEnv({ params: { app }, query: {}, headers: {}, payload: { env } })

const readEnv = ({ client }: Running, app: string) =>
  Effect.map(client.apps.readEnv({ params: { app }, query: { reveal: "true" } }), ({ body }) => body.env)

/** Under how many keys something is sealed. */
const keysInUse = Effect.gen(function* () {
  const { sql } = yield* World
  const columns = yield* sql<{ column: string; table: string }>`select table_name as table, column_name as column
    from information_schema.columns where table_schema = 'public' and data_type = 'bytea' and table_name <> 'log_chunks'`
  const found = yield* Effect.forEach(
    columns,
    ({ column, table }) =>
      sql<{ key: string }>`select distinct encode(substring(${sql(column)} from 2 for 8), 'hex') as key
        from ${sql(table)} where ${sql(column)} is not null`
  )
  return new Set(found.flat().map(({ key }) => key)).size
})

const installation = Effect.gen(function* () {
  const { sql } = yield* World
  return (yield* sql<{ id: string }>`select id from installation`).map(({ id }) => id)
})

describe("the secret key of a server", () => {
  it.live("X8 X14 INV-11: is replaced: learned first, then sealed with, and what runs stays this installation's", () =>
    Effect.gen(function* () {
      const { archives, place } = yield* World
      const [old, next] = [place.env["LOCKKEEPER_SECRET_KEY_FILE"] ?? "", yield* newKey("next")]

      const first = yield* start()
      const app = yield* deployedApp(first.client, yield* archives.source(goodApp("first")))
      yield* merge(first, app.id, { SECRET: canary })
      const { instance } = yield* serves(app.url, "first")
      const ids = yield* eventually("the installation is known", installation, ({ length }) => length === 1)
      yield* stopServer(first, "SIGTERM")

      for (const [index, env] of [keys(old, next), keys(next, old), keys(next)].entries()) {
        const server = yield* start(place, env)
        if (env.LOCKKEEPER_RETIRED_SECRET_KEY_FILES !== "") yield* says(server, done)
        assert.strictEqual(yield* keysInUse, 1)
        assert.deepStrictEqual(yield* readEnv(server, app.id), {
          SECRET: canary,
          ...(index > 0 ? { TURN: "0" } : {})
        })
        const seen = yield* serves(app.url, "first")
        byFlavour({ docker: () => assert.strictEqual(seen.instance, instance), process: () => undefined })()
        if (index === 0) yield* merge(server, app.id, { TURN: "0" })
        assert.deepStrictEqual(yield* installation, ids)
        assert.notInclude(server.output(), canary)
        yield* stopServer(server, "SIGTERM")
      }

      const last = yield* start(place, keys(next))
      assert.strictEqual((yield* deploy(last.client, app.id)).status, "healthy")
      const served = yield* serves(app.url, "first")
      assert.strictEqual(served.env["SECRET"], canary)
      yield* comesToRest
      yield* stopServer(last, "SIGTERM")

      const forgetful = yield* start(place, keys(old))
      const path = `/v1/apps/${app.id}/env?reveal=true`
      assert.isAtLeast((yield* call(forgetful, path)).status, 500)
      assert.isAtLeast((yield* call(forgetful, path, { method: "PATCH", body: { env: { A: "b" } } })).status, 500)
      assert.notInclude(forgetful.output(), canary)
      yield* stopServer(forgetful, "SIGTERM")

      const again = yield* start(place, keys(next))
      assert.deepStrictEqual(yield* readEnv(again, app.id), { SECRET: canary, TURN: "0" })
      yield* comesToRest
      yield* stopServer(again, "SIGTERM")
    }).pipe(Effect.provide(Layer.fresh(World.layer())))
  )

  it.live("X8: is replaced although the server is killed in the middle: the next start does the rest", () =>
    Effect.gen(function* () {
      const { place, sql } = yield* World
      const [old, next] = [yield* newKey("old"), yield* newKey("newer")]
      const first = yield* start(place, keys(old))
      const apps = yield* Effect.forEach(Array.from({ length: 5 }), () => makeApp(first.client, { source }))
      for (const { id } of apps) yield* merge(first, id, { SECRET: canary })
      const release = yield* Latch.make()
      yield* Effect.forkChild(
        sql.withTransaction(
          Effect.andThen(sql`select from apps where id = ${apps[2]?.id ?? ""} for update`, release.await)
        )
      )
      yield* stopServer(first, "SIGTERM")

      const killed = yield* start(place, keys(next, old))
      yield* eventually("some are sealed again", keysInUse, (count) => count === 2)
      yield* Effect.sleep("300 millis")
      assert.strictEqual(yield* keysInUse, 2)
      yield* stopServer(killed, "SIGKILL")
      assert.notMatch(killed.output(), done)
      yield* release.open

      const second = yield* start(place, keys(next, old))
      yield* says(second, done)
      assert.strictEqual(yield* keysInUse, 1)
      for (const { id } of apps) assert.deepStrictEqual(yield* readEnv(second, id), { SECRET: canary })
      yield* stopServer(second, "SIGTERM")
    }).pipe(Effect.provide(Layer.fresh(World.layer())))
  )

  it.live("X8 B12: is replaced but for what does not open: that is named, and the keys are to be kept", () =>
    Effect.gen(function* () {
      const { place, sql } = yield* World
      const [old, next] = [yield* newKey("damaged"), yield* newKey("newest")]
      const first = yield* start(place, keys(old))
      const apps = yield* Effect.forEach(Array.from({ length: 2 }), () => makeApp(first.client, { source }))
      for (const { id } of apps) yield* merge(first, id, { SECRET: canary })
      yield* stopServer(first, "SIGTERM")
      const [bad, good] = apps
      yield* sql`update apps set source_secret = set_byte(source_secret, 30, get_byte(source_secret, 30) # 1)
        where id = ${bad?.id ?? ""}`

      const second = yield* start(place, keys(next, old))
      yield* says(second, /1 secrets open under none of the keys/)
      assert.include(second.output(), `app/${bad?.id}/source (damaged)`)
      assert.notMatch(second.output(), done)
      assert.deepStrictEqual(yield* readEnv(second, good?.id ?? ""), { SECRET: canary })
      yield* stopServer(second, "SIGTERM")
    }).pipe(Effect.provide(Layer.fresh(World.layer())))
  )
})
