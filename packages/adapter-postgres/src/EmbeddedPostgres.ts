// The database that is there without setting one up: the real PostgreSQL server from npm, kept below the data
// directory and owned by this process. Not for production clusters: set DATABASE_URL for those.

import { Clock, Context, Deferred, Effect, Layer, Option, Redacted, Schedule } from "effect"
import type { Scope } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import * as Fs from "node:fs"
import {
  type DataDirectoryUnusable,
  EmbeddedPostgresError,
  type EmbeddedPostgresReason
} from "./EmbeddedPostgresError.ts"
import { bundledPackage, copyParents, usableBinaries } from "./internal/embeddedBinaries.ts"
import { ensureCluster, type Places, placesOf, sweep, temporary, username } from "./internal/embeddedCluster.ts"
import { isTransient, launch, type Postmaster, type Start } from "./internal/embeddedPostmaster.ts"
import { identityOf, processTable } from "./internal/processTable.ts"
import { waysToRun } from "./internal/runAs.ts"
import {
  attempt,
  ensureDataDirectory,
  ensurePrivateDirectory,
  replaceSecret,
  statOf,
  textOf
} from "./internal/safeFiles.ts"

export { EmbeddedPostgresError, type EmbeddedPostgresReason }

/**
 * Says where the server keeps its files and how it runs.
 *
 * `dataDir` holds `pg/` (the database) and `private/` (`database-password`, and `database-url` while it runs).
 * `port` is a TCP port of 127.0.0.1, by default a free one that differs from start to start. `settings` are server
 * parameters such as `{ fsync: "off" }`; where it listens cannot be changed.
 */
export interface EmbeddedPostgresOptions {
  readonly dataDir: string
  readonly port?: number | undefined
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/**
 * Offers a running PostgreSQL of this process.
 *
 * `url` is the connection string with the password; `host` is 127.0.0.1; `version` is the major version.
 */
export class EmbeddedPostgres extends Context.Service<
  EmbeddedPostgres,
  {
    readonly url: Redacted.Redacted<string>
    readonly host: string
    readonly port: number
    readonly username: string
    readonly database: string
    readonly version: string
  }
>()("@lockkeeper/adapter-postgres/EmbeddedPostgres") {}

/**
 * Starts the server and stops it at the end of the scope: a fast shutdown, forced after 10 s.
 *
 * The first start makes the database with a random password. Below root the server runs as `nobody`. On Linux it also
 * ends when this process is killed, provided that it was started from the main thread; elsewhere the next start ends
 * it. A server that dies in use is started again on the same port; queries fail as connection errors meanwhile. Time is
 * real time also under a test clock.
 *
 * Fails with `EmbeddedPostgresError`, whose `reason` is `UnsupportedPlatform` and `BinariesUnusable` (set
 * DATABASE_URL), `DataDirectoryInUse` (a server of another living process), `DataDirectoryUnusable`, `VersionMismatch`,
 * `PortInUse` (only for a given port) or `StartFailed` (with the end of the log).
 */
export const make: (
  options: EmbeddedPostgresOptions
) => Effect.Effect<
  EmbeddedPostgres["Service"],
  EmbeddedPostgresError,
  ChildProcessSpawner.ChildProcessSpawner | Scope.Scope
> = Effect.fn("EmbeddedPostgres.make")(
  function* (options) {
    const start = yield* prepare(options)
    const ready = yield* Deferred.make<Postmaster, EmbeddedPostgresReason>()
    yield* keepRunning(start, ready).pipe(
      Effect.onError((cause) => Deferred.failCause(ready, cause)),
      Effect.forkScoped
    )
    const { port } = yield* Deferred.await(ready)

    const url = `postgres://${username}:${start.password}@127.0.0.1:${port}/postgres`
    yield* publishUrl(start.places, start.self, url)
    return EmbeddedPostgres.of({
      url: Redacted.make(url, { label: "database-url" }),
      host: "127.0.0.1",
      port,
      username,
      database: "postgres",
      version: start.binaries.major
    })
  },
  Effect.mapError((reason) => new EmbeddedPostgresError({ reason })),
  (self) => Effect.provideService(self, Clock.Clock, Clock.Clock.defaultValue())
)

/** Provides the server for as long as the layer lives. Fails as `make` does. */
export const layer = (
  options: EmbeddedPostgresOptions
): Layer.Layer<EmbeddedPostgres, EmbeddedPostgresError, ChildProcessSpawner.ChildProcessSpawner> =>
  Layer.effect(EmbeddedPostgres, make(options))

const prepare = Effect.fnUntraced(function* (
  options: EmbeddedPostgresOptions
): Effect.fn.Return<Start, EmbeddedPostgresReason, ChildProcessSpawner.ChildProcessSpawner> {
  const places = placesOf(options.dataDir)
  const settings = options.settings ?? {}
  const packageDirectory = yield* bundledPackage()
  yield* attempt(places.root, () => ensureDataDirectory(places.root))
  yield* attempt(places.secrets, () => ensurePrivateDirectory(places.secrets))

  const owner = yield* attempt(places.database, () => statOf(places.database))
  const binaries = yield* usableBinaries(packageDirectory, copyParents(places.root), waysToRun(owner))
  const table = yield* processTable
  const self = identityOf(Option.getOrThrow(yield* table.find(process.pid)))
  yield* sweep(places, table)
  const password = yield* ensureCluster(places, binaries, self, settings["fsync"] !== "off")
  return { places, binaries, table, self, password, port: options.port, settings }
})

/** Runs the server until interrupted. Fails only before the server was ready for the first time. */
const keepRunning = Effect.fnUntraced(function* (
  start: Start,
  ready: Deferred.Deferred<Postmaster, EmbeddedPostgresReason>
) {
  const run = (port: number | undefined) =>
    Effect.scoped(
      launch({ ...start, port }).pipe(
        Effect.tap((postmaster) => Deferred.succeed(ready, postmaster)),
        Effect.flatMap((postmaster) => postmaster.ended)
      )
    )
  let end = yield* run(start.port).pipe(
    Effect.retry({
      while: (error) => isTransient(error, start.port !== undefined),
      schedule: Schedule.spaced("100 millis"),
      times: 100
    })
  )
  const { port } = yield* Deferred.await(ready)
  while (true) {
    yield* Effect.logError(`PostgreSQL ended while in use and is started again: ${end}`)
    yield* Effect.sleep("2 seconds")
    end = yield* Effect.catch(run(port), (error) => Effect.succeed(error.message))
  }
})

/** Keeps the connection string in a private file while the server runs, for a second replica. */
const publishUrl = (
  places: Places,
  self: string,
  url: string
): Effect.Effect<void, DataDirectoryUnusable, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(places.url, () => replaceSecret(places.url, temporary(self), url)),
    () => Effect.ignore(attempt(places.url, () => textOf(places.url) === url && Fs.rmSync(places.url)))
  )
