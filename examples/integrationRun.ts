// An integration test as a Run: PostgreSQL, an app that is built from its source, and a step that loads it, on a network of
// their own, with what is demanded of the results. Ends with 0, 1 or 2: it passes, it fails, or nobody can say; with 3 when it
// could not begin. However it ends, no container, network or password is left.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as DockerProvider from "@lockkeeper/adapter-docker/DockerProvider"
import { InstallationId } from "@lockkeeper/adapter-docker/InstallationId"
import * as HttpHealthProbe from "@lockkeeper/adapter-http/HttpHealthProbe"
import * as ProcessSourceFetcher from "@lockkeeper/adapter-process/ProcessSourceFetcher"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { type Run, RunName } from "@lockkeeper/core/domain/Run"
import type { ArchiveSource } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { Topology } from "@lockkeeper/core/domain/Topology"
import { exitCodeOf } from "@lockkeeper/core/domain/Verdict"
import { MemoryState } from "@lockkeeper/core/port/MemoryState"
import { Providers } from "@lockkeeper/core/port/Providers"
import { SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import { runTopology } from "@lockkeeper/core/program/runTopology"
import { Cause, Console, Effect, Exit, Layer, Schema } from "effect"
import { build } from "esbuild"
import { layerInMemory } from "./layerInMemory.ts"
import { servedArchive } from "./servedArchive.ts"

const baseImage = process.env["BASE_IMAGE"] ?? "node:24-alpine"
const postgresImage = process.env["POSTGRES_IMAGE"] ?? "postgres:17-alpine"
const visits = process.env["VISITS"] ?? "500"
const installation = InstallationId.make(process.env["INSTALLATION"] ?? "example")
const range = process.env["RANGE"] ?? "10.216.0.0/13"
const p95Millis = Number(process.env["P95_MILLIS"] ?? 500)

const own = (file: string) => fileURLToPath(new URL(`integration-app/${file}`, import.meta.url))

/** The app as its own build would pack it. */
const files = Effect.promise(async () => {
  const { outputFiles } = await build({
    entryPoints: [own("server.mjs")],
    bundle: true,
    platform: "node",
    format: "cjs",
    external: ["pg-native"],
    write: false
  })
  const dockerfile = readFileSync(own("Dockerfile"), "utf8").replace("node:24-alpine", baseImage)
  return {
    Dockerfile: dockerfile,
    "server.cjs": outputFiles[0]?.text ?? "",
    "load.mjs": readFileSync(own("load.mjs"), "utf8")
  }
})

const createVisits = `PGPASSWORD=$(cat "$LOCKKEEPER_CREDENTIALS/db") psql --host=db --username=postgres --command="
  create table visits (at timestamptz not null default now())"`

// #region topology
const topologyOf = (source: ArchiveSource) => ({
  nodes: [
    {
      name: "db",
      image: postgresImage,
      env: { POSTGRES_PASSWORD_FILE: "/run/lockkeeper/credentials/db" },
      ports: [5432]
    },
    {
      name: "app",
      source,
      ports: [8080],
      dependsOn: ["db"],
      healthCheck: { path: "/ready", intervalMillis: 200, timeoutSeconds: 60 }
    }
  ],
  steps: [
    { name: "schema", node: "db", command: ["sh", "-c", createVisits] },
    { name: "load", node: "app", command: ["node", "load.mjs", visits], timeoutSeconds: 60, resultFile: "load.json" }
  ],
  thresholds: [
    { metric: "errors", max: 0 },
    { metric: "p95Millis", max: p95Millis }
  ]
})
// #endregion

const program = Effect.gen(function* () {
  const { directory, source } = yield* servedArchive(yield* files)
  const topology = yield* Schema.decodeUnknownEffect(Topology)(topologyOf(source))
  const request = { tenant: TenantName.make("acme"), name: RunName.make("integration"), topology }
  const run = yield* Effect.provide(runTopology(request), onDocker(directory))
  for (const { durationMillis, exitCode, metrics, name } of run.steps) {
    yield* Console.log(`${name} ended with ${exitCode} after ${durationMillis} ms: ${JSON.stringify(metrics)}`)
  }
  yield* Console.log(`${run.name} is ${run.verdict ?? run.status}${run.error === null ? "" : `: ${run.error.detail}`}`)
  return run
})

/** The ports of a Run: containers and addresses are real, and what is known of them is in memory. */
const onDocker = (directory: string) => {
  const docker = DockerProvider.target({ installation, replica: ReplicaId.make("example") })
  const providers = Layer.unwrap(
    Effect.map(docker, (target) =>
      Providers.layer({ targets: [target], settings: { docker: { range } }, usual: target.target })
    )
  ).pipe(Layer.provide(Layer.provide(SubnetPool.layerMemory, MemoryState.layer)))
  const fetcher = ProcessSourceFetcher.layer({ directory: join(directory, "archives") })
  return Layer.mergeAll(layerInMemory, providers, fetcher, HttpHealthProbe.layer)
}

const exitOf = ({ verdict }: Run): number => exitCodeOf(verdict ?? "inconclusive")

program.pipe(
  Effect.scoped,
  Effect.map(exitOf),
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(String(Cause.squash(cause)))
  ),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit, end) => end(Exit.isSuccess(exit) && typeof exit.value === "number" ? exit.value : 3)
  })
)
