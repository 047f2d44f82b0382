// The stores on the PostgreSQL of a container, which may be of another version than the bundled one, and what a run with
// containers leaves behind when it is killed.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { SqlClient } from "effect/sql"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describeWith } from "../../../test/harness/capability.ts"
import * as Database from "../../../test/harness/database.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { layerClient } from "../src/layer.ts"
import { apply, migrations } from "../src/PostgresMigrations.ts"
import { dumpSchema } from "./support/dumpSchema.ts"
import { startPostgres } from "./support/postgresContainer.ts"
import { storeLaws } from "./support/storeContracts.ts"
import { storesAndClient } from "./support/stores.ts"

/** The URL of the server in the container. */
class Server extends Context.Service<Server, string>()("@lockkeeper/adapter-postgres/test/container.test/Server") {}

const server = Layer.effect(
  Server,
  Effect.acquireRelease(Effect.promise(startPostgres), (container) => Effect.promise(() => container.stop())).pipe(
    Effect.map((container) => container.getConnectionUri())
  )
)

const database = Layer.effect(Database.TestDatabase, Effect.flatMap(Server, Database.makeOn))

const client = (maxConnections: number) =>
  Layer.unwrap(Effect.map(Database.TestDatabase, ({ url }) => layerClient({ url, maxConnections })))

describeWith("docker")("PostgreSQL in a container", () => {
  layer(server, { excludeTestServices: true, timeout: "2 minutes" })((it) => {
    it.effect("K10 INV-14: of twenty who migrate an empty database at once each migration runs exactly once", () =>
      Effect.gen(function* () {
        const starts = Array.from({ length: 20 }, () => Effect.provide(apply(), Layer.fresh(client(1))))
        const applied = yield* Effect.all(starts, { concurrency: "unbounded" })
        const ids = migrations.map(({ id }) => id)
        assert.deepStrictEqual(applied.flat(), ids)
        const sql = yield* SqlClient.SqlClient
        const recorded = yield* sql<{ id: number }>`select id from lockkeeper_migrations order by id`
        assert.deepStrictEqual(
          recorded.map(({ id }) => id),
          ids
        )
        const committed = readFileSync(fileURLToPath(new URL("../schema.sql", import.meta.url)), "utf8")
        assert.include(committed, yield* dumpSchema)
      }).pipe(Effect.provide(Layer.provideMerge(client(2), database)))
    )

    it.layer(Layer.provideMerge(storesAndClient(), database), { timeout: "1 minute" })((it) => {
      it.effect.each(storeLaws)("$port $id $law", ({ run }) => run, 120_000)
    })
  })
})

/** Answers what the client of Docker prints. */
const docker = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(ChildProcessSpawner.ChildProcessSpawner, (spawner) =>
    spawner.string(ChildProcess.make("docker", args))
  ).pipe(Effect.map((text) => text.trim()))

/** Starts a run in a process of its own and answers how to kill it, and the id of the container that it started. */
const run = Effect.gen(function* () {
  const script = fileURLToPath(new URL("support/containerRun.ts", import.meta.url))
  const handle = yield* ChildProcess.make(process.execPath, [script], {
    env: { TESTCONTAINERS_RYUK_RECONNECTION_TIMEOUT: "1s" },
    extendEnv: true,
    stderr: "inherit"
  })
  const id = yield* handle.stdout.pipe(Stream.decodeText(), Stream.splitLines, Stream.take(1), Stream.mkString)
  assert.notStrictEqual(id, "", "the run ended before its container answered")
  return { id, kill: handle.kill({ killSignal: "SIGKILL" }) }
})

describeWith("docker")("a run with containers", () => {
  layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect(
      "leaves none behind when it is killed, not even the reaper that removes them",
      () =>
        Effect.gen(function* () {
          const { id, kill } = yield* run
          const session = yield* docker("inspect", "-f", '{{index .Config.Labels "org.testcontainers.session-id"}}', id)
          const left = docker("ps", "-aq", "--no-trunc", "--filter", `label=org.testcontainers.session-id=${session}`)
          assert.include(yield* left, id)
          yield* kill
          yield* eventually("every container of the run is gone", left, (ids) => ids === "", "30 seconds")
        }),
      120_000
    )
  })
})
