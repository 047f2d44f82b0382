// Where an end-to-end test happens: a database, a directory for a server, sources to deploy, and what is to be seen of it
// all from outside.

import { PgClient } from "@effect/sql-pg"
import { type Client, make as makeClient } from "@lockkeeper/adapter-http/Client"
import { Context, Effect, identity, Layer, type Redacted, type Scope } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { existsSync, readdirSync } from "node:fs"
import * as Path from "node:path"
import { isDeepStrictEqual } from "node:util"
import { type ArchiveServer, archiveServer } from "./archiveServer.ts"
import * as TestDatabase from "./database.ts"
import { eventually } from "./eventually.ts"
import { processesWith } from "./processes.ts"
import { makePlace, type Place, type Server, startServer } from "./server.ts"

/** A server that listens, and the typed client of it. */
export interface Running extends Server {
  readonly place: Place
  readonly client: Client
}

/** Where a test happens. */
export class World extends Context.Service<
  World,
  {
    readonly place: Place
    readonly database: Redacted.Redacted<string>
    readonly sql: SqlClient.SqlClient
    readonly archives: ArchiveServer
  }
>()("@lockkeeper/test/harness/World") {
  /** A new world. No server runs in it. `routed` may lead the server to the database in another way. */
  static readonly layer = (
    routed: (url: Redacted.Redacted<string>) => Redacted.Redacted<string> = identity
  ): Layer.Layer<World, SqlError.SqlError> =>
    Layer.effect(
      World,
      Effect.gen(function* () {
        const { url: database } = yield* TestDatabase.make
        const client = yield* Layer.build(PgClient.layer({ url: database, maxConnections: 4 }))
        const place = yield* makePlace(routed(database))
        return { place, database, sql: Context.get(client, SqlClient.SqlClient), archives: yield* archiveServer }
      })
    )
}

/** Starts a server at the place of the world, or at another place. */
export const start = Effect.fnUntraced(function* (
  given?: Place,
  env: Readonly<Record<string, string>> = {}
): Effect.fn.Return<Running, never, World | Scope.Scope> {
  const place = given ?? (yield* World).place
  const server = yield* startServer(place, env)
  return { ...server, place, client: yield* makeClient({ baseUrl: server.url, token: place.token }) }
})

/** A server that all tests of a file share, in a world of its own. */
export class SharedServer extends Context.Service<SharedServer, Running>()("@lockkeeper/test/harness/SharedServer") {
  /** Starts it. */
  static readonly layer = (
    env: Readonly<Record<string, string>> = {}
  ): Layer.Layer<SharedServer | World, SqlError.SqlError> =>
    Layer.effect(SharedServer, start(undefined, env)).pipe(Layer.provideMerge(World.layer()))
}

/** What exists because of a server. With `n` apps that serve and nothing else going on, see {@link atRest}. */
export interface Footprint {
  /** Groups of processes, by the directory that each has for itself. */
  readonly running: number
  readonly homes: number
  readonly fetches: number
  readonly keys: number
  readonly partialBuilds: number
  readonly temporary: number
  readonly intents: number
  readonly slots: number
  readonly active: number
  /** Routes that lead to a Workload of the Journal, and others. */
  readonly routes: number
  readonly strayRoutes: number
}

/** What exists when this many Apps serve and nothing is going on. */
export const atRest = (apps: number): Footprint => ({
  running: apps,
  homes: apps,
  fetches: 0,
  keys: 0,
  partialBuilds: 0,
  temporary: 0,
  intents: apps,
  slots: 0,
  active: 0,
  routes: apps,
  strayRoutes: 0
})

const entries = (...path: ReadonlyArray<string>): ReadonlyArray<string> => {
  const directory = Path.join(...path)
  return existsSync(directory) ? readdirSync(directory) : []
}

/** Waits until a tree is being copied into an image. */
export const buildBegins = Effect.flatMap(World, ({ place }) =>
  eventually(
    "a tree is copied",
    Effect.sync(() => partialBuilds(place)),
    (count) => count > 0
  )
)

const partialBuilds = ({ dataDir }: Place): number =>
  entries(dataDir, "builds").filter((name) => name.includes("-")).length

/** What exists now because of the server of a place. */
export const footprint = Effect.fnUntraced(function* (
  given?: Place
): Effect.fn.Return<Footprint, SqlError.SqlError, World> {
  const { place: own, sql } = yield* World
  const place = given ?? own
  const { dataDir, env } = place
  const [rows] = yield* sql<{
    readonly intents: number
    readonly slots: number
    readonly active: number
    readonly routes: number
    readonly strayRoutes: number
  }>`with led as (
      select r.app, exists (
        select from intents i where i.app = r.app and i.released_at is null
          and (i.workload -> 'address' ->> 'port')::int = r.address_port
      ) as known from routes r where r.address_port is not null
    )
    select (select count(*)::int from intents where released_at is null) as intents,
      (select count(*)::int from slots) as slots,
      (select count(*)::int from deployments where finished_at is null) as active,
      (select count(*)::int from led where known) as routes,
      (select count(*)::int from led where not known) as "strayRoutes"`
  const running = processesWith(`HOME=${dataDir}/work/`).flatMap(({ environment }) =>
    environment.filter((variable) => variable.startsWith("HOME="))
  )
  return {
    intents: -1,
    slots: -1,
    active: -1,
    routes: -1,
    strayRoutes: -1,
    ...rows,
    running: new Set(running).size,
    homes: entries(dataDir, "work", "homes").length,
    fetches: entries(dataDir, "work", "fetch", "sources").length,
    keys: entries(dataDir, "work", "fetch", "keys").length,
    partialBuilds: partialBuilds(place),
    temporary: entries(env["TMPDIR"] ?? "").length
  }
})

const serving = Effect.gen(function* () {
  const { sql } = yield* World
  const [row] = yield* sql<{ readonly count: number }>`select count(*)::int as count from releases where current`
  return row?.count ?? 0
})

/** Waits until every App with a Release serves it, and nothing else is left of anything. */
export const comesToRest = Effect.gen(function* () {
  const apps = yield* serving
  return yield* eventually(`${apps} apps serve and nothing else is left`, footprint(), (seen) => isAtRest(seen, apps))
})

const isAtRest = (seen: Footprint, apps: number): boolean => isDeepStrictEqual({ ...seen }, { ...atRest(apps) })
