// The one Postgres that everything is measured on: as durable as in production, with its log files made beforehand, so that
// nobody who is measured first pays for making them.

import { make as makeEmbedded } from "@lockkeeper/adapter-postgres/EmbeddedPostgres"
import { apply } from "@lockkeeper/adapter-postgres/PostgresMigrations"
import { layerClient } from "@lockkeeper/adapter-postgres/layer"
import { Console, Context, Effect, FileSystem, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import type { Options } from "./options.ts"

/** Where the database is, the key that seals in it, and a directory for files of the bench. */
export class Cluster extends Context.Service<
  Cluster,
  {
    readonly url: Redacted.Redacted<string>
    readonly secretKey: Uint8Array
    readonly directory: string
  }
>()("@lockkeeper/bench/env/Cluster") {}

const settings = {
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  max_connections: "400",
  shared_buffers: "512MB",
  min_wal_size: "2GB",
  max_wal_size: "8GB",
  checkpoint_timeout: "15min",
  track_wal_io_timing: "on"
}

/** The settings of the server that differ from its defaults or matter here, in words. */
export const description = Object.entries(settings)
  .map(([name, value]) => `${name}=${value}`)
  .join(" ")

const fillWal = Effect.fnUntraced(function* (megabytes: number) {
  const sql = yield* SqlClient.SqlClient
  const begun = performance.now()
  yield* sql`create table wal_filler as select n, repeat(md5(n::text), 31) as filler from generate_series(1, ${megabytes * 1000}::int) n`
  yield* sql`drop table wal_filler`
  yield* sql`checkpoint`
  yield* Console.error(`wrote ${megabytes} MB of WAL in ${((performance.now() - begun) / 1000).toFixed(1)} s`)
})

/** Starts the server, makes the schema and fills the log. Both end with the layer. */
export const layer = ({ url: given, walMegabytes }: Pick<Options, "url" | "walMegabytes">) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "lockkeeper-bench-" })
      const url =
        given === undefined
          ? (yield* makeEmbedded({ dataDir: `${directory}/data`, settings })).url
          : Redacted.make(given)
      const client = layerClient({ url, maxConnections: 4, prepare: true })
      const cluster = Layer.succeed(Cluster, Cluster.of({ url, secretKey: randomBytes(32), directory }))
      const ready = Layer.effectDiscard(
        Effect.gen(function* () {
          yield* apply()
          yield* fillWal(walMegabytes)
          const sql = yield* SqlClient.SqlClient
          const [row] = yield* sql<{ readonly version: string }>`select version()`
          yield* Console.error(row?.version ?? "")
          yield* sql`create table bench_counter (id integer primary key, n bigint not null)`
          yield* sql`insert into bench_counter values (1, 0)`
        })
      )
      return Layer.merge(ready, cluster).pipe(Layer.provideMerge(client))
    })
  )
