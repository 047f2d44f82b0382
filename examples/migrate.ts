// Brings the database of DATABASE_URL to the schema that this version expects, and ends: as `npm run migrate`, before the
// servers of a new version start with LOCKKEEPER_MIGRATE=wait.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Config, ConfigProvider, Console, Effect, Option } from "effect"
import { layerClient } from "@lockkeeper/adapter-postgres/layer"
import { apply, complete } from "@lockkeeper/adapter-postgres/PostgresMigrations"
import { settings } from "./server/settings.ts"
import { startFailure } from "./server/startFailure.ts"

const needed = new Config.ConfigError(
  new ConfigProvider.SourceError({
    message: "DATABASE_URL: the address of the database; the server itself migrates the embedded one"
  })
)

const migrate = Effect.gen(function* () {
  const { databaseUrl, prepare } = yield* settings
  if (Option.isNone(databaseUrl)) return yield* Effect.fail(needed)
  const bring = Effect.gen(function* () {
    const applied = yield* apply()
    yield* Console.log(applied.length === 0 ? "nothing to apply" : `applied: ${applied.join(", ")}`)
    const built = yield* complete()
    if (built.length > 0) yield* Console.log(`built: ${built.join(", ")}`)
  })
  yield* Effect.provide(bring, layerClient({ url: databaseUrl.value, prepare, maxConnections: 2 }))
})

migrate.pipe(
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(`lockkeeper did not migrate: ${startFailure(cause)}`)
  ),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
