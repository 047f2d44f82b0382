// Settings that cannot work: the server does not start, says in one line which one it is, and shows no secret.

import { assert, describe, layer, vi } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { once } from "node:events"
import { createServer } from "node:net"
import * as Path from "node:path"
import { makePlace, launch, type ServerProcess } from "../harness/server.ts"
import { start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const secret = randomBytes(18).toString("base64url")

/** What a server says that does not start: one line with these words, after what it says before it tries. */
const refused = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>, ...words: ReadonlyArray<string>) {
  const server: ServerProcess = yield* launch(env)
  const { code } = yield* server.exited
  const output = server.output()
  const lines = output.split("\n").filter((line) => line.includes("lockkeeper did not start"))
  assert.strictEqual(code, 1, output)
  assert.lengthOf(lines, 1, output)
  for (const word of words) assert.include(lines[0], word)
  assert.notInclude(output, secret)
  assert.notMatch(output, /^\s+at /m)
  assert.isBelow(output.trimEnd().split("\n").length, 5, output)
})

type Case = readonly [name: string, value: string, word: string]

const malformed: ReadonlyArray<Case> = [
  ["PORT", "abc", "number"],
  ["DATABASE_URL", `not-a-url-${secret}`, "postgres://user:password@host:5432/name"],
  ["LOCKKEEPER_DIRECT_DATABASE_URL", `not-a-url-${secret}`, "postgres://user:password@host:5432/name"],
  ["LOCKKEEPER_TOKENS", `ops:${secret}=No Tenant`, "name:token=tenant"],
  ["LOCKKEEPER_APP_PORTS", "9000-8000", "20000-29999"],
  ["LOCKKEEPER_RUNTIME", "podman", "process"],
  ["LOCKKEEPER_DATABASE_PREPARE", "perhaps", "true"]
]

