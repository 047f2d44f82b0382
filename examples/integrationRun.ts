// An integration test as a Run: PostgreSQL, an app that is built from its source, and a step that loads it, on a network of
// their own, with what is demanded of the results. Ends with 0, 1 or 2: it passes, it fails, or nobody can say. However it
// ends, no container, network or password is left.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as DockerProvider from "@lockkeeper/adapter-docker/DockerProvider"
import { InstallationId } from "@lockkeeper/adapter-docker/InstallationId"
import * as HttpHealthProbe from "@lockkeeper/adapter-http/HttpHealthProbe"
import * as ProcessSourceFetcher from "@lockkeeper/adapter-process/ProcessSourceFetcher"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { type Run, RunName, Target } from "@lockkeeper/core/domain/Run"
import { type ArchiveSource, ImageReference } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { Topology } from "@lockkeeper/core/domain/Topology"
import { exitCodeOf } from "@lockkeeper/core/domain/Verdict"
import { Providers } from "@lockkeeper/core/port/Providers"
import { runTopology } from "@lockkeeper/core/program/runTopology"
import { Cause, Console, Effect, Layer, Schema } from "effect"
import { build } from "esbuild"
import { layerInMemory } from "./layerInMemory.ts"
import { servedArchive } from "./servedArchive.ts"

const baseImage = process.env["BASE_IMAGE"] ?? "node:24-alpine"
const postgresImage = process.env["POSTGRES_IMAGE"] ?? "postgres:17-alpine"
const visits = process.env["VISITS"] ?? "500"
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
  return { Dockerfile: dockerfile, "server.cjs": outputFiles[0]?.text ?? "", "load.mjs": readFileSync(own("load.mjs"), "utf8") }
})

// #region topology
const topologyOf = (source: ArchiveSource) => ({
  nodes: [
    {
      name: "db",
      image: postgresImage,
      env: { POSTGRES_PASSWORD_FILE: "/run/lockkeeper/credentials/db" },
      ports: [5432]
    },
    { name: "app", source, ports: [8080], dependsOn: ["db"], healthCheck: { path: "/ready", intervalMillis: 200, timeoutSeconds: 60 } }
  ],
  steps: [
    { name: "schema", node: "db", command: ["psql", "-U", "postgres", "-c", "create table visits (at timestamptz default now())"] },
    { name: "load", node: "app", command: ["node", "load.mjs", visits], timeoutSeconds: 60, resultFile: "load.json" }
  ],
  thresholds: [
    { metric: "errors", max: 0 },
    { metric: "p95Millis", max: p95Millis }
  ]
})
// #endregion

const program = Effect.gen(function* () {
  const { source } = yield* servedArchive(yield* files)
  const topology = yield* Schema.decodeUnknownEffect(Topology)(topologyOf(source))
  const run = yield* runTopology({ tenant: TenantName.make("acme"), name: RunName.make("integration"), topology })
  yield* Effect.forEach(run.steps, ({ durationMillis, exitCode, metrics, name }) =>
    Console.log(`${name} ended with ${exitCode} after ${durationMillis} ms ${JSON.stringify(metrics)}`)
  )
  yield* Console.log(`${run.name} ${run.status}: ${run.error?.detail ?? run.verdict}; cleanup ${run.cleanup}`)
  return run
})
