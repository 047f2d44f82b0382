// Sweeps on PostgreSQL, on the database's clock, and how much there is of each class, as the statistics of its tables have it:
// nothing is counted, and nothing is read but the catalog.

import type { RetentionKind, RetentionUsage } from "@lockkeeper/core/domain/Retention"
import { RetentionStore } from "@lockkeeper/core/port/RetentionStore"
import { Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { Int8 } from "./internal/columns.ts"
import { database, rowsOf } from "./internal/Database.ts"
import { tablesOf } from "./internal/retentionClasses.ts"
import { sweeping } from "./internal/sweeping.ts"

const sizeRows = rowsOf(Schema.Struct({ table: Schema.String, rows: Int8, bytes: Int8 }))

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((all, one) => all + one, 0)

/** Makes the store. */
export const make: Effect.Effect<RetentionStore["Service"], never, SqlClient.SqlClient> = Effect.gen(function* () {
  const db = yield* database
  const { sql } = db
  const sweeps = sweeping(db)

  /** The rows by their density when the table was last analyzed, as the planner has it; before that, those that were counted as they were written. */
  const sizes = sizeRows(sql`select c.relname as table, pg_total_relation_size(c.oid) as bytes,
      case
        when pg_relation_size(c.oid) = 0 then 0
        when c.reltuples < 0 or c.relpages = 0 then coalesce(pg_stat_get_live_tuples(c.oid), 0)
        else c.reltuples::float8 / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::int)
      end::bigint as rows
    from pg_class c
    where c.relkind = 'r' and c.relnamespace = (select relnamespace from pg_class where oid = 'lockkeeper_migrations'::regclass)`)

  const usage = db.statement<{ readonly [K in RetentionKind]: RetentionUsage }>(
    "RetentionStore.usage",
    Effect.map(sizes, (tables) => {
      const of = (kind: RetentionKind): RetentionUsage => {
        const own = tables.filter(({ table }) => tablesOf[kind].includes(table))
        return { rows: sum(own.map(({ rows }) => rows)), bytes: sum(own.map(({ bytes }) => bytes)) }
      }
      return {
        reservations: of("reservations"),
        subscriptions: of("subscriptions"),
        events: of("events"),
        logs: of("logs"),
        intents: of("intents"),
        runs: of("runs"),
        jobs: of("jobs"),
        deployments: of("deployments"),
        releases: of("releases"),
        revisions: of("revisions"),
        apps: of("apps"),
        slots: of("slots"),
        subnets: of("subnets"),
        tenants: of("tenants"),
        installation: of("installation")
      }
    })
  )

  return RetentionStore.of({ sweep: (kind, terms, limit) => sweeps[kind](terms, limit), usage })
})

/** Provides the store. */
export const layer: Layer.Layer<RetentionStore, never, SqlClient.SqlClient> = Layer.effect(RetentionStore, make)
