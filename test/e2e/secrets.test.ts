// Secrets that users hand over are nowhere to be seen: not in logs, answers, output, the database, command lines or files.

import { assert, layer, vi } from "@effect/vitest"
import { Effect, Fiber, Redacted, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import { readdirSync, readFileSync, statSync } from "node:fs"
import * as Path from "node:path"
import { describeWith } from "../harness/capability.ts"
import { begin, deploy, deployedApp, ended, logOf, makeApp, serves } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { imagesOf } from "../harness/engine.ts"
import { flavour } from "../harness/flavour.ts"
import { GitWorld, sourceOver } from "../harness/gitWorld.ts"
import { commandLines } from "../harness/processes.ts"
import { storedLogs } from "../harness/storedLogs.ts"
import { tcpProxy } from "../harness/tcpProxy.ts"
import { comesToRest, SharedServer, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** A secret as it may turn up: as it is, encoded, or in parts. */
const formsOf = (secret: string): ReadonlyArray<string> => [
  secret,
  Buffer.from(secret).toString("base64").replaceAll("=", ""),
  Buffer.from(secret).toString("hex"),
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1)
]

/** The lines of a private key that say something. */
const linesOf = (key: Redacted.Redacted<string>): ReadonlyArray<string> =>
  Redacted.value(key)
    .split("\n")
    .filter((line) => line.length > 20 && !line.startsWith("-----") && !line.startsWith("b3BlbnNzaC1rZXktdjE"))

const dump = Effect.gen(function* () {
  const { sql } = yield* World
  const tables = yield* sql<{
    readonly name: string
  }>`select tablename as name from pg_tables where schemaname = 'public'`
  assert.isAbove(tables.length, 10)
  const texts = yield* Effect.forEach(
    tables,
    ({ name }) =>
      sql<{ readonly text: string }>`select coalesce(string_agg(t::text, chr(10)), '') as text from ${sql(name)} t`
  )
  const logs = yield* Effect.provideService(storedLogs, SqlClient.SqlClient, sql)
  return [...texts.map(([row]) => row?.text ?? ""), ...logs].join("\n")
})

const filesBelow = (directory: string): string =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => Path.join(directory, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, "latin1"))
    .join("\n")

const env = { LOCKKEEPER_LOG_LEVEL: "trace" }

describeWith("git", "sshd")("secrets", () => {
  layer(SharedServer.layer(env), { excludeTestServices: true })((it) => {
    it.layer(GitWorld.layer)((it) => {
      it.effect("INV-11 INV-12 U2 a deploy key and an env are nowhere to be seen while and after they are used", () =>
        Effect.gen(function* () {
          const server = yield* SharedServer
          const { place } = yield* World
          const { source, stranger } = yield* GitWorld
          const { client } = server
          const canary = `c"${randomBytes(15).toString("base64url")}\u00e9`

          const lines = new Set<string>()
          const watching = yield* Effect.sync(() => commandLines().forEach((line) => lines.add(line))).pipe(
            Effect.repeat(Schedule.spaced("20 millis")),
            Effect.forkChild
          )
          const app = yield* deployedApp(client, source)
          const env = { params: { app: app.id }, headers: {} }
          yield* client.apps.mergeEnv({ ...env, query: {}, payload: { env: { CANARY: canary } } })
          const good = yield* deploy(client, app.id)
          const bad = yield* deploy(client, app.id, { source: { ...source, deployKey: stranger } })
          const refused = yield* Effect.flip(
            client.apps.mergeEnv({ ...env, query: {}, payload: { env: { "not a key": canary } } })
          )
          yield* Fiber.interrupt(watching)
          const seen = [...lines].join("\n")
          assert.deepStrictEqual([good.status, bad.error?.code], ["healthy", "auth_failed"])
          assert.strictEqual((yield* serves(app.url, "v1")).env["CANARY"], canary)
          assert.include(seen, "git-upload-pack")

          const answers = [
            refused,
            yield* client.apps.get({ params: { app: app.id } }),
            yield* client.apps.list({ query: {} }),
            yield* client.apps.readEnv({ params: { app: app.id }, query: {} }),
            yield* client.deployments.list({ params: { app: app.id }, query: {} }),
            ...(yield* Effect.forEach([good.id, bad.id], (id) => logOf(client, id)))
          ]
          const places: Readonly<Record<string, string>> = {
            "the answers": JSON.stringify(answers),
            "the output": server.output(),
            "the command lines": seen,
            "the database": yield* dump,
            "the data directory": filesBelow(place.dataDir),
            ...(flavour === "docker" ? { "the images": yield* Effect.promise(() => imagesOf(place)) } : {})
          }
          const secrets = [canary, ...linesOf(source.deployKey ?? stranger), ...linesOf(stranger)].flatMap(formsOf)
          assert.isAbove(secrets.length, 20)
          for (const [where, text] of Object.entries(places)) {
            assert.isAbove(text.length, 50, where)
            assert.strictEqual(secrets.filter((secret) => text.includes(secret)).length, 0, where)
          }

          const revealed = yield* client.apps.readEnv({ params: { app: app.id }, query: { reveal: "true" } })
          assert.deepStrictEqual(revealed.body.env, { CANARY: canary })
          yield* comesToRest
        })
      )

      if (flavour === "process") {
        it.effect("INV-12 the key file exists only for the fetch, 0600 in a directory of its own, 0700", () =>
          Effect.gen(function* () {
            const { client } = yield* SharedServer
            const { place } = yield* World
            const git = yield* GitWorld
            const proxy = yield* tcpProxy({ host: "127.0.0.1", port: git.server.port })
            yield* proxy.stall
            const { id } = yield* makeApp(client, { source: sourceOver(git, proxy) })
            const deployment = yield* begin(client, id)

            const keys = Path.join(place.dataDir, "work", "fetch", "keys")
            const isConnected = Effect.sync(() => proxy.open())
            yield* eventually("ssh connects", isConnected, (open) => open > 0)
            const [own = ""] = readdirSync(keys)
            const modeOf = (...path: ReadonlyArray<string>) => statSync(Path.join(keys, ...path)).mode & 0o777
            assert.deepStrictEqual([modeOf(own), modeOf(own, "key"), modeOf()], [0o700, 0o600, 0o700])

            yield* proxy.resume
            assert.strictEqual((yield* ended(client, deployment.id)).status, "healthy")
            yield* comesToRest
          })
        )
      }
    })
  })
})
