// A process that owns an embedded PostgreSQL, to be killed by tests: prints `ready PORT` and waits for its end.
// Arguments: the data directory, and server settings as JSON.

import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Schema } from "effect"
import * as EmbeddedPostgres from "../../src/EmbeddedPostgres.ts"

const Settings = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

const program = Effect.gen(function* () {
  const [, , dataDir = "", settings = "{}"] = process.argv
  const server = yield* EmbeddedPostgres.make({
    dataDir,
    settings: yield* Schema.decodeUnknownEffect(Settings)(settings)
  })
  yield* Console.log(`ready ${server.port}`)
  return yield* Effect.never
})

program.pipe(Effect.scoped, Effect.provide(NodeServices.layer), NodeRuntime.runMain)
