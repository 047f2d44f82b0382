// Archives from a real HTTP server: what is unpacked, what is refused before a byte is unpacked, what is tried again,
// and that nothing is left.

import { type ArchiveSource, ArchiveUrl, ImageReference, Sha256 } from "@lockkeeper/core/domain/Source"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Fs from "node:fs"
import type { ServerResponse } from "node:http"
import * as Path from "node:path"
import { temporaryDirectory } from "../../../test/harness/temporaryDirectory.ts"
import { fetcher } from "./support/fetching.ts"
import { filesBelow, textsBelow, until } from "./support/processes.ts"
import { httpServer, silentServer } from "./support/servers.ts"
import { sha256, tarball, type TarEntry, tarGz } from "./support/tarball.ts"

const sourceAt = (url: string, bytes: Buffer): ArchiveSource => ({
  type: "archive",
  url: ArchiveUrl.make(url),
  sha256: Sha256.make(sha256(bytes))
})

const serving = (bytes: Buffer, options: Parameters<typeof fetcher>[0] = {}) =>
  Effect.gen(function* () {
    const server = yield* httpServer((_, response) => response.end(bytes))
    return { ...(yield* fetcher(options)), source: sourceAt(`${server.origin}/a`, bytes), requests: server.requests }
  })

const procfile: TarEntry = { path: "Procfile", content: "web: true" }

