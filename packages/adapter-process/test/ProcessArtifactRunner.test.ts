// Artifacts from real servers into real files: whole and right in their place, or nothing at all.
import { assert, describe, it } from "@effect/vitest"
import { ArchiveUrl, Sha256 } from "@lockkeeper/core/domain/Source"
import { type ArtifactRequest, fetchArtifact } from "@lockkeeper/core/port/artifactFetch"
import { Effect, Fiber, Result } from "effect"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Https from "node:https"
import * as Path from "node:path"
import * as Tls from "node:tls"
import { temporaryDirectory } from "../../../test/harness/temporaryDirectory.ts"
import { processArtifactRunner } from "../src/ProcessArtifactRunner.ts"
import { certificate } from "./support/certificate.ts"
import { filesBelow, until } from "./support/processes.ts"
import { httpServer, silentServer } from "./support/servers.ts"
import { sha256 } from "./support/tarball.ts"

const content = Buffer.from("an artifact ".repeat(20_000))

/** A place for an artifact, and how to fetch it there. */
const place = Effect.gen(function* () {
  const directory = Path.join(yield* temporaryDirectory, "place")
  const file = Path.join(directory, "artifact")
  const request = (url: string): ArtifactRequest => ({
    url: ArchiveUrl.make(url),
    sha256: Sha256.make(sha256(content)),
    file,
    limitBytes: 10_000_000
  })
  const fetch = (url: string) => fetchArtifact(request(url), processArtifactRunner)
  const outcome = (url: string) =>
    Effect.map(Effect.result(fetch(url)), (result) => (Result.isSuccess(result) ? "fetched" : result.failure.reason))
  const names = () => (Fs.existsSync(directory) ? filesBelow(directory) : [])
  return { directory, file, fetch, outcome, names }
})

const httpsServer = (location: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = Https.createServer(certificate, (_, response) => response.writeHead(302, { location }).end())
      await once(server.listen(0, "127.0.0.1"), "listening")
      return server
    }),
    (server) => Effect.sync(() => (server.close(), server.closeAllConnections()))
  )

/** Trusts the certificate of the tests while the Scope lasts. */
const trusted = Effect.acquireRelease(
  Effect.sync(() => {
    const before = Tls.getCACertificates("default")
    Tls.setDefaultCACertificates([...before, certificate.cert])
    return before
  }),
  (before) => Effect.sync(() => Tls.setDefaultCACertificates(before))
)

