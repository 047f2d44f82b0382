// What the tests of the embedded server share: temporary directories, queries, and other processes that own a server.

import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Effect, FileSystem, Option, type Redacted, Schedule, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { SqlClient } from "effect/sql"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { startOf } from "../../../../test/harness/programs.ts"
import * as EmbeddedPostgres from "../../src/EmbeddedPostgres.ts"
import { procfs } from "../../src/internal/processTable.ts"

export const isRoot = process.getuid?.() === 0
export const isLinux = process.platform === "linux"
export const nobody = { uid: 65534, gid: 65534 }

const fast = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }
const script = "packages/adapter-postgres/test/support/embeddedOwner.ts"

/** A new directory of this user that others cannot enter. */
export const temporaryDirectory = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "lockkeeper-pg-" })
)

/** Starts a server without durability. */
export const serve = (dataDir: string, settings: Record<string, string> = {}) =>
  EmbeddedPostgres.make({ dataDir, settings: { ...fast, ...settings } })

export const query = <A extends object>(url: Redacted.Redacted<string>, statement: string) =>
  SqlClient.SqlClient.pipe(
    Effect.flatMap((sql) => sql.unsafe<A>(statement)),
    Effect.provide(PgClient.layer({ url, maxConnections: 1 }))
  )

export const reasonOf = <A, R>(effect: Effect.Effect<A, EmbeddedPostgres.EmbeddedPostgresError, R>) =>
  Effect.map(Effect.flip(Effect.scoped(effect)), ({ reason }) => reason)

/** A data directory that was used once; the server is stopped. */
export const usedDirectory = Effect.gen(function* () {
  const dataDir = yield* temporaryDirectory
  yield* Effect.scoped(
    Effect.flatMap(serve(dataDir), ({ url }) => query(url, "create table kept as select 42 as answer"))
  )
  return dataDir
})

/** Starts a used directory again and reads what was written. */
export const assertKept = Effect.fnUntraced(function* (dataDir: string) {
  const server = yield* serve(dataDir)
  assert.deepStrictEqual(yield* query(server.url, "select answer from kept"), [{ answer: 42 }])
}, Effect.scoped)

export const textIn = (...path: ReadonlyArray<string>) => Fs.readFileSync(Path.join(...path), "utf8")

export const postmasterOf = (dataDir: string) => Number.parseInt(textIn(dataDir, "pg", "postmaster.pid"), 10)

export const until = (condition: () => boolean) =>
  Effect.sync(condition).pipe(
    Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("5 millis") }),
    Effect.timeout("15 seconds")
  )

export const isGone = (pid: number) => Option.isNone(Effect.runSync(procfs.find(pid)))

/**
 * Starts another process that owns the server. `ready` waits until it answers, `ended` for its exit code, `kill` is
 * `kill -9` of that process alone and does not wait for the end.
 */
export const owner = Effect.fnUntraced(function* (dataDir: string, ...prefix: ReadonlyArray<string>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const start = yield* Effect.promise(() => startOf(script))
  const node = [process.execPath, ...start.args, dataDir, JSON.stringify(fast)]
  const [command = "", ...args] = [...prefix, ...node]
  const handle = yield* spawner.spawn(
    ChildProcess.make(command, args, {
      env: { PATH: process.env.PATH, ...start.env },
      stdin: "ignore",
      forceKillAfter: "15 seconds"
    })
  )
  const printed = handle.all.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.takeUntil((line) => line.startsWith("ready ")),
    Stream.mkString,
    Effect.timeout("20 seconds")
  )
  return {
    pid: handle.pid,
    printed,
    ready: Effect.flatMap(printed, (text) => (text.includes("ready ") ? Effect.void : Effect.die(text))),
    kill: Effect.sync(() => void process.kill(handle.pid, "SIGKILL"))
  }
})
