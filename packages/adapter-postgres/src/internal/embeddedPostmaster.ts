// The server process of one database directory: settles with the one that may still run there, starts ours and waits
// until it is ready. Signals only a process that is certainly a server of this directory whose starter is dead.

import { Effect, Fiber, Option, Schedule, Stream } from "effect"
import type { Scope } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { DataDirectoryInUse, type DataDirectoryUnusable, PortInUse, StartFailed } from "../EmbeddedPostgresError.ts"
import type { Binaries } from "./embeddedBinaries.ts"
import type { Places } from "./embeddedCluster.ts"
import { freePort } from "./freePort.ts"
import { findIdentity, type ProcessEntry, type ProcessTable, signal } from "./processTable.ts"
import { directoryArgument } from "./runAs.ts"
import { attempt, errorCode, statOf, textOf } from "./safeFiles.ts"

/** The setting that names the process that started a server, so that anybody can see whether that one lives. */
const ownerSetting = "lockkeeper.owner"

/** What one start needs. `port` undefined: any free one. */
export interface Start {
  readonly places: Places
  readonly binaries: Binaries
  readonly table: ProcessTable
  readonly self: string
  readonly password: string
  readonly port: number | undefined
  readonly settings: Readonly<Record<string, string>>
}

/** A server that accepts connections. `ended` gives the last lines of its log once it has exited. */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly ended: Effect.Effect<string>
}

/** The lock file of a server: process id on line 1, status on line 8. */
interface Lock {
  readonly text: string | undefined
  readonly pid: number
  readonly status: string | undefined
}

const readLock = (places: Places): Effect.Effect<Lock, DataDirectoryUnusable> =>
  attempt(places.database, () => {
    const text = textOf(Path.join(places.database, "postmaster.pid"))
    const lines = text?.split("\n") ?? []
    return { text, pid: Math.abs(Number.parseInt(lines[0] ?? "", 10)), status: lines[7]?.trim() }
  })

type Holder = "nobody" | "unreadable" | "stranger" | "stopping" | "orphan" | "owned"

/** Who holds the lock file: nobody that lives, another program, or a server of this directory in some state. */
const holderOf = Effect.fnUntraced(function* (
  lock: Lock,
  places: Places,
  table: ProcessTable
): Effect.fn.Return<{ readonly holder: Holder; readonly ownerPid: number | null }> {
  if (lock.text === undefined) return { holder: "nobody", ownerPid: null }
  if (Number.isNaN(lock.pid)) return { holder: "unreadable", ownerPid: null }
  const server = Option.filter(yield* table.find(lock.pid), (entry) => isServerOf(entry, places.database))
  if (Option.isNone(server)) return { holder: (yield* signal(lock.pid, 0)) ? "stranger" : "nobody", ownerPid: null }
  const identity = new RegExp(`${ownerSetting}=(\\S+)`).exec(server.value.command)?.[1]
  const owner = identity === undefined ? Option.none() : yield* findIdentity(table, identity)
  const ownerPid = Option.match(owner, { onNone: () => null, onSome: ({ pid }) => pid })
  if (identity !== undefined && ownerPid === null) return { holder: "orphan", ownerPid }
  return { holder: lock.status === "stopping" ? "stopping" : "owned", ownerPid }
})

const isServerOf = (entry: ProcessEntry, database: string): boolean =>
  /(?:^|\/)postgres(?: |$)/.test(entry.command) && entry.worksIn(database)

/**
 * Waits for a server that is ending, ends one whose starter is dead, and fails when its starter lives after 2 s (a
 * killed one needs a moment to die). At most 30 s; after 10 s an orphan gets the signal for an immediate shutdown.
 */
const settle = Effect.fnUntraced(function* (
  places: Places,
  table: ProcessTable
): Effect.fn.Return<void, DataDirectoryInUse | DataDirectoryUnusable> {
  for (let round = 0, orphaned = 0; ; round++) {
    const lock = yield* readLock(places)
    const { holder, ownerPid } = yield* holderOf(lock, places, table)
    if (holder === "nobody") return
    if (holder === "stranger" || (holder === "unreadable" && round >= 20)) return yield* dropLock(places, lock)
    if (round >= (holder === "owned" ? 40 : 600)) {
      return yield* new DataDirectoryInUse({ path: places.database, postmasterPid: lock.pid, ownerPid })
    }
    if (holder === "orphan" && orphaned++ % 200 === 0) {
      yield* Effect.logInfo(`ending PostgreSQL ${lock.pid}, whose starter is gone`)
      yield* signal(lock.pid, orphaned === 1 ? "SIGINT" : "SIGQUIT")
    }
    yield* Effect.sleep("50 millis")
  }
})

