// The guards of the schema that migration 15 made those of the types of their columns, and what it replaced.

import { joined, listing } from "./listing.ts"

const migrations = "packages/adapter-postgres/src/migrations"

const testsOf = (...names: ReadonlyArray<string>) =>
  names.map((name) => `packages/adapter-postgres/test/${name}.test.ts`)

/** What was a guard until then. */
const former = (migration: string, ...guards: ReadonlyArray<string>) =>
  listing(`${migrations}/${migration}.ts`, [], {
    leftOut: [{ guards, reason: "migration 15 puts another one in its place (0015_column_checks.ts)" }]
  })

/** A column takes every value. */
const any = (column: string, type: string, check: string) => ({
  guards: [],
  says: `any ${column}`,
  find: `"${column}", "${type}", "${check}"`,
  replace: `"${column}", "${type}", "true"`
})

const typed = listing(`${migrations}/0015_column_checks.ts`, testsOf("constraints", "rows"), {
  mutations: [
    {
      guards: ["typed: check (${check})"],
      says: "the types have no checks",
      find: "check (${check})",
      replace: "check (true or ${check})"
    },
    any("id", "text", "value ~ '^app_[a-z0-9]{1,64}$'"),
    any("name", "text", "value ~ '^[a-z][a-z0-9-]{0,62}$'"),
    any("status", "text", "value in ('live', 'stopped', 'expired', 'deleting', 'deleted')"),
    any("host_port", "integer", "value between 1 and 65535"),
    any("port", "integer", "value between 1 and 65535"),
    any("last_fence", "bigint", "value >= 0"),
    any("env_revision", "integer", "value >= 0"),
    any("env_bytes", "integer", "value between 2 and 65536"),
    any("pre_deploy", "jsonb", "jsonb_typeof(value) = 'array'"),
    any("first", "integer", "value >= 1"),
    any("count", "integer", "value between 1 and 256"),
    {
      guards: ["columnChecks: for no key update"],
      says: "a row is held without a lock",
      find: "perform from apps a where a.id = held for no key update;",
      replace: "perform from apps a where a.id = held;",
      tests: testsOf("envTeardown")
    }
  ]
})

/** What is listed of them. */
export const columnChecks = joined([
  typed,
  former(
    "0001_foundation",
    "apps: check (id ~ '^app_[a-z0-9]{1,64}$')",
    "apps: check (name ~ '^[a-z][a-z0-9-]{0,62}$')",
    "apps: check (status in ('live', 'stopped', 'expired', 'deleting', 'deleted'))",
    "apps: check (host_port between 1 and 65535)",
    "apps: check (last_fence >= 0)"
  ),
  former("0002_workload_ports", "workloadPorts: check (port between 1 and 65535)"),
  former(
    "0003_env_changes",
    "envChanges: check (env_revision >= 0)",
    "envChanges: check (env_bytes between 2 and 65536)",
    "env_changes: check (first >= 1)",
    "envChanges: check (count between 1 and 256)",
    "envChanges: for no key update"
  ),
  former("0006_lifecycle", "lifecycle: check (jsonb_typeof(pre_deploy) = 'array')")
])
