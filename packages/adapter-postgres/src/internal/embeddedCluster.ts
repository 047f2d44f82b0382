// Makes the database directory `pg/` once: `initdb` works in a directory of its own that is renamed when complete, so
// that an interruption at any point leaves nothing half made. Never changes or removes an existing database.

import { Effect, Option } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { DataDirectoryUnusable, StartFailed, VersionMismatch } from "../EmbeddedPostgresError.ts"
import type { Binaries } from "./embeddedBinaries.ts"
import { findIdentity, type ProcessTable } from "./processTable.ts"
import { directoryArgument } from "./runAs.ts"
import { runToEnd } from "./runToEnd.ts"
import { attempt, ensurePrivateDirectory, readSecret, secretOnce, statOf, syncDirectory, textOf } from "./safeFiles.ts"
import { errorCode, writeSecret } from "./safeFiles.ts"

/** The places below a data directory. */
export interface Places {
  readonly root: string
  readonly database: string
  readonly secrets: string
  readonly password: string
  readonly url: string
}

export const placesOf = (dataDirectory: string): Places => {
  const root = Path.resolve(dataDirectory)
  const secrets = Path.join(root, "private")
  return {
    root,
    database: Path.join(root, "pg"),
    secrets,
    password: Path.join(secrets, "database-password"),
    url: Path.join(secrets, "database-url")
  }
}

/** The name of the database's superuser, which is also the only role. */
export const username = "lockkeeper"

/** Removes what starts left behind that were killed while they made a database. Best effort: the next start repeats it. */
export const sweep = Effect.fnUntraced(function* (places: Places, table: ProcessTable): Effect.fn.Return<void> {
  for (const directory of [places.root, places.secrets]) {
    const names = yield* Effect.orElseSucceed(
      Effect.try(() => Fs.readdirSync(directory)),
      () => []
    )
    for (const name of names) {
      const identity = /^(?:\.init-|database-\w+\.tmp-)(\d+@.+)~/.exec(name)?.[1]
      if (identity === undefined || Option.isSome(yield* findIdentity(table, identity))) continue
      yield* Effect.ignore(Effect.try(() => Fs.rmSync(Path.join(directory, name), { recursive: true, force: true })))
    }
  }
})

/** A suffix for a temporary file of the process `self`, which `sweep` knows. */
export const temporary = (self: string): string => `.tmp-${unique(self)}`

const unique = (self: string): string => `${self}~${Crypto.randomBytes(4).toString("hex")}`

/**
 * Returns the password of an existing database, or makes both. Fails on a database of another major version, on a
 * directory that is no database, and on a database whose password file is gone.
 */
export const ensureCluster = Effect.fnUntraced(function* (
  places: Places,
  binaries: Binaries,
  self: string,
  durable: boolean
): Effect.fn.Return<
  string,
  DataDirectoryUnusable | VersionMismatch | StartFailed,
  ChildProcessSpawner.ChildProcessSpawner
> {
  if (!(yield* hasCluster(places, binaries))) {
    const password = yield* attempt(places.password, () => secretOnce(places.password, temporary(self), newPassword))
    yield* initialise(places, binaries, self, password, durable)
  }
  yield* attempt(places.database, () => ensurePrivateDirectory(places.database, binaries.runAs.owner))
  const password = yield* attempt(places.password, () => readSecret(places.password))
  if (password !== undefined && password !== "") return password
  return yield* new DataDirectoryUnusable({
    path: places.password,
    problem: `is missing but ${places.database} exists: restore the file, or move the database away to begin anew`
  })
})

const newPassword = (): string => Crypto.randomBytes(32).toString("base64url")

const failed = (problem: string, log: string, cause?: unknown): StartFailed =>
  new StartFailed({ program: "initdb", problem, log: log.slice(-4_000), ...(cause === undefined ? {} : { cause }) })

const hasCluster = Effect.fnUntraced(function* (
  places: Places,
  binaries: Binaries
): Effect.fn.Return<boolean, DataDirectoryUnusable | VersionMismatch> {
  const path = places.database
  const found = yield* attempt(path, () => textOf(Path.join(path, "PG_VERSION"))?.trim())
  if (found === binaries.major) return true
  if (found !== undefined) return yield* new VersionMismatch({ path, found, bundled: binaries.major })
  const occupied = yield* attempt(path, () => statOf(path) !== undefined && Fs.readdirSync(path).length > 0)
  if (!occupied) return false
  return yield* new DataDirectoryUnusable({ path, problem: "is not a database: move it away to begin anew" })
})

/** Loses silently against a process that makes the same database at the same time: both use one password. */
const initialise = Effect.fnUntraced(function* (
  places: Places,
  binaries: Binaries,
  self: string,
  password: string,
  durable: boolean
) {
  const staging = Path.join(places.root, `.init-${unique(self)}`)
  const target = Path.join(staging, "pg")
  const { owner, env, wrap } = binaries.runAs
  yield* Effect.acquireRelease(
    attempt(staging, () => {
      Fs.rmSync(staging, { recursive: true, force: true })
      ensurePrivateDirectory(staging, owner)
      ensurePrivateDirectory(target, owner)
      writeSecret(Path.join(staging, "password"), password, owner)
    }),
    () => Effect.ignore(attempt(staging, () => Fs.rmSync(staging, { recursive: true, force: true, maxRetries: 3 })))
  )
  const inside = directoryArgument(target)
  const [program, args] = wrap(
    Path.join(binaries.bin, "initdb"),
    [
      `--pgdata=${inside}`,
      `--pwfile=${inside}/../password`,
      `--username=${username}`,
      "--auth-host=scram-sha-256",
      "--auth-local=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C.UTF-8",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--no-instructions",
      ...(durable ? (process.platform === "linux" ? ["--sync-method=syncfs"] : []) : ["--no-sync"])
    ],
    "TERM"
  )
  const { exitCode, output } = yield* runToEnd(
    ChildProcess.make(program, args, { cwd: target, env, stdin: "ignore", forceKillAfter: "2 seconds" })
  ).pipe(
    Effect.mapError((cause) => failed("did not end properly", "", cause)),
    Effect.timeoutOrElse({ duration: "60 seconds", orElse: () => failed("did not end within 60 s", "") })
  )
  if (exitCode !== 0) return yield* failed(`exited with code ${exitCode}`, output)
  yield* attempt(places.database, () => {
    try {
      Fs.renameSync(target, places.database)
      syncDirectory(places.root)
    } catch (error) {
      if (errorCode(error) !== "ENOTEMPTY" && errorCode(error) !== "EEXIST") throw error
    }
  })
}, Effect.scoped)
