// Logs on PostgreSQL. Lines are numbered by their log's row, which every append changes: numbers have no gap and no line
// is written twice. Usually that is one statement.

import { type LogCursor, type LogEntry, LogLine } from "@lockkeeper/core/domain/LogLine"
import {
  defaultLogLimitBytes,
  knownWriters,
  type LogName,
  type LogPart,
  type LogPlace,
  LogStore,
  truncationLine
} from "@lockkeeper/core/port/LogStore"
import { DateTime, Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { Instant, Int8, storable } from "./internal/columns.ts"
import { database, rowsOf } from "./internal/Database.ts"

interface Size {
  readonly bytes: number
  readonly truncated: boolean
}

const sizeRows = rowsOf(Schema.Struct({ bytes: Int8, truncated: Schema.Boolean, ended: Schema.Boolean, nth: Int8 }))
const headRows = rowsOf(Schema.Struct({ lines: Int8, ended: Schema.Boolean, seq: Schema.NullOr(Int8) }))
const lineRows = rowsOf(Schema.Struct({ ...LogLine.fields, seq: Int8, at: Instant }))

const cursorRows = rowsOf(Schema.Struct({ at: Instant, lines: Int8 }))

const bytesOf = ({ line }: LogEntry): number => new TextEncoder().encode(line).byteLength + 1

/** What of some entries still fits a log, with the line that says where it was cut, and the size of the log then. */
const fitting = (
  size: Size,
  entries: ReadonlyArray<LogEntry>,
  limit: number
): Size & { kept: ReadonlyArray<LogEntry> } => {
  const kept: Array<LogEntry> = []
  let { bytes, truncated } = size
  for (const entry of entries) {
    if (truncated) break
    bytes += bytesOf(entry)
    truncated = bytes > limit
    kept.push(truncated ? { stream: "system", line: truncationLine } : entry)
  }
  return { bytes, truncated, kept }
}

/** Makes the store. `limitBytes` is how many bytes of lines a log holds. */
export const make: (options?: {
  readonly limitBytes?: number | undefined
}) => Effect.Effect<LogStore["Service"], never, SqlClient.SqlClient> = Effect.fnUntraced(function* (options = {}) {
  const db = yield* database
  const { sql } = db
  const limit = options.limitBytes ?? defaultLogLimitBytes

  /** What is known of the writers of a log when one of them has added something. */
  const written = (place: LogPlace | undefined) =>
    place === undefined ? sql`writers` : sql`writers || jsonb_build_object(${place.writer}::text, ${place.nth}::bigint)`

  /** Adds lines under the numbers that `numbered`, a part of the statement, took for them. */
  const insert = (log: LogName, entries: ReadonlyArray<LogEntry>) => sql`
    insert into log_lines (log, seq, at, stream, line)
    select ${log}, n.lines - ${entries.length} + e.nth, coalesce(nullif(e.at, '')::timestamptz, clock_timestamp()), e.stream, e.line
    from numbered n, unnest(
        ${entries.map(({ stream }) => stream)}::text[],
        ${entries.map(({ line }) => line)}::text[],
        ${entries.map(({ at }) => (at === undefined ? "" : DateTime.formatIso(at)))}::text[]
      ) with ordinality e (stream, line, at, nth)`

  /** For a log that goes on, whose limit is far, and whose writer is known there: its row guards the statement. */
  const appendAll = (log: LogName, entries: ReadonlyArray<LogEntry>, bytes: number, place?: LogPlace) => sql`
    with numbered as (
      update logs set lines = lines + ${entries.length}, bytes = bytes + ${bytes}, writers = ${written(place)}
      where name = ${log} and not ended and not truncated and bytes + ${bytes} <= ${limit}
        ${place === undefined ? sql`` : sql`and (writers ->> ${place.writer}::text)::bigint < ${place.nth}`}
      returning lines
    )
    ${insert(log, entries)}
    returning seq`

  const appendFitting = (log: LogName, entries: ReadonlyArray<LogEntry>, place?: LogPlace) =>
    db.transaction<void>(
      "LogStore.append",
      Effect.gen(function* () {
        const [size] = yield* sizeRows(sql`insert into logs (name) values (${log})
          on conflict (name) do update set name = excluded.name
          returning bytes, truncated, ended, coalesce((logs.writers ->> ${place?.writer ?? ""}::text)::bigint, 0) as nth`)
        if (size === undefined || size.ended) return
        if (place !== undefined && size.nth >= place.nth) return
        const { bytes, kept, truncated } = fitting(size, entries, limit)
        if (kept.length === 0) return
        yield* sql`with numbered as (
            update logs set lines = lines + ${kept.length}, bytes = ${bytes}, truncated = ${truncated}, writers = (
              select coalesce(jsonb_object_agg(key, value), '{}') from (
                select key, value from jsonb_each(${written(place)}) order by key collate "C" desc limit ${knownWriters}
              ) newest
            )
            where name = ${log} returning lines
          )
          ${insert(log, kept)}`
      })
    )

  const append = Effect.fnUntraced(function* (log: LogName, said: ReadonlyArray<LogEntry>, place?: LogPlace) {
    const entries = said.map((entry) => ({ ...entry, line: storable(entry.line) }))
    if (entries.length === 0) return
    const bytes = entries.reduce((sum, entry) => sum + bytesOf(entry), 0)
    const added = yield* db.statement<ReadonlyArray<object>>("LogStore.append", appendAll(log, entries, bytes, place))
    if (added.length === 0) yield* appendFitting(log, entries, place)
  })

  const end = (log: LogName) =>
    db.statement<void>(
      "LogStore.end",
      Effect.asVoid(
        sql`insert into logs (name, ended) values (${log}, true) on conflict (name)
          do update set ended = true, writers = '{}'`
      )
    )

  const read = (log: LogName, after: number, limit: number) =>
    db.statement<LogPart>(
      "LogStore.read",
      Effect.gen(function* () {
        const rows = yield* sql`select g.lines, g.ended, x.seq, x.at, x.stream, x.line
          from logs g left join lateral (
            select * from log_lines where log = g.name and seq > ${after} order by seq limit ${limit}
          ) x on true
          where g.name = ${log} order by x.seq`
        const heads = yield* headRows(Effect.succeed(rows))
        const lines = yield* lineRows(Effect.succeed(heads[0]?.seq === null ? [] : rows))
        const [head] = heads
        return { lines, ended: head !== undefined && head.ended && (lines.at(-1)?.seq ?? after) >= head.lines }
      })
    )

  const cursor = (log: LogName) =>
    db.statement<LogCursor | undefined>(
      "LogStore.cursor",
      Effect.map(
        cursorRows(sql`with last as (
            select at from log_lines where log = ${log} and stream in ('stdout', 'stderr') order by seq desc limit 1
          )
          select l.at, count(*) as lines from last l
          join log_lines x on x.log = ${log} and x.stream in ('stdout', 'stderr') and x.at = l.at group by l.at`),
        ([row]) => row
      )
    )

  return LogStore.of({ append, end, read, cursor })
})

/** Provides the store. */
export const layer = (
  options: { readonly limitBytes?: number | undefined } = {}
): Layer.Layer<LogStore, never, SqlClient.SqlClient> => Layer.effect(LogStore, make(options))
