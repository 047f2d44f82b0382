// Tests import every package from its sources, so that nothing has to be built first.

import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { capability, isRequired } from "./test/harness/capability.ts"
import { directoryOfRun } from "./test/harness/programs.ts"
import { ProofsFirst } from "./test/harness/ProofsFirst.ts"
import { SummaryReporter } from "./test/harness/SummaryReporter.ts"

const conditions = ["@lockkeeper/source"]

// What runs on the process runtime runs on Docker too. Where there is no engine, one test says so instead.
const onBothRuntimes = [
  "badInput",
  "crash",
  "databaseAway",
  "deploy",
  "failpoints",
  "faultedScenes",
  "jobs",
  "kills",
  "logs",
  "migrate",
  "preDeploy",
  "replicas",
  "rotation",
  "runFailpoints",
  "runKills",
  "runs",
  "sample",
  "secrets",
  "shutdown",
  "stops",
  "wire"
]
const onDocker =
  capability("docker") || isRequired("docker") ? onBothRuntimes.map((name) => `test/e2e/${name}.test.ts`) : []

// Workers and the servers that tests start load the same modules again and again.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("node_modules/.cache/compile", import.meta.url))

// A run inside of another one, of other sources, does not take the programs of that one.
if (process.env["LOCKKEEPER_TEST_PROGRAMS"] !== "") process.env["LOCKKEEPER_TEST_PROGRAMS"] = directoryOfRun()

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    globalSetup: ["./test/harness/postgres.ts", "./test/harness/programs.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    projects: [
      {
        extends: true,
        test: {
          name: "main",
          include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**", "test/docker/server.test.ts"]
        }
      },
      {
        extends: true,
        test: {
          name: "docker",
          include: ["test/docker.test.ts", "test/docker/server.test.ts", ...onDocker],
          env: { LOCKKEEPER_TEST_RUNTIME: "docker" }
        }
      }
    ],
    // A test that is named after a law bears the whole sentence.
    taskTitleValueFormatTruncate: 0,
    pool: "forks",
    // Most tests wait more than they compute: for processes, containers, locks and leases.
    maxWorkers: 4,
    sequence: { sequencer: ProofsFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ["default", new SummaryReporter()]
  }
})
