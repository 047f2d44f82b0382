// Which installation this server is a replica of, once its database is ready to say so.
import { createHmac } from "node:crypto"
import { Effect, Redacted, Schedule } from "effect"
import { InstallationId } from "@lockkeeper/adapter-docker/InstallationId"
import { PostgresHealth } from "@lockkeeper/adapter-postgres/PostgresHealth"
import { PostgresInstallation } from "@lockkeeper/adapter-postgres/PostgresInstallation"
import type { DataDirectory } from "./dataDirectory.ts"

/** Succeeds when the database answers and its schema is there. */
export const ready = Effect.flatMap(PostgresHealth, ({ reasons }) =>
  Effect.asVoid(Effect.repeat(reasons, { until: (found) => found.length === 0, schedule: Schedule.spaced("1 second") }))
)

/**
 * The id of the installation, as long as it takes to learn it. The first replica of all proposes one that follows from the
 * secret key, as it was before ids were kept; from then on the key may be replaced.
 */
export const installationOf = Effect.fnUntraced(function* (secretKey: DataDirectory["secretKey"]) {
  const { idOf } = yield* PostgresInstallation
  yield* ready
  const proposed = createHmac("sha256", Redacted.value(secretKey)).update("lockkeeper installation").digest("hex")
  const id = yield* idOf(proposed.slice(0, 12)).pipe(
    Effect.tapError((error) => Effect.logWarning("the installation is not known yet", error)),
    Effect.retry(Schedule.spaced("1 second")),
    Effect.orDie
  )
  return InstallationId.make(id)
})