/**
 * Removes a lock file whose process id now belongs to another program, which would stop our server. Moved away first
 * and put back when it is not the one that was judged: another start may have replaced it meanwhile.
 */
const dropLock = (places: Places, judged: Lock) =>
  attempt(places.database, () => {
    const lock = Path.join(places.database, "postmaster.pid")
    const aside = `${lock}.stale-${process.pid}`
    try {
      Fs.renameSync(lock, aside)
      if (Fs.readFileSync(aside, "utf8") !== judged.text) Fs.linkSync(aside, lock)
    } catch (error) {
      if (errorCode(error) !== "ENOENT" && errorCode(error) !== "EEXIST") throw error
    } finally {
      if (statOf(aside) !== undefined) Fs.unlinkSync(aside)
    }
  })

/** Starts the server in the current scope, whose end stops it: a fast shutdown, forced after 10 s. */
export const launch = Effect.fnUntraced(function* (
  start: Start
): Effect.fn.Return<
  Postmaster,
  DataDirectoryInUse | DataDirectoryUnusable | PortInUse | StartFailed,
  ChildProcessSpawner.ChildProcessSpawner | Scope.Scope
> {
  const { places, table } = start
  yield* settle(places, table)
  const port = start.port ?? (yield* freePort)
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const handle = yield* spawner
    .spawn(commandOf(start, port))
    .pipe(Effect.mapError((cause) => failed("could not be started", "", cause)))
  const tail: Array<string> = []
  const reader = yield* handle.stderr.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) => Effect.sync(() => void tail.splice(0, tail.push(line) - 30))),
    Effect.ignore,
    Effect.forkScoped
  )
  const log = () => tail.join("\n").replaceAll(start.password, "***").slice(-4_000)
  const exited = handle.exitCode.pipe(
    Effect.match({ onFailure: () => "was ended by a signal", onSuccess: (code) => `exited with code ${code}` }),
    Effect.tap(Effect.timeoutOption(Fiber.await(reader), "500 millis"))
  )
  const ready = readLock(places).pipe(
    Effect.map((lock) => lock.pid === handle.pid && lock.status === "ready"),
    Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("10 millis") })
  )
  yield* ready.pipe(
    Effect.raceFirst(Effect.flatMap(exited, (end) => Effect.fail(explain(failed(end, log()), port)))),
    Effect.timeoutOrElse({ duration: "60 seconds", orElse: () => failed("was not ready within 60 s", log()) })
  )
  return { pid: handle.pid, port, ended: Effect.map(exited, (end) => `it ${end}\n${log()}`) }
})

const failed = (problem: string, log: string, cause?: unknown): StartFailed =>
  new StartFailed({ program: "postgres", problem, log, ...(cause === undefined ? {} : { cause }) })

const explain = (error: StartFailed, port: number): PortInUse | StartFailed =>
  error.log.includes("could not create any TCP/IP sockets") ? new PortInUse({ port }) : error

/** Whether another try may succeed: the directory is being released, or a random port was taken meanwhile. */
export const isTransient = (error: { readonly _tag: string; readonly log?: string }, fixedPort: boolean): boolean =>
  error._tag === "PortInUse"
    ? !fixedPort
    : /lock file "postmaster\.pid" already exists|is still in use/.test(error.log ?? "")

const commandOf = (start: Start, port: number): ChildProcess.Command => {
  const { env, wrap } = start.binaries.runAs
  const settings: Record<string, string> = {
    lc_messages: "C",
    timezone: "UTC",
    ...start.settings,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    logging_collector: "off",
    log_destination: "stderr",
    [ownerSetting]: start.self
  }
  const [program, args] = wrap(
    Path.join(start.binaries.bin, "postgres"),
    ["-D", directoryArgument(start.places.database), "-p", String(port)].concat(
      Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    ),
    "INT"
  )
  return ChildProcess.make(program, args, {
    cwd: start.places.database,
    env,
    stdin: "ignore",
    stdout: "ignore",
    killSignal: "SIGINT",
    forceKillAfter: "10 seconds"
  })
}