layer(World.layer(), { excludeTestServices: true })("H21 a server that cannot start", (it) => {
  describe("because a setting is malformed", () => {
    it.effect.each(malformed)("%s", ([name, value, word]) =>
      Effect.gen(function* () {
        const { place } = yield* World
        yield* refused({ ...place.env, [name]: value }, name, word)
      })
    )
  })

  describe("because of what a setting leads to", () => {
    it.effect("PORT is taken", () =>
      Effect.gen(function* () {
        const { place } = yield* World
        const other = createServer()
        yield* Effect.acquireRelease(
          Effect.promise(() => once(other.listen(0, "127.0.0.1"), "listening")),
          () => Effect.sync(() => other.close())
        )
        const address = other.address()
        const port = typeof address === "object" && address !== null ? String(address.port) : ""
        yield* refused({ ...place.env, PORT: port }, "PORT", port)
      })
    )

    it.effect("DATABASE_URL leads nowhere, or to a server that does not let it in", () =>
      Effect.gen(function* () {
        const { database, place } = yield* World
        const nowhere = `postgres://lockkeeper:${secret}@127.0.0.1:9/lockkeeper`
        yield* refused({ ...place.env, DATABASE_URL: nowhere }, "DATABASE_URL", "127.0.0.1:9")
        const stranger = new URL(Redacted.value(database))
        stranger.pathname = "/no_such_database"
        yield* refused({ ...place.env, DATABASE_URL: stranger.toString() }, "DATABASE_URL", "no_such_database")
      })
    )

    it.effect("B12 DATABASE_URL is there and LOCKKEEPER_SECRET_KEY_FILE is not, or holds something else", () =>
      Effect.gen(function* () {
        const { place } = yield* World
        const { LOCKKEEPER_SECRET_KEY_FILE: _, ...withoutKey } = place.env
        yield* refused(withoutKey, "LOCKKEEPER_SECRET_KEY_FILE")
        const short = Path.join(place.directory, "short.key")
        writeFileSync(short, secret.slice(0, 16), { mode: 0o600 })
        const env = { ...place.env, LOCKKEEPER_SECRET_KEY_FILE: short }
        yield* refused(env, "LOCKKEEPER_SECRET_KEY_FILE", short, "32 bytes")
      })
    )

    it.effect("X8 B12 LOCKKEEPER_RETIRED_SECRET_KEY_FILES names what is not there, no key, or a key twice", () =>
      Effect.gen(function* () {
        const { place } = yield* World
        const name = "LOCKKEEPER_RETIRED_SECRET_KEY_FILES"
        const current = place.env["LOCKKEEPER_SECRET_KEY_FILE"] ?? ""
        const [missing, short] = ["missing", "too-short"].map((word) => Path.join(place.directory, `${word}.key`))
        if (missing === undefined || short === undefined) return assert.fail("two paths")
        writeFileSync(short, secret.slice(0, 16), { mode: 0o600 })
        yield* refused({ ...place.env, [name]: missing }, name, missing)
        yield* refused({ ...place.env, [name]: ` ,${short}` }, name, short, "32 bytes")
        yield* refused({ ...place.env, [name]: current }, name, current, "another file")
      })
    )

    it.effect("X12 LOCKKEEPER_WEBHOOK_URL and LOCKKEEPER_WEBHOOK_SECRET_FILE are not both there, or not usable", () =>
      Effect.gen(function* () {
        const { place } = yield* World
        const [url, file] = ["LOCKKEEPER_WEBHOOK_URL", "LOCKKEEPER_WEBHOOK_SECRET_FILE"]
        const [missing, short, good] = ["missing", "short", "good"].map((word) =>
          Path.join(place.directory, `${word}.webhook`)
        )
        if (missing === undefined || short === undefined || good === undefined) return assert.fail("three paths")
        writeFileSync(short, secret.slice(0, 16), { mode: 0o600 })
        writeFileSync(good, `${secret}${secret}`, { mode: 0o600 })
        const address = `https://platform.example/${secret}`
        yield* refused({ ...place.env, [url]: address }, file, "no file")
        yield* refused({ ...place.env, [file]: good }, url, "no address")
        yield* refused({ ...place.env, [url]: address, [file]: missing }, file, missing)
        yield* refused({ ...place.env, [url]: address, [file]: short }, file, "24 bytes")
        yield* refused({ ...place.env, [url]: `http://10.0.0.1/${secret}`, [file]: good }, url, "https")
        yield* refused({ ...place.env, [url]: secret, [file]: good }, url, "https://")
        yield* refused({ ...place.env, [url]: `https://u:${secret}@platform.example/`, [file]: good }, url, "password")
      })
    )

    it.effect("LOCKKEEPER_DATA_DIR is a file", () =>
      Effect.gen(function* () {
        const { place } = yield* World
        const file = Path.join(place.directory, "file")
        writeFileSync(file, "")
        yield* refused({ ...place.env, LOCKKEEPER_DATA_DIR: file }, "LOCKKEEPER_DATA_DIR", file)
      })
    )

    it.effect("INV-2 LOCKKEEPER_DATA_DIR is that of a server that runs, and not of one that was killed", () =>
      Effect.gen(function* () {
        const { place } = yield* World
        const server = yield* start()
        yield* refused({ ...place.env, PORT: "0" }, "LOCKKEEPER_DATA_DIR", place.dataDir)
        yield* server.signal("SIGKILL")
        yield* server.exited
        const next = yield* start()
        assert.notStrictEqual(next.pid, server.pid)
      })
    )

    it.effect("LOCKKEEPER_SECRET_KEY_FILE is not there, also with the embedded database", () =>
      Effect.gen(function* () {
        const { env, directory } = yield* makePlace(undefined)
        const missing = Path.join(directory, "missing.key")
        yield* refused({ ...env, LOCKKEEPER_SECRET_KEY_FILE: missing }, "LOCKKEEPER_SECRET_KEY_FILE", missing)
      })
    )
  })
})
