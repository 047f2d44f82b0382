// Who may own an embedded server and what happens when an owner is killed, with real processes.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { signal } from "../src/internal/processTable.ts"
import {
  assertKept,
  isGone,
  isLinux,
  isRoot,
  nobody,
  owner,
  postmasterOf,
  query,
  reasonOf
} from "./support/embedded.ts"
import { serve, temporaryDirectory, textIn, until, usedDirectory } from "./support/embedded.ts"

const urlOf = (dataDir: string) => Redacted.make(textIn(dataDir, "private", "database-url"))

const statusOf = (dataDir: string) => {
  const lock = Path.join(dataDir, "pg", "postmaster.pid")
  return Fs.existsSync(lock) ? Fs.readFileSync(lock, "utf8").split("\n")[7]?.trim() : "gone"
}

layer(NodeServices.layer, { excludeTestServices: true })("the owner of an embedded PostgreSQL", (it) => {
  it.effect.skipIf(!isLinux)("is killed: no server stays behind", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const { kill, ready } = yield* owner(dataDir)
      yield* ready
      const pid = postmasterOf(dataDir)
      yield* kill
      yield* until(() => isGone(pid))
      assert.strictEqual(statusOf(dataDir), "gone")
    })
  )

  it.effect.skipIf(!isLinux)("is killed: a start in the same moment waits for the old server and works", () =>
    Effect.gen(function* () {
      const dataDir = yield* usedDirectory
      const { kill, ready } = yield* owner(dataDir)
      yield* ready
      const pid = postmasterOf(dataDir)
      yield* kill
      assert.isFalse(isGone(pid))
      yield* assertKept(dataDir)
      assert.isTrue(isGone(pid))
    })
  )

  it.effect.skipIf(!isLinux)("is killed together with its server while a query runs: the next start works", () =>
    Effect.gen(function* () {
      const dataDir = yield* usedDirectory
      const { kill, ready } = yield* owner(dataDir)
      yield* ready
      const running = yield* Effect.forkChild(Effect.exit(query(urlOf(dataDir), "select pg_sleep(60)")))
      yield* Effect.sleep("200 millis")
      yield* signal(postmasterOf(dataDir), "SIGKILL")
      yield* kill
      yield* assertKept(dataDir)
      yield* Fiber.interrupt(running)
    })
  )

  it.effect.skipIf(!isLinux)("is killed while the database is made: the next start makes it and clears the rest", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const { kill } = yield* owner(dataDir)
      yield* until(() => Fs.readdirSync(dataDir).some((name) => Fs.existsSync(Path.join(dataDir, name, "pg", "base"))))
      yield* kill
      yield* Effect.scoped(
        Effect.flatMap(serve(dataDir), ({ url }) => query(url, "create table kept as select 42 as answer"))
      )
      yield* assertKept(dataDir)
      assert.deepStrictEqual(Fs.readdirSync(dataDir).sort(), ["pg", "private"])
    })
  )

  it.effect("lives: a second start fails naming it and the first server is unharmed", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const { pid, ready } = yield* owner(dataDir)
      yield* ready
      const postmasterPid = postmasterOf(dataDir)
      const reason = yield* reasonOf(serve(dataDir))
      assert.deepInclude({ ...reason }, { _tag: "DataDirectoryInUse", postmasterPid, ownerPid: pid })
      assert.strictEqual(postmasterOf(dataDir), postmasterPid)
      assert.deepStrictEqual(yield* query(urlOf(dataDir), "select 1 as one"), [{ one: 1 }])
    })
  )

  it.effect.skipIf(!isLinux)("lives but its server is stopping: a second start waits for the end", () =>
    Effect.gen(function* () {
      const dataDir = yield* usedDirectory
      const { kill, pid, ready } = yield* owner(dataDir)
      yield* ready
      const old = postmasterOf(dataDir)
      yield* signal(pid, "SIGSTOP")
      yield* signal(old, "SIGINT")
      yield* until(() => statusOf(dataDir) !== "ready")
      yield* assertKept(dataDir)
      yield* kill
    })
  )

  it.effect("is one of two that start in the same moment on an empty directory: the other fails", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const printed = yield* Effect.all([owner(dataDir), owner(dataDir)]).pipe(
        Effect.flatMap((owners) =>
          Effect.all(
            owners.map((each) => each.printed),
            { concurrency: 2 }
          )
        )
      )
      assert.strictEqual(printed.filter((text) => text.includes("ready ")).length, 1)
      assert.strictEqual(printed.filter((text) => text.includes("is in use by postmaster")).length, 1)
      assert.deepStrictEqual(yield* query(urlOf(dataDir), "select 1 as one"), [{ one: 1 }])
      assert.deepStrictEqual(Fs.readdirSync(dataDir).sort(), ["pg", "private"])
    })
  )

  it.effect("left a lock file whose process id is dead, unreadable or another program's: the next start works", () =>
    Effect.gen(function* () {
      const dataDir = yield* usedDirectory
      const lock = Path.join(dataDir, "pg", "postmaster.pid")
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const become = isRoot ? ["setpriv", `--reuid=${nobody.uid}`, `--regid=${nobody.gid}`, "--clear-groups"] : []
      const [command = "", ...args] = [...become, "sleep", "60"]
      const foreign = yield* spawner.spawn(ChildProcess.make(command, args))
      for (const pid of [String(foreign.pid), "4194303", ""]) {
        Fs.writeFileSync(lock, `${pid}\n/proc/self/cwd\n1\n5432\n\n127.0.0.1\n1 1\nready   \n`)
        if (isRoot) Fs.chownSync(lock, nobody.uid, nobody.gid)
        yield* assertKept(dataDir)
      }
      assert.isTrue(yield* foreign.isRunning)
    })
  )

  it.effect("is killed without taking its server along: the next start ends the orphan", () =>
    Effect.gen(function* () {
      const dataDir = yield* usedDirectory
      const { kill, ready } = yield* owner(dataDir)
      yield* ready
      const server = postmasterOf(dataDir)
      yield* signal(server, "SIGSTOP")
      yield* kill
      const next = yield* Effect.forkChild(assertKept(dataDir))
      yield* Effect.sleep("300 millis")
      assert.isFalse(isGone(server))
      yield* signal(server, "SIGCONT")
      yield* Fiber.join(next)
      assert.isTrue(isGone(server))
    })
  )

  it.effect.skipIf(!isRoot)("is root: the server runs as nobody, also below a directory that only root can enter", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryDirectory
      const dataDir = Path.join(parent, "closed", ".lockkeeper")
      Fs.mkdirSync(Path.join(parent, "closed"), { mode: 0o700 })
      yield* Effect.flatMap(serve(dataDir), ({ url }) => query(url, "create extension btree_gist"))
      assert.strictEqual(Fs.statSync(parent).mode & 0o777, 0o700)
      assert.strictEqual(Fs.statSync(Path.join(dataDir, "pg")).uid, nobody.uid)
      assert.strictEqual(Fs.statSync(Path.join(dataDir, "private")).uid, 0)
      assert.match(textIn("/proc", String(postmasterOf(dataDir)), "status"), /Uid:\t65534\t65534\t65534\t65534/)
    })
  )

  it.effect.skipIf(!isRoot)("is an ordinary user: the server runs as that user and ends with it", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      Fs.chownSync(dataDir, nobody.uid, nobody.gid)
      const { kill, ready } = yield* owner(dataDir, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
      yield* ready
      assert.deepStrictEqual(yield* query(urlOf(dataDir), "select 1 as one"), [{ one: 1 }])
      assert.strictEqual(Fs.statSync(Path.join(dataDir, "private", "database-url")).uid, nobody.uid)
      const pid = postmasterOf(dataDir)
      yield* kill
      yield* until(() => isGone(pid))
    })
  )
})
