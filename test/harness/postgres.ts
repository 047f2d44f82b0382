// One PostgreSQL for a whole test run: the bundled server without durability, or the one of TEST_DATABASE_URL. Tests
// take a database of their own from it with `database.ts`.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Exit, FileSystem, Layer, Redacted, Scope } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import type { TestProject } from "vitest/node"
import { EmbeddedPostgres, layer } from "../../packages/adapter-postgres/src/EmbeddedPostgres.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The connection string of a superuser. */
    readonly postgresUrl: string
    /** The name of the database with the schema that `database.ts` makes copies of; it makes that when it first needs it. */
    readonly postgresTemplate: string
  }
}

const settings = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", max_connections: "200" }

const embedded = Layer.unwrap(
  Effect.map(
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped({ prefix: "lockkeeper-test-" })),
    (dataDir) => layer({ dataDir, settings })
  )
).pipe(Layer.provide(NodeServices.layer))

const dropped = (url: string, database: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(`drop database if exists ${database}`)).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 1, prepare: false }))
  )

/** Runs before the first test file; returns what stops the server again, or removes what the copies were made of. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const given = process.env["TEST_DATABASE_URL"]
  const template = `template_${randomBytes(8).toString("hex")}`
  project.provide("postgresTemplate", template)
  if (given !== undefined && given !== "") {
    project.provide("postgresUrl", given)
    return () => Effect.runPromise(Effect.asVoid(dropped(given, template)))
  }
  const scope = await Effect.runPromise(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(embedded, scope))
  project.provide("postgresUrl", Redacted.value(Context.get(context, EmbeddedPostgres).url))
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
