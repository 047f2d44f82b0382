// Logs as users read them: whole, bounded, without secrets, and the same on every server.

import { assert, layer, vi } from "@effect/vitest"
import { truncationLine } from "@lockkeeper/core/port/LogStore"
import { Context, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { randomBytes } from "node:crypto"
import { begin, deploy, ended, logOf, makeApp } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { makePlace } from "../harness/server.ts"
import { goodApp } from "../harness/testApp.ts"
import { type Running, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const limit = 80_000
const env = { LOCKKEEPER_LOG_LIMIT_BYTES: String(limit) }

/** Two servers on one database. */
class Pair extends Context.Service<Pair, { readonly first: Running; readonly second: Running }>()(
  "@lockkeeper/test/e2e/logs/Pair"
) {
  static readonly layer = Layer.effect(
    Pair,
    Effect.gen(function* () {
      const { database, place } = yield* World
      const first = yield* start(undefined, env)
      const { LOCKKEEPER_APP_PORTS = "", LOCKKEEPER_SECRET_KEY_FILE = "" } = place.env
      const other = yield* makePlace(database, { LOCKKEEPER_APP_PORTS, LOCKKEEPER_SECRET_KEY_FILE })
      const tokens = [place, other].map(({ token }) => `ops:${Redacted.value(token)}=*`)
      return { first, second: yield* start(other, { ...env, LOCKKEEPER_TOKENS: tokens.join() }) }
    })
  ).pipe(Layer.provideMerge(World.layer()))
}

const secret = `s3cret "${randomBytes(12).toString("base64")}" \u00e9`

/** A good app that says its secret in every way, once in a line that is cut within it, and then more than is kept. */
const tellingApp = {
  ...goodApp("v1"),
  "app.mjs": `${goodApp("v1")["app.mjs"]}
const { SECRET } = process.env
console.log("plain", SECRET)
console.log("base64", Buffer.from("a" + SECRET + "b").toString("base64"), Buffer.from(SECRET).toString("base64url"))
console.log("url", encodeURIComponent(SECRET), new URLSearchParams({ SECRET }))
console.log("json", JSON.stringify({ SECRET }))
console.log("x".repeat(16 * 1024 - 10) + SECRET + "x".repeat(100))
server.once("listening", () => setTimeout(() => process.stdout.write("split " + SECRET.slice(0, 7)), 100))
server.once("listening", () => setTimeout(() => {
  console.log(SECRET.slice(7), "end")
  for (let line = 0; line < 1000; line++) console.log("line", line, "x".repeat(100))
}, 200))
`
}

const forms = [
  secret,
  Buffer.from(`a${secret}b`).toString("base64"),
  Buffer.from(secret).toString("base64url"),
  encodeURIComponent(secret),
  new URLSearchParams({ secret }).toString().slice("secret=".length),
  JSON.stringify(secret).slice(1, -1),
  secret.slice(0, 12)
]

const linesOf = (items: Iterable<object>): ReadonlyArray<string> =>
  [...items].flatMap((item) => ("line" in item && typeof item.line === "string" ? [item.line] : []))

layer(Pair.layer, { excludeTestServices: true })("logs", (it) => {
  it.effect("INV-11 U1 X1: hold no secret, are cut once at their limit, and are the same on every server", () =>
    Effect.gen(function* () {
      const { first, second } = yield* Pair
      const { archives } = yield* World
      const { id } = yield* makeApp(first.client, { source: yield* archives.source(tellingApp) })
      yield* first.client.apps.mergeEnv({
        params: { app: id },
        query: {},
        headers: {},
        payload: { env: { SECRET: secret } }
      })
      const deployment = yield* deploy(first.client, id)
      assert.strictEqual(deployment.status, "healthy")

      const appLog = ({ client }: Running) =>
        client.deployments
          .appLogs({ params: { app: id }, query: { follow: "false" }, headers: { accept: "application/x-ndjson" } })
          .pipe(Effect.flatMap(Stream.runCollect), Effect.map(linesOf))
      const isCut = (lines: ReadonlyArray<string>) => lines.includes(truncationLine)
      const lines = yield* eventually("the log is cut", appLog(first), isCut)
      assert.deepStrictEqual(
        lines.filter((line) => line === truncationLine),
        lines.slice(-1)
      )
      const size = lines.slice(0, -1).reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)
      assert.isAtMost(size, limit)
      assert.isAbove(size, limit - 200)
      assert.deepStrictEqual(yield* appLog(second), lines)

      const said = [...lines, ...linesOf(yield* logOf(second.client, deployment.id))].join("\n")
      assert.deepStrictEqual(
        forms.filter((form) => said.includes(form)),
        []
      )
      assert.deepStrictEqual(
        lines.filter((line) => line.startsWith("split")),
        ["split *** end"]
      )
      for (const line of ["plain ***", 'json {"SECRET":"***"}']) assert.include(lines, line)
      assert.include(lines, "x".repeat(100))
      assert.include(lines, `${"x".repeat(16 * 1024 - 10)}***`)
    })
  )

  it.effect(
    "U1 X1 B31: are followed on another server than the one that writes them, and complete when the status is",
    () =>
      Effect.gen(function* () {
        const { first, second } = yield* Pair
        const { archives } = yield* World
        for (const [writer, reader] of [
          [first, second],
          [second, first]
        ] as const) {
          const { id } = yield* makeApp(writer.client, { source: yield* archives.source(goodApp("v1")) })
          const deployment = yield* begin(writer.client, id)
          const following = yield* Effect.forkChild(logOf(reader.client, deployment.id, "true"))
          yield* ended(writer.client, deployment.id)
          const stored = yield* logOf(reader.client, deployment.id)
          const last = stored.at(-1)
          assert.deepStrictEqual(last, { seq: stored.length, end: true, status: "healthy" })
          assert.deepStrictEqual(yield* Fiber.join(following), stored)
          assert.deepStrictEqual(
            stored.map(({ seq }) => seq),
            stored.map((_, index) => index + 1)
          )
        }
      })
  )
})
