// Whether this replica can do its work as far as the database is concerned: it answers, and its schema is the expected one.

import { type Cause, Context, Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { inspect, schemaVersion } from "./PostgresMigrations.ts"

/** Why the database is not ready. `SchemaEdited`: a migration was applied with another content than this version has. */
export type NotReady =
  | { readonly _tag: "DatabaseUnavailable" }
  | { readonly _tag: "SchemaBehind"; readonly expected: number; readonly actual: number }
  | { readonly _tag: "SchemaEdited"; readonly migration: number }

/** Answers how the database is. */
export class PostgresHealth extends Context.Service<
  PostgresHealth,
  {
    /** Why the database is not ready now; empty when it is. Answers within three seconds. */
    readonly reasons: Effect.Effect<ReadonlyArray<NotReady>>
    /** The version of the schema that this version of the package expects. */
    readonly schemaVersion: number
  }
>()("@lockkeeper/adapter-postgres/PostgresHealth") {}

const unavailable: ReadonlyArray<NotReady> = [{ _tag: "DatabaseUnavailable" }]

/** Makes the check. A schema that is ahead is ready: a newer version that is being rolled out has applied it. */
export const make: Effect.Effect<PostgresHealth["Service"], never, SqlClient.SqlClient> = Effect.gen(function* () {
  const client = yield* SqlClient.SqlClient
  const reasons = inTime(Effect.provideService(inspect(), SqlClient.SqlClient, client)).pipe(
    Effect.map(({ pending, version }): ReadonlyArray<NotReady> =>
      pending.length === 0 ? [] : [{ _tag: "SchemaBehind", expected: schemaVersion, actual: version }]
    ),
    Effect.catch((error) =>
      Effect.succeed<ReadonlyArray<NotReady>>(
        error._tag === "MigrationError" && error.reason._tag === "Edited"
          ? [{ _tag: "SchemaEdited", migration: error.reason.migration }]
          : unavailable
      )
    )
  )
  return PostgresHealth.of({ reasons, schemaVersion })
})

/** Answers within three seconds. A question that hangs is taken back in the background: that may take longer still. */
const inTime = <A, E>(question: Effect.Effect<A, E>): Effect.Effect<A, E | Cause.TimeoutError> =>
  Effect.flatMap(Effect.forkDetach(question), (fiber) =>
    Fiber.join(fiber).pipe(
      Effect.timeout("3 seconds"),
      Effect.onExit(() => Effect.forkDetach(Fiber.interrupt(fiber)))
    )
  )

/** Provides the check. */
export const layer: Layer.Layer<PostgresHealth, never, SqlClient.SqlClient> = Layer.effect(PostgresHealth, make)
