// What a run did to the database, seen in the database: changes for each transaction, the time from one transaction to the
// next, and what a flush of the log took. Every transaction of a merge leaves at least one Event.

import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Sample } from "./compare.ts"

interface Counters {
  readonly fsyncs: number
  readonly millis: number
  readonly xid: string
}

const counters = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [server] = yield* sql<{
    readonly version: number
  }>`select current_setting('server_version_num')::int as version`
  const flushes =
    (server?.version ?? 0) < 180_000
      ? sql`select wal_sync::float8 as fsyncs, wal_sync_time as millis from pg_stat_wal`
      : sql`select coalesce(sum(fsyncs), 0)::float8 as fsyncs, coalesce(sum(fsync_time), 0)::float8 as millis
          from pg_stat_io where object = 'wal'`
  const [row] =
    yield* sql<Counters>`select f.*, pg_snapshot_xmax(pg_current_snapshot())::text as xid from (${flushes}) f`
  return row ?? (yield* Effect.die(new Error("there are no counters")))
})

/** The run, with how many changes a transaction took, how long one took after the other, and how long a flush took. */
export const withFacts = <E, R>(run: Effect.Effect<Sample, E, R>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const before = yield* counters
    const sample = yield* run
    const after = yield* counters
    const [row] = yield* sql<{ transactions: number }>`select count(distinct xid)::float8 as transactions from events
      where xid >= ${before.xid}::text::xid8 and xid < ${after.xid}::text::xid8`
    const transactions = row?.transactions ?? 0
    const changes = sample.latencies.length
    const facts = {
      changesPerTransaction: changes / transactions,
      transactionMillis: (changes / sample.perSecond / transactions) * 1000,
      walFlushMillis: (after.millis - before.millis) / (after.fsyncs - before.fsyncs)
    }
    return { ...sample, facts: { ...sample.facts, ...facts } }
  })