describe("an artifact", () => {
  it.live("B24 H6 is whole in its place, 0600 in 0700, and on the way a private file of another name", () =>
    Effect.gen(function* () {
      const { directory, fetch, file, names } = yield* place
      const seen: Array<readonly [string, number]> = []
      const server = yield* httpServer((_, response) => {
        response.write(content.subarray(0, 1000), () => {
          setTimeout(() => {
            seen.push(...names().map((name) => [name, Fs.statSync(Path.join(directory, name)).mode & 0o777] as const))
            response.end(content.subarray(1000))
          }, 50)
        })
      })
      yield* fetch(`${server.origin}/a`)
      assert.deepStrictEqual(Fs.readFileSync(file), content)
      assert.deepStrictEqual([Fs.statSync(file).mode & 0o777, Fs.statSync(directory).mode & 0o777], [0o600, 0o700])
      assert.deepStrictEqual(names(), ["artifact"])
      assert.deepStrictEqual([seen.length, seen[0]?.[1], seen[0]?.[0] !== "artifact"], [1, 0o600, true])
    })
  )

  it.live("B25 H6 with a flipped byte, a missing end or another sum is not there, and what was there before is", () =>
    Effect.gen(function* () {
      const flipped = Buffer.from(content)
      flipped[70_000] = (flipped[70_000] ?? 0) ^ 1
      for (const sent of [flipped, content.subarray(0, -1), Buffer.from("<html>"), Buffer.alloc(0)]) {
        const { directory, file, names, outcome } = yield* place
        const server = yield* httpServer((_, response) => response.end(sent))
        assert.strictEqual(yield* outcome(`${server.origin}/a`), "wrong_sum")
        assert.deepStrictEqual([names(), server.requests.length], [[], 1])
        Fs.writeFileSync(Path.join(directory, "artifact"), "before")
        assert.strictEqual(yield* outcome(`${server.origin}/a`), "wrong_sum")
        assert.strictEqual(Fs.readFileSync(file, "utf8"), "before")
      }
    })
  )

  it.live("H6 H7 whose body breaks off is tried for three times, and whole after that or not there", () =>
    Effect.gen(function* () {
      for (const [breaks, found] of [
        [2, "fetched"],
        [3, "ended_early"]
      ] as const) {
        const { names, outcome } = yield* place
        let left: number = breaks
        const server = yield* httpServer((_, response) => {
          if (left-- <= 0) return void response.end(content)
          response.writeHead(200, { "content-length": content.length })
          response.write(content.subarray(0, 3000), () => response.destroy())
        })
        assert.strictEqual(yield* outcome(`${server.origin}/a`), found)
        assert.deepStrictEqual([names(), server.requests.length], [found === "fetched" ? ["artifact"] : [], 3])
      }
    })
  )

  it.live("H7 is there after 503, 503 and 200; after 404 nobody asks again", () =>
    Effect.gen(function* () {
      for (const [statuses, found, asked] of [
        [[503, 503], "fetched", 3],
        [[404], "refused", 1]
      ] as const) {
        const { outcome } = yield* place
        const rest = Array.from<number>(statuses)
        const server = yield* httpServer((_, response) => response.writeHead(rest.shift() ?? 200).end(content))
        assert.deepStrictEqual([yield* outcome(`${server.origin}/a`), server.requests.length], [found, asked])
      }
    })
  )

  it.live("H5 that stalls is given up within a second: its socket is closed, and no file is left", () =>
    Effect.gen(function* () {
      const silent = yield* silentServer
      let closed = 0
      const stalled = yield* httpServer((_, response) => {
        response.once("close", () => closed++)
        response.writeHead(200, { "content-length": 1000 }).write("begun")
      })
      const { directory, fetch, names } = yield* place
      const begun = () => names().some((name) => Fs.statSync(Path.join(directory, name)).size === 5)
      for (const [url, isBegun, isOver] of [
        [`http://127.0.0.1:${silent.port}/a`, () => silent.open() === 1, () => silent.open() === 0],
        [`${stalled.origin}/a`, begun, () => closed === 1]
      ] as const) {
        const fetching = yield* Effect.forkChild(fetch(url))
        yield* until(isBegun)
        const start = performance.now()
        yield* Fiber.interrupt(fetching)
        assert.deepStrictEqual(names(), [])
        yield* until(isOver)
        assert.isBelow(performance.now() - start, 1000)
      }
    })
  )

  it.live("H5 that is refused while its server still sends has its socket closed", () =>
    Effect.gen(function* () {
      let closed = 0
      const server = yield* httpServer((path, response) => {
        response.once("close", () => closed++)
        response.writeHead(path === "/large" ? 200 : 404).write(Buffer.alloc(11_000_000))
      })
      for (const [path, reason] of [
        ["large", "too_large"],
        ["gone", "refused"]
      ] as const) {
        closed = 0
        const { names, outcome } = yield* place
        assert.strictEqual(yield* outcome(`${server.origin}/${path}`), reason)
        yield* until(() => closed === 1)
        assert.deepStrictEqual([closed, names()], [1, []])
      }
    })
  )

  it.live("H6 is not taken from http when https said so, nor from https that http names", () =>
    Effect.gen(function* () {
      yield* trusted
      const { names, outcome } = yield* place
      const plain = yield* httpServer((_, response) => response.end(content))
      const secure = yield* httpsServer(`${plain.origin}/a`)
      const address = secure.address()
      const port = typeof address === "object" ? (address?.port ?? 0) : 0
      assert.strictEqual(yield* outcome(`https://127.0.0.1:${port}/a`), "refused")
      const upwards = yield* httpServer((_, response) =>
        response.writeHead(302, { location: `https://127.0.0.1:${port}/a` }).end()
      )
      assert.strictEqual(yield* outcome(`${upwards.origin}/a`), "refused")
      assert.deepStrictEqual([names(), plain.requests.length, upwards.requests.length], [[], 0, 1])
    })
  )

  it.live("is not taken from a server whose certificate nobody knows, nor asked for twice", () =>
    Effect.gen(function* () {
      let connections = 0
      const { names, outcome } = yield* place
      const secure = yield* httpsServer("/a")
      secure.on("connection", () => connections++)
      const address = secure.address()
      const port = typeof address === "object" ? (address?.port ?? 0) : 0
      assert.strictEqual(yield* outcome(`https://127.0.0.1:${port}/a`), "refused")
      assert.deepStrictEqual([names(), connections], [[], 1])
    })
  )

  it.live("B24 that two fetch at once is whole in its place all the time, and neither leaves anything", () =>
    Effect.gen(function* () {
      const { fetch, file, names } = yield* place
      let waiting: Array<() => void> = []
      const server = yield* httpServer((_, response) => {
        response.write(content.subarray(0, 5000))
        waiting.push(() => response.end(content.subarray(5000)))
        if (waiting.length === 2) waiting.forEach((go) => go())
      })
      yield* Effect.all([fetch(`${server.origin}/a`), fetch(`${server.origin}/a`)], { concurrency: 2 })
      assert.deepStrictEqual(Fs.readFileSync(file), content)
      assert.deepStrictEqual(names(), ["artifact"])

      waiting = []
      let isOver = false
      const both = yield* Effect.forkChild(
        Effect.all([fetch(`${server.origin}/a`), fetch(`${server.origin}/a`)], { concurrency: 2 }).pipe(
          Effect.ensuring(Effect.sync(() => (isOver = true)))
        )
      )
      while (!isOver) {
        assert.deepStrictEqual(Fs.readFileSync(file), content)
        yield* Effect.sleep("1 millis")
      }
      yield* Fiber.join(both)
    })
  )

  it.live("INV-7 that a killed process was fetching is swept with the next one", () =>
    Effect.gen(function* () {
      const { directory, fetch, names } = yield* place
      Fs.mkdirSync(directory, { mode: 0o755 })
      Fs.writeFileSync(Path.join(directory, "4194303-1-left"), "half")
      Fs.writeFileSync(Path.join(directory, "other"), "stays")
      const server = yield* httpServer((_, response) => response.end(content))
      yield* fetch(`${server.origin}/a`)
      assert.deepStrictEqual(names(), ["artifact", "other"])
      assert.strictEqual(Fs.statSync(directory).mode & 0o777, 0o700)
    })
  )

  it.live("that cannot be written says so, once", () =>
    Effect.gen(function* () {
      const { directory, outcome } = yield* place
      Fs.writeFileSync(directory, "no directory")
      const server = yield* httpServer((_, response) => response.end(content))
      assert.deepStrictEqual([yield* outcome(`${server.origin}/a`), server.requests.length], ["not_written", 0])
    })
  )
})
