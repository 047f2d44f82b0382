// Where an end-to-end test happens: a database, a directory for a server, sources to deploy, and what is to be seen of it
// all from outside.

import { PgClient } from "@effect/sql-pg"
import { type Client, make as makeClient } from "@lockkeeper/adapter-http/Client"
import { Context, Effect, identity, Layer, type Redacted, type Scope } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { isDeepStrictEqual } from "node:util"
import { type ArchiveServer, archiveServer } from "./archiveServer.ts"
import * as TestDatabase from "./database.ts"
import { eventually } from "./eventually.ts"
import { atRest, type Footprint, footprintOf } from "./footprint.ts"
import { makePlace, type Place, type Program, type Server, startServer } from "./server.ts"

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
  /**
   * A new world. No server runs in it. `routed` may lead the server to the database in another way; that may be one without
   * the schema.
   */
  static readonly layer = (
    routed: (url: Redacted.Redacted<string>) => Redacted.Redacted<string> = identity,
    made: typeof TestDatabase.make = TestDatabase.makeMigrated
  ): Layer.Layer<World, SqlError.SqlError> =>
    Layer.effect(
      World,
      Effect.gen(function* () {
        const { url: database } = yield* made
        const client = yield* Layer.build(PgClient.layer({ url: database, maxConnections: 4 }))
        const place = yield* makePlace(routed(database))
        return { place, database, sql: Context.get(client, SqlClient.SqlClient), archives: yield* archiveServer }
      })
    )
}

/** Starts a server at the place of the world, or at another place. */
export const start = Effect.fnUntraced(function* (
  given?: Place,
  env: Readonly<Record<string, string>> = {},
  program?: Program
): Effect.fn.Return<Running, never, World | Scope.Scope> {
  const place = given ?? (yield* World).place
  const server = yield* startServer(place, env, program)
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

/** What exists now because of the server of a place. */
export const footprint = Effect.fnUntraced(function* (
  given?: Place
): Effect.fn.Return<Footprint, SqlError.SqlError, World> {
  const { place, sql } = yield* World
  return yield* footprintOf(given ?? place, sql)
})

/** Waits until an image of the server of the world is being made. */
export const buildBegins = Effect.suspend(() =>
  eventually("an image is being made", footprint(), ({ partialBuilds }) => partialBuilds > 0)
)

const serving = Effect.gen(function* () {
  const { sql } = yield* World
  const [row] = yield* sql<{ readonly count: number }>`select count(*)::int as count
    from releases r join apps a on a.id = r.app where r.current and a.status = 'live'`
  return row?.count ?? 0
})

/** Waits until every App with a Release serves it, and nothing else is left of anything. */
export const comesToRest = Effect.gen(function* () {
  const apps = yield* serving
  return yield* eventually(`${apps} apps serve and nothing else is left`, footprint(), (seen) => isAtRest(seen, apps))
})

const isAtRest = (seen: Footprint, apps: number): boolean => isDeepStrictEqual({ ...seen }, { ...atRest(apps) })
