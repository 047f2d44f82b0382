// One PostgreSQL without durability for all test runs.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, Exit, FileSystem, Layer, Redacted, Scope } from "effect"
import { EmbeddedPostgres, layer } from "../../packages/adapter-postgres/src/EmbeddedPostgres.ts"

const settings = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", max_connections: "200" }

const embedded = Layer.unwrap(
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const dataDir = yield* files.makeTempDirectoryScoped({ prefix: "lockkeeper-mutation-database-" })
    return layer({ dataDir, settings })
  })
).pipe(Layer.provide(NodeServices.layer))

/** Starts it, and answers how to reach and how to stop it. */
export const startServer = async (): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> => {
  const scope = await Effect.runPromise(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(embedded, scope))
  const url = Redacted.value(Context.get(context, EmbeddedPostgres).url)
  return { url, stop: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}
