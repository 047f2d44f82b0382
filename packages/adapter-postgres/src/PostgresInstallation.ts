// Which installation this database is of. What runs outside of the database is told from that of others by it, so it stays
// the same whatever else is replaced: keys, replicas, hosts.

import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { database, rowsOf } from "./internal/Database.ts"

/** Keeps the id of the installation. */
export class PostgresInstallation extends Context.Service<
  PostgresInstallation,
  {
    /**
     * The id of the installation: what was proposed first, by whichever replica, for as long as the database exists. Up
     * to 32 lower-case letters, digits and dashes; another proposal fails as `unexpected` where there is no id yet.
     */
    readonly idOf: (proposed: string) => Effect.Effect<string, StoreError>
  }
>()("@lockkeeper/adapter-postgres/PostgresInstallation") {}

const idRows = rowsOf(Schema.Struct({ id: Schema.String }))

/** Makes it. */
export const make: Effect.Effect<PostgresInstallation["Service"], never, SqlClient.SqlClient> = Effect.gen(
  function* () {
    const db = yield* database
    const { sql } = db
    const ids = db.statement<ReadonlyArray<{ readonly id: string }>>(
      "Installation.idOf",
      idRows(sql`select id from installation`)
    )
    const propose = (id: string) =>
      db.statement<void>(
        "Installation.idOf",
        Effect.asVoid(sql`insert into installation (id) values (${id}) on conflict do nothing`)
      )

    const idOf = Effect.fn("PostgresInstallation.idOf")(function* (proposed: string) {
      const [known] = yield* ids
      if (known !== undefined) return known.id
      yield* propose(proposed)
      const [first] = yield* ids
      return first === undefined
        ? yield* Effect.die(new Error("an installation that was written is not there"))
        : first.id
    })

    return PostgresInstallation.of({ idOf })
  }
)

/** Provides it. */
export const layer: Layer.Layer<PostgresInstallation, never, SqlClient.SqlClient> = Layer.effect(
  PostgresInstallation,
  make
)
