// Images: what is taken from a tree and what is refused, that equal trees are one image, and that an interrupted or
// failed build leaves nothing.

import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { temporaryDirectory } from "../../../test/harness/temporaryDirectory.ts"
import { filesBelow } from "./support/processes.ts"
import { runtime, type TreeFile, treeOf } from "./support/running.ts"

const Procfile = "# comment\n\nworker: other\nweb: exec sleep 1000\r\n"
const silent = () => Effect.void

describe("a build", () => {
  it.live("keeps files, executable bits, links and empty directories, all read-only", () =>
    Effect.gen(function* () {
      const { build, builds } = yield* runtime()
      const tree = yield* treeOf({
        Procfile,
        "bin/run": { executable: "#!" },
        "bin/link": { link: "../data/größe" },
        "data/größe": "x".repeat(300_000),
        dangling: { link: "data/absent" },
        empty: "directory"
      })
      const said: Array<LogEntry> = []
      const image = yield* build(tree, (entry) => Effect.sync(() => said.push(entry)))
      const at = (name: string) => Path.join(builds, image.slice("sha256:".length), name)
      const modeOf = (name: string) => (Fs.lstatSync(at(name)).mode & 0o7777).toString(8)

      const names = ["Procfile", "bin", "bin/link", "bin/run", "dangling", "data", "data/größe", "empty"]
      assert.deepStrictEqual(filesBelow(at("")), names)
      assert.deepStrictEqual(["", "bin", "empty", "Procfile", "bin/run"].map(modeOf), [
        "555",
        "555",
        "555",
        "444",
        "555"
      ])
      assert.strictEqual(Fs.readFileSync(at("bin/link"), "utf8").length, 300_000)
      assert.deepStrictEqual(
        said.map(({ line, stream }) => `${stream} ${line.slice(0, 26)}`),
        ["build Procfile: web: exec sleep ", `build stored ${image.slice(0, 19)}`]
      )
    })
  )

  it.live("makes one image of equal trees, also twice at once, and another one for every difference", () =>
    Effect.gen(function* () {
      const { build, builds, buildOf } = yield* runtime()
      const files: Readonly<Record<string, TreeFile>> = { Procfile, a: "a", b: { link: "a" }, c: "directory" }
      const same = yield* Effect.forEach(Array.from({ length: 6 }), () => buildOf(files), { concurrency: "unbounded" })
      assert.strictEqual(new Set(same).size, 1)
      assert.lengthOf(Fs.readdirSync(builds), 1)

      const others = yield* Effect.forEach(
        [
          { a: "A" },
          { a: { executable: "a" } },
          { b: { link: "./a" } },
          { c: "" },
          { d: "a" },
          { a: { link: "b" }, b: "a" }
        ],
        (change) => buildOf({ ...files, ...change })
      )
      assert.strictEqual(new Set([...same, ...others]).size, 7)
      const tree = yield* treeOf(files)
      yield* Effect.sync(() => Fs.utimesSync(Path.join(tree.directory, "a"), 1, 1))
      assert.strictEqual(yield* build(tree, silent), same[0])
    })
  )

  const refusals: Readonly<Record<string, readonly [string, RegExp, Readonly<Record<string, TreeFile>>]>> = {
    "no Procfile": ["no_build_file", /no Procfile/, { a: "a" }],
    "only a Dockerfile": ["no_build_file", /a Dockerfile needs Docker/, { Dockerfile: "FROM scratch" }],
    "a Procfile without web": ["no_build_file", /no line `web: COMMAND`/, { Procfile: "worker: a\nweb:\n# web: b\n" }],
    "a Procfile that is a link": ["no_build_file", /is a link/, { Procfile: { link: "real" }, real: "web: a" }],
    "a Procfile that is a directory": ["no_build_file", /not a file/, { Procfile: "directory" }],
    "a Procfile that is too large": ["no_build_file", /larger than/, { Procfile: `web: a\n${"#".repeat(65_536)}` }],
    "a Procfile that is no text": ["no_build_file", /not a text/, { Procfile: "web: a\0b" }],
    "an absolute link": ["build_failed", /link out/, { Procfile, out: { link: "/etc/passwd" } }],
    "a link upwards": ["build_failed", /link a\/out/, { Procfile, "a/out": { link: "../../x" } }],
    "a link that leaves by way of another": [
      "build_failed",
      /link a\/b\/out/,
      { Procfile, "a/b/up": { link: "../.." }, "a/b/out": { link: "up/../etc/passwd" } }
    ]
  }

  it.live.each(Object.entries(refusals))("of a tree with %s is refused", ([, [reason, detail, files]]) =>
    Effect.gen(function* () {
      const { buildOf, left } = yield* runtime()
      const error = yield* Effect.flip(buildOf(files))
      assert.strictEqual(error.reason, reason)
      assert.match(error.detail, detail)
      assert.deepStrictEqual(
        left().filter((name) => name !== "builds"),
        []
      )
    })
  )

  it.live("of a tree with a socket or a name that is no text, or without a place to store, fails", () =>
    Effect.gen(function* () {
      const { build, left } = yield* runtime()
      const special = yield* treeOf({ Procfile })
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => Net.createServer().listen(Path.join(special.directory, "socket"))),
        (server) => Effect.sync(() => server.close())
      )
      yield* Effect.promise(() => once(socket, "listening"))
      const named = yield* treeOf({ Procfile })
      yield* Effect.sync(() => Fs.writeFileSync(Buffer.from(`${named.directory}/\xff`, "latin1"), "x"))
      const errors = yield* Effect.forEach([special, named], (tree) => Effect.flip(build(tree, silent)))
      assert.deepStrictEqual(
        errors.map(({ reason }) => reason),
        ["build_failed", "build_failed"]
      )
      assert.match(errors[0]?.detail ?? "", /socket is neither a file nor a directory/)
      assert.deepStrictEqual(left(), ["builds"])

      const nowhere = yield* runtime({ builds: Path.join(special.directory, "Procfile") })
      assert.strictEqual(
        (yield* Effect.flip(nowhere.build(yield* treeOf({ Procfile }), silent))).reason,
        "build_failed"
      )
    })
  )

  it.live("that is interrupted, at whatever moment, leaves nothing (U3)", () =>
    Effect.gen(function* () {
      const { build, builds } = yield* runtime()
      const files = Array.from({ length: 400 }, (_, index) => [`d${index % 20}/f${index}`, "x".repeat(5000)] as const)
      const tree = yield* treeOf({ Procfile, ...Object.fromEntries(files) })
      for (const millis of [0, 2, 5, 10, 20, 30, 40, 60]) {
        const building = yield* Effect.forkChild(build(tree, silent))
        yield* Effect.sleep(millis)
        yield* Fiber.interrupt(building)
        assert.deepStrictEqual(
          filesBelow(builds).filter((name) => !/^[0-9a-f]{64}/.test(name)),
          [],
          `after ${millis} ms`
        )
      }
    })
  )

  it.live("of a server that was killed is swept at the next start", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const copy = Path.join(directory, "999999999-1-abc", "d")
      Fs.mkdirSync(copy, { recursive: true })
      Fs.chmodSync(copy, 0o555)
      Fs.mkdirSync(Path.join(directory, "kept"))
      yield* runtime({ builds: directory })
      assert.deepStrictEqual(Fs.readdirSync(directory), ["kept"])
    })
  )
})
