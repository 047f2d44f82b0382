// The parts of the embedded server that a whole start does not reach on this machine: programs that cannot be read or
// are incomplete, foreign copies of them, and telling processes apart.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Option, Schedule } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { bundledPackage, usableBinaries } from "../src/internal/embeddedBinaries.ts"
import { findIdentity, identityOf, procfs, ps } from "../src/internal/processTable.ts"
import { waysToRun } from "../src/internal/runAs.ts"
import { isLinux, isRoot, nobody, temporaryDirectory } from "./support/embedded.ts"

/** A copy of the package as npm leaves it when install scripts are blocked, in a directory for its owner alone. */
const closedPackage = Effect.gen(function* () {
  const closed = Path.join(yield* temporaryDirectory, "closed")
  const copy = Path.join(closed, "package")
  Fs.mkdirSync(closed, { mode: 0o700 })
  Fs.cpSync(yield* bundledPackage(), copy, {
    recursive: true,
    filter: (source) => !(Fs.lstatSync(source).isSymbolicLink() && /\.so(\.\d+)?$/.test(source))
  })
  return copy
})

/** A directory that every user can enter and only this user can change. */
const openDirectory = Effect.tap(temporaryDirectory, (path) => Effect.sync(() => Fs.chmodSync(path, 0o755)))

layer(NodeServices.layer, { excludeTestServices: true })("the programs of the embedded PostgreSQL", (it) => {
  it.effect("fail with UnsupportedPlatform, which names DATABASE_URL, where there are none", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(bundledPackage("sunos-sparc"))
      assert.strictEqual(error._tag, "UnsupportedPlatform")
      assert.match(error.message, /sunos-sparc.*DATABASE_URL/)
    })
  )

  it.effect("run where no install script made the links of their libraries", () =>
    Effect.gen(function* () {
      const directory = yield* closedPackage
      const user = waysToRun(isRoot ? { uid: 0, gid: 0 } : undefined)
      const parent = yield* openDirectory
      const { major } = yield* usableBinaries(directory, [parent], user)
      assert.strictEqual(major, "18")
    })
  )

  it.effect.skipIf(!isRoot)("are copied once when the database's user cannot read them, complete and only root's", () =>
    Effect.gen(function* () {
      const directory = yield* closedPackage
      const parent = yield* openDirectory
      const first = yield* usableBinaries(directory, [Path.join(parent, "cache")], waysToRun(undefined))
      assert.isTrue(first.bin.startsWith(parent))
      const made = Fs.statSync(first.bin)
      assert.strictEqual(made.mode & 0o777, 0o755)
      assert.strictEqual(made.uid, 0)
      const second = yield* usableBinaries(directory, [Path.join(parent, "cache")], waysToRun(undefined))
      assert.strictEqual(second.bin, first.bin)
      assert.strictEqual(Fs.statSync(second.bin).ino, made.ino)
      assert.strictEqual(Fs.readdirSync(Path.join(parent, "cache")).length, 1)
    })
  )

  it.effect.skipIf(!isRoot)(
    "are copied to the end when the start is interrupted meanwhile: no part of a copy is left",
    () =>
      Effect.gen(function* () {
        const directory = yield* closedPackage
        const parent = yield* openDirectory
        const copying = yield* Effect.forkChild(usableBinaries(directory, [parent], waysToRun(undefined)))
        yield* Effect.repeat(
          Effect.sync(() => Fs.readdirSync(parent).length),
          { until: (count) => count > 0, schedule: Schedule.spaced("1 millis") }
        )
        yield* Fiber.interrupt(copying)
        assert.lengthOf(Fs.readdirSync(parent), 1)
        assert.match(Fs.readdirSync(parent).join(), /^postgres-[\d.a-z-]*-(x64|arm64)$/)
      })
  )

  it.effect.skipIf(!isRoot)("are never taken from or copied to a place that another user can change", () =>
    Effect.gen(function* () {
      const directory = yield* closedPackage
      const foreign = yield* openDirectory
      Fs.chownSync(foreign, nobody.uid, nobody.gid)
      const writable = yield* openDirectory
      Fs.chmodSync(writable, 0o777)
      const below = Path.join(writable, "cache")
      const error = yield* Effect.flip(usableBinaries(directory, [foreign, writable, below], waysToRun(undefined)))
      assert.strictEqual(error._tag, "BinariesUnusable")
      assert.strictEqual(error.detail.match(/can be changed by others/g)?.length, 3)
      assert.deepStrictEqual(Fs.readdirSync(foreign), [])
    })
  )
})

layer(NodeServices.layer, { excludeTestServices: true })("the process table", (it) => {
  it.effect("knows a process again and not another one with its id", () =>
    Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      for (const table of isLinux ? [procfs, ps(spawner)] : [ps(spawner)]) {
        const child = yield* spawner.spawn(ChildProcess.make("sleep", ["60"]))
        const entry = Option.getOrThrow(yield* table.find(child.pid))
        assert.strictEqual(entry.command, "sleep 60")
        assert.notMatch(identityOf(entry), /\s/)
        assert.isTrue(Option.isSome(yield* findIdentity(table, identityOf(entry))))
        assert.isTrue(Option.isNone(yield* findIdentity(table, `${child.pid}@other`)))
        yield* child.kill({ killSignal: "SIGKILL" })
        assert.isTrue(Option.isNone(yield* table.find(child.pid)))
      }
    })
  )

  it.effect("tells the directory of a server from its working directory, or from its arguments", () =>
    Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const cwd = yield* temporaryDirectory
      const args = ["-c", "sleep 60; :", "postgres", "-D", cwd, "-p", "1"]
      const child = yield* spawner.spawn(ChildProcess.make("sh", args, { cwd, forceKillAfter: "1 second" }))
      for (const table of isLinux ? [procfs, ps(spawner)] : [ps(spawner)]) {
        const entry = Option.getOrThrow(yield* table.find(child.pid))
        assert.isTrue(entry.worksIn(cwd))
        assert.isFalse(entry.worksIn(Path.dirname(cwd)))
      }
    })
  )

  it.effect.skipIf(!isLinux)("holds no zombies", () =>
    Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const script = "sleep 0 & echo $!; exec sleep 60"
      const parent = yield* spawner.spawn(ChildProcess.make("sh", ["-c", script], { forceKillAfter: "1 second" }))
      yield* Effect.sleep("500 millis")
      const children = Fs.readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, "utf8").trim().split(" ")
      const zombie = Number(children[0])
      assert.match(Fs.readFileSync(`/proc/${zombie}/stat`, "utf8"), /\) Z /)
      for (const table of [procfs, ps(spawner)]) assert.isTrue(Option.isNone(yield* table.find(zombie)))
    })
  )
})
