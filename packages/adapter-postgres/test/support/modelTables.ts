// The tables of a test's database for models, which share it one run after the other.

import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Tables } from "../../../../test/harness/models/Tables.ts"

/** What a run does to the tables. Foreign keys lead from a Tenant to all that is its, Events excepted. */
export const layerTables = Layer.effect(
  Tables,
  Effect.map(Effect.context<SqlClient.SqlClient>(), (context) => {
    const done = <A, E>(self: Effect.Effect<A, E, SqlClient.SqlClient>) =>
      Effect.provideContext(Effect.asVoid(Effect.orDie(self)), context)
    const sql = <A, E>(use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) =>
      done(Effect.flatMap(SqlClient.SqlClient, use))
    return Tables.of({
      setStatus: (app, status) =>
        sql((sql) => sql`update apps set status = ${status} where id = ${app} and status <> 'deleted'`),
      lapse: (deployment) =>
        sql(
          (sql) => sql`update deployments set lease_until = clock_timestamp()
            where id = ${deployment} and status in ('building', 'deploying')`
        ),
      clear: sql((sql) => sql`truncate tenants cascade`)
    })
  })
)
