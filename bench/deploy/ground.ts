// What everything is measured on: a Postgres as durable as in production, servers that are processes of their own, and
// archives for them to fetch.

import { type Client, make as makeClient } from "@lockkeeper/adapter-http/Client"
import { make as makeEmbedded } from "@lockkeeper/adapter-postgres/EmbeddedPostgres"
import { layerClient } from "@lockkeeper/adapter-postgres/layer"
import { apply } from "@lockkeeper/adapter-postgres/PostgresMigrations"
import { Context, Effect, FileSystem, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type ArchiveServer, archiveServer } from "../../test/harness/archiveServer.ts"
import { clearEngine } from "../../test/harness/engine.ts"
import { images } from "../../test/harness/images.ts"
import { makePlace, type Server, startServer } from "../../test/harness/server.ts"
import type { Options } from "./options.ts"

/** The database, archives, and the key that all servers share. */
export class Ground extends Context.Service<
  Ground,
  {
    readonly url: Redacted.Redacted<string>
    readonly archives: ArchiveServer
    readonly secretKey: Uint8Array
    readonly keyFile: string
  }
>()("@lockkeeper/bench/deploy/Ground") {}

/** A server that listens, its client and the name that its leases bear. */
interface Replica extends Server {
  readonly client: Client
  readonly replica: string
}

/** Makes the database with its schema, and what servers need; all of it ends with the layer. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const directory = yield* fs.makeTempDirectoryScoped({ prefix: "lockkeeper-bench-" })
    const { url } = yield* makeEmbedded({ dataDir: `${directory}/data`, settings: { max_connections: "200" } })
    const secretKey = new Uint8Array(randomBytes(32))
    const keyFile = `${directory}/secret.key`
    yield* fs.writeFile(keyFile, secretKey, { mode: 0o600 })
    const archives = yield* archiveServer
    const client = layerClient({ url, maxConnections: 64, prepare: true })
    return Layer.mergeAll(
      Layer.effectDiscard(apply()),
      Layer.succeed(Ground, Ground.of({ url, archives, secretKey, keyFile }))
    ).pipe(Layer.provideMerge(client))
  })
)

/** Starts so many servers as replicas of each other, on this runtime. They are killed when the Scope closes. */
export const replicas = Effect.fnUntraced(function* (
  count: number,
  runtime: "docker" | "process",
  { isDirect }: Options
) {
  const { keyFile, url } = yield* Ground
  const token = Redacted.make(randomBytes(24).toString("base64url"))
  const direct = isDirect ? { LOCKKEEPER_DIRECT_DATABASE_URL: Redacted.value(url) } : {}
  const ofRuntime = runtime === "docker" ? { LOCKKEEPER_GIT_IMAGE: images.git } : {}
  const common = {
    LOCKKEEPER_SECRET_KEY_FILE: keyFile,
    LOCKKEEPER_RUNTIME: runtime,
    LOCKKEEPER_TOKENS: `ops:${Redacted.value(token)}=*`,
    ...direct,
    ...ofRuntime
  }
  const first = yield* makePlace(url, common)
  const ports = { LOCKKEEPER_APP_PORTS: first.env["LOCKKEEPER_APP_PORTS"] ?? "" }
  const places = [first]
  while (places.length < count) places.push(yield* makePlace(url, { ...common, ...ports }))
  if (runtime === "docker") yield* Effect.addFinalizer(() => Effect.promise(() => clearEngine(first)))
  return yield* Effect.forEach(places, (place) =>
    Effect.gen(function* () {
      const server = yield* startServer(place)
      const client = yield* makeClient({ baseUrl: server.url, token })
      const replica = readFileSync(join(place.dataDir, "private", "replica-id"), "utf8")
      return { ...server, client, replica } satisfies Replica
    })
  )
})

/** How a Deployment stands in the database, whichever server has it in hand. */
const standing = Effect.fnUntraced(function* (deployment: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly status: string; readonly replica: string | null }>`
    select status, replica from deployments where id = ${deployment}`
  return row
})

/** Looks every few milliseconds until a Deployment is in one of these statuses, and answers who has it in hand then. */
export const until = (deployment: string, statuses: ReadonlyArray<string>) =>
  standing(deployment).pipe(
    Effect.tap(Effect.sleep("5 millis")),
    Effect.repeat({ until: (row) => row !== undefined && statuses.includes(row.status) })
  )