describe("an archive", () => {
  it.live("is unpacked, as tar or tar.gz, with links that stay inside and without special modes", () =>
    Effect.gen(function* () {
      const entries: ReadonlyArray<TarEntry> = [
        { path: "./", type: "5" },
        { path: "./Procfile", content: "web: true" },
        { path: "bin/run", content: "#!", mode: 0o6755 },
        { path: "bin/link", type: "2", link: "../Procfile" },
        { path: "bin/same", type: "1", link: "bin/run" },
        { path: "empty", type: "5", mode: 0o2777 }
      ]
      for (const bytes of [tarball(...entries), tarGz(...entries)]) {
        const { directory, fetch, left, source } = yield* serving(bytes)
        yield* Effect.scoped(
          Effect.map(fetch(source), (tree) => {
            const at = (name: string) => Path.join(tree.directory, name)
            assert.strictEqual(tree.commit, null)
            const names = ["Procfile", "bin", "bin/link", "bin/run", "bin/same", "empty"]
            assert.deepStrictEqual(filesBelow(tree.directory), names)
            assert.strictEqual(Fs.readFileSync(at("bin/link"), "utf8"), "web: true")
            assert.strictEqual(Fs.readFileSync(at("bin/same"), "utf8"), "#!")
            assert.strictEqual(Fs.statSync(at("bin/run")).mode & 0o7777, 0o755)
            assert.strictEqual(Fs.statSync(at("empty")).mode & 0o7000, 0)
            assert.notInclude(filesBelow(directory).join(), "download")
          })
        )
        assert.deepStrictEqual(left(), [])
      }
    })
  )

  it.live("with one directory at its top is the tree in that directory", () =>
    Effect.gen(function* () {
      const wrapped = yield* serving(tarGz({ path: "repo-1234/Procfile", content: "web: true" }))
      const tree = yield* wrapped.fetch(wrapped.source)
      assert.deepStrictEqual(filesBelow(tree.directory), ["Procfile"])
      const flat = yield* serving(tarGz({ path: "src/a", content: "a" }, procfile))
      assert.deepStrictEqual(filesBelow((yield* flat.fetch(flat.source)).directory), ["Procfile", "src", "src/a"])
    })
  )

  it.live("with another sum, a flipped byte or a missing end is refused before anything is unpacked (H6)", () =>
    Effect.gen(function* () {
      const bytes = tarGz(procfile)
      const flipped = Buffer.from(bytes)
      flipped[20] = (flipped[20] ?? 0) ^ 1
      const served = [Buffer.from("<html>"), flipped, bytes.subarray(0, -1)]
      const errors = yield* Effect.forEach(served, (sent) =>
        Effect.gen(function* () {
          const server = yield* httpServer((_, response) => response.end(sent))
          const { left, refusal } = yield* fetcher()
          const error = yield* refusal(sourceAt(`${server.origin}/a`, bytes))
          assert.deepStrictEqual(left(), [])
          assert.strictEqual(server.requests.length, 1)
          return error
        })
      )
      for (const { reason } of errors) assert.strictEqual(reason, "checksum_mismatch")
    })
  )

  it.live("that breaks off is asked for three times and then refused (B14)", () =>
    Effect.gen(function* () {
      const bytes = tarGz(procfile)
      const server = yield* httpServer((_, response) => {
        response.writeHead(200, { "content-length": bytes.length })
        response.write(bytes.subarray(0, 30), () => response.destroy())
      })
      const { left, refusal } = yield* fetcher()
      const { detail, reason } = yield* refusal(sourceAt(`${server.origin}/a`, bytes))
      assert.deepStrictEqual([reason, server.requests.length], ["checksum_mismatch", 3], detail)
      assert.deepStrictEqual(left(), [])
    })
  )

  it.live("is tried again after 502, 503 and 504 only", () =>
    Effect.gen(function* () {
      const bytes = tarGz(procfile)
      const attempt = (statuses: ReadonlyArray<number>) =>
        Effect.gen(function* () {
          const rest = [...statuses]
          const server = yield* httpServer((_, response) => response.writeHead(rest.shift() ?? 200).end(bytes))
          const { fetch } = yield* fetcher()
          const fetched = yield* Effect.result(fetch(sourceAt(`${server.origin}/a`, bytes)))
          return [fetched._tag === "Success" ? "fetched" : fetched.failure.reason, server.requests.length]
        })
      const found = yield* Effect.forEach([[502, 504], [503, 503, 503], [404], [500], [401], [403]], attempt)
      assert.deepStrictEqual(found, [
        ["fetched", 3],
        ["source_unreachable", 3],
        ["source_unreachable", 1],
        ["source_unreachable", 1],
        ["auth_failed", 1],
        ["auth_failed", 1]
      ])
    })
  )

  it.live("may be behind five redirects, never behind another scheme or credentials", () =>
    Effect.gen(function* () {
      const bytes = tarGz(procfile)
      const answer = (path: string, response: ServerResponse) => {
        const left = Number(path.slice(1))
        const to: Record<string, string> = {
          "/https": "https://127.0.0.1/a",
          "/user": "http://a:b@127.0.0.1:1/",
          "/none": ""
        }
        const location = to[path] ?? `/${left - 1}`
        if (left === 0) response.end(bytes)
        else response.writeHead(302, location === "" ? {} : { location }).end()
      }
      const server = yield* httpServer(answer)
      const { fetch, refusal } = yield* fetcher()
      yield* fetch(sourceAt(`${server.origin}/5`, bytes))
      assert.strictEqual(server.requests.length, 6)
      for (const path of ["6", "https", "user", "none"]) {
        const { detail, reason } = yield* refusal(sourceAt(`${server.origin}/${path}`, bytes))
        assert.deepStrictEqual([reason, /redirect/.test(detail)], ["source_unreachable", true], detail)
      }
    })
  )

  it.live(
    "of a server that is not there is source_unreachable, and nothing is left, also before the Scope closes",
    () =>
      Effect.gen(function* () {
        const { fetch, left } = yield* fetcher()
        for (const url of ["http://127.0.0.1:1/a", "http://host.invalid/a"]) {
          assert.strictEqual((yield* Effect.flip(fetch(sourceAt(url, Buffer.alloc(0))))).reason, "source_unreachable")
        }
        assert.deepStrictEqual(left(), [])
      })
  )

  it.live("of a server that stalls is given up on interruption: socket and files are gone within a second (H5)", () =>
    Effect.gen(function* () {
      const silent = yield* silentServer
      const bytes = tarGz(procfile)
      let closed = 0
      const stalled = yield* httpServer((_, response) => {
        response.once("close", () => closed++)
        response.writeHead(200, { "content-length": 1000 }).write(bytes.subarray(0, 30))
      })
      const { directory, fetch, left } = yield* fetcher()
      for (const [url, begun, over] of [
        [`http://127.0.0.1:${silent.port}/a`, () => silent.open() === 1, () => silent.open() === 0],
        [`${stalled.origin}/a`, () => textsBelow(directory).length === 30, () => closed === 1]
      ] as const) {
        const fetching = yield* Effect.forkChild(Effect.scoped(fetch(sourceAt(url, bytes))))
        yield* until(begun)
        const start = performance.now()
        yield* Fiber.interrupt(fetching)
        assert.deepStrictEqual(left(), [])
        yield* until(over)
        assert.isBelow(performance.now() - start, 1000)
        assert.isTrue(over())
      }
    })
  )

  const hostile: Readonly<Record<string, ReadonlyArray<TarEntry>>> = {
    "a path upwards": [{ path: "../out", content: "x" }],
    "a path upwards in the middle": [{ path: "a/../../out", content: "x" }],
    "an absolute path": [{ path: "/tmp/out", content: "x" }],
    "an absolute link": [{ path: "link", type: "2", link: "/etc" }],
    "a link upwards": [{ path: "a/link", type: "2", link: "../../out" }],
    "a file through a link": [
      { path: "link", type: "2", link: "." },
      { path: "link/file", content: "x" }
    ],
    "a file through a file": [
      { path: "file", content: "x" },
      { path: "file/file", content: "x" }
    ],
    "a link that only leaves by way of another": [
      { path: "a/b/up", type: "2", link: "../.." },
      { path: "a/b/out", type: "2", link: "up/../etc" }
    ],
    "links in a circle": [
      { path: "a", type: "2", link: "b" },
      { path: "b", type: "2", link: "a" }
    ],
    "a file that becomes a link": [
      { path: "a", content: "x" },
      { path: "a", type: "2", link: "b" }
    ],
    "a hard link outwards": [{ path: "a", type: "1", link: "/etc/passwd" }],
    "a hard link to a link": [
      { path: "a", type: "2", link: "b" },
      { path: "c", type: "1", link: "a" }
    ],
    "a device": [{ path: "null", type: "3" }],
    "a pipe": [{ path: "pipe", type: "6" }],
    "too many entries": Array.from({ length: 12 }, (_, index) => ({ path: `f${index}`, content: "x" })),
    "too many bytes": [{ path: "large", content: "x".repeat(6000) }],
    nothing: [],
    "an end too early": [{ path: "a", content: "x", size: 4000 }]
  }

  it.live.each(Object.entries(hostile))("with %s is not unpacked", ([, entries]) =>
    Effect.gen(function* () {
      const limits = { unpacked: { entries: 10, bytes: 5000 } }
      const { left, refusal, source } = yield* serving(tarball(...entries), limits)
      const { detail, reason } = yield* refusal(source)
      assert.strictEqual(reason, "no_build_file", detail)
      assert.match(detail, /^the archive cannot be used: ./)
      assert.deepStrictEqual(left(), [])
    })
  )

  it.live("that is damaged, no archive at all, or too large to be loaded is not usable", () =>
    Effect.gen(function* () {
      const damaged = tarGz(procfile, { path: "a", content: "x".repeat(3000) }).subarray(0, -20)
      for (const bytes of [damaged, Buffer.from("<html>".repeat(200)), tarGz(procfile).fill(7, 10)]) {
        const { left, refusal, source } = yield* serving(bytes)
        const { detail, reason } = yield* refusal(source)
        assert.deepStrictEqual([reason, detail.length > 0], ["no_build_file", true], detail)
        assert.deepStrictEqual(left(), [])
      }
      const { refusal, source } = yield* serving(tarGz(procfile), { archiveBytes: 50 })
      assert.include((yield* refusal(source)).detail, "larger than 50 bytes")
    })
  )

  it.live("leaves nothing when it is interrupted while it is unpacked (INV-7)", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 3000 }, (_, index) => ({
        path: `d${index % 50}/f${index}`,
        content: "x".repeat(500)
      }))
      const { fetch, left, source } = yield* serving(tarGz(...many))
      for (const millis of [5, 20, 50, 100, 200, 350]) {
        const fetching = yield* Effect.forkChild(Effect.scoped(fetch(source)))
        yield* Effect.sleep(millis)
        yield* Fiber.interrupt(fetching)
        assert.deepStrictEqual(left(), [], `after ${millis} ms`)
      }
    })
  )

  it.live("is not fetched for an image", () =>
    Effect.gen(function* () {
      const { refusal } = yield* fetcher()
      assert.strictEqual(
        (yield* refusal({ type: "image", reference: ImageReference.make("nginx:1") })).reason,
        "no_build_file"
      )
    })
  )

  it.live("is refused where the place for trees is no directory of this user (H30)", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      Fs.symlinkSync("/tmp", Path.join(directory, "sources"))
      const { source } = yield* serving(tarGz(procfile))
      const { refusal } = yield* fetcher({ directory })
      assert.include((yield* refusal(source)).detail, "is not a directory")
    })
  )
})
