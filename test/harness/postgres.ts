// One PostgreSQL for a whole test run: the bundled server without durability, or the one of TEST_DATABASE_URL. Tests
// take a database of their own from it with `database.ts`.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, Exit, FileSystem, Layer, Redacted, Scope } from "effect"
import type { TestProject } from "vitest/node"
import { EmbeddedPostgres, layer } from "../../packages/adapter-postgres/src/EmbeddedPostgres.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The connection string of a superuser. */
    readonly postgresUrl: string
  }
}

const settings = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", max_connections: "200" }

const embedded = Layer.unwrap(
  Effect.map(
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped({ prefix: "lockkeeper-test-" })),
    (dataDir) => layer({ dataDir, settings })
  )
).pipe(Layer.provide(NodeServices.layer))

/** Runs before the first test file; returns what stops the server again. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const given = process.env["TEST_DATABASE_URL"]
  if (given !== undefined && given !== "") {
    project.provide("postgresUrl", given)
    return () => Promise.resolve()
  }
  const scope = await Effect.runPromise(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(embedded, scope))
  project.provide("postgresUrl", Redacted.value(Context.get(context, EmbeddedPostgres).url))
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
