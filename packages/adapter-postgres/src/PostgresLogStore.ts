// Logs on PostgreSQL, in chunks of lines. Lines are numbered by their log's row, which every append changes: numbers have no
// gap and no line is written twice. Usually that is one statement.

import type { LogCursor, LogEntry } from "@lockkeeper/core/domain/LogLine"
import {
  defaultLogLimitBytes,
  knownWriters,
  type LogName,
  type LogPart,
  type LogPlace,
  LogStore,
  truncationLine
} from "@lockkeeper/core/port/LogStore"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { DateTime, Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { Int8 } from "./internal/columns.ts"
import { database, rowsOf } from "./internal/Database.ts"
import { bytesOf, ChunkRow, outputOf, pack, storableLines, unpack } from "./internal/logChunks.ts"

interface Size {
  readonly bytes: number
  readonly truncated: boolean
}

const sizeRows = rowsOf(Schema.Struct({ bytes: Int8, truncated: Schema.Boolean, ended: Schema.Boolean, nth: Int8 }))
const headRows = rowsOf(Schema.Struct({ lines: Int8, swept: Int8, ended: Schema.Boolean, first: Schema.NullOr(Int8) }))
const chunkRows = rowsOf(ChunkRow)

const incomplete = (log: LogName, after: number) =>
  new StoreError({
    operation: "LogStore.read",
    reason: "corrupt",
    cause: new Error(`lines of ${log} after number ${after} are missing or there twice`)
  })

/** How many chunks the cursor loads at once. */
const chunksAtOnce = 16

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
    bytes += bytesOf(entry.line)
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
  const insert = (log: LogName, entries: ReadonlyArray<LogEntry>) => {
    const chunks = pack(entries)
    const timesOf = (end: "from" | "until") =>
      chunks.map(({ output }) => (output === undefined ? "" : new Date(output[end]).toISOString()))
    return sql`
    insert into log_chunks (log, first, last, at, output_from, output_until, packed)
    select ${log}, n.lines - ${entries.length} + c.first, n.lines - ${entries.length} + c.last, t.now,
      least(nullif(c.output_from, '')::timestamptz, case when c.untimed then t.now end),
      greatest(nullif(c.output_until, '')::timestamptz, case when c.untimed then t.now end), c.packed
    from numbered n, (select date_trunc('milliseconds', clock_timestamp()) as now) t, unnest(
        ${chunks.map(({ first }) => first)}::bigint[], ${chunks.map(({ last }) => last)}::bigint[],
        ${timesOf("from")}::text[], ${timesOf("until")}::text[],
        ${chunks.map(({ isUntimed }) => isUntimed)}::boolean[],
        ${chunks.map(({ packed }) => packed)}::bytea[]
      ) c (first, last, output_from, output_until, untimed, packed)`
  }

  /** For a log that goes on, whose limit is far, and whose writer is known there: its row guards the statement. */
  const appendAll = (log: LogName, entries: ReadonlyArray<LogEntry>, bytes: number, place?: LogPlace) => sql`
    with numbered as (
      update logs set lines = lines + ${entries.length}, bytes = bytes + ${bytes}, writers = ${written(place)}
      where name = ${log} and not ended and not truncated and bytes + ${bytes} <= ${limit}
        ${place === undefined ? sql`` : sql`and (writers ->> ${place.writer}::text)::bigint < ${place.nth}`}
      returning lines
    )
    ${insert(log, entries)}
    returning first`

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
    if (said.length === 0) return
    const { bytes, entries } = storableLines(said)
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
        const rows = yield* sql`select g.lines, g.swept, g.ended, c.first, c.last, c.at, c.packed
          from (select *, greatest(swept, ${after}) as from_line from logs where name = ${log}) g left join lateral (
            select first, last, at, packed from log_chunks
            where log = g.name and last > g.from_line and first <= g.from_line + ${limit} and first >= coalesce(
              (select first from log_chunks where log = g.name and first <= g.from_line order by first desc limit 1), 0)
          ) c on true
          order by c.first`
        const heads = yield* headRows(Effect.succeed(rows))
        const chunks = yield* chunkRows(Effect.succeed(heads[0]?.first === null ? [] : rows))
        const [head] = heads
        if (head === undefined) return { lines: [], ended: false }
        const from = Math.max(after, head.swept)
        const lines = chunks.flatMap(unpack).filter(({ seq }) => seq > from && seq <= from + limit)
        if (lines.length !== Math.max(0, Math.min(limit, head.lines - from))) return yield* incomplete(log, from)
        return { lines, ended: head.ended && from + lines.length >= head.lines }
      })
    )

  /** The lines of the output that were said at a time, in some chunks after this one; and the last of these chunks. */
  const saidAt = Effect.fnUntraced(function* (log: LogName, at: DateTime.Utc, after: number) {
    const time = DateTime.formatIso(at)
    const chunks = yield* chunkRows(sql`select first, last, at, packed from log_chunks
      where log = ${log} and first > ${after} and output_from <= ${time}::timestamptz
        and output_until >= ${time}::timestamptz
      order by first limit ${chunksAtOnce}`)
    const lines = chunks.flatMap(outputOf).filter((line) => DateTime.Equivalence(line.at, at)).length
    return { lines, last: chunks.at(-1)?.first }
  })

  const cursor = (log: LogName) =>
    db.statement<LogCursor | undefined>(
      "LogStore.cursor",
      Effect.gen(function* () {
        const newest = yield* chunkRows(sql`select first, last, at, packed from log_chunks
          where log = ${log} and output_from is not null order by first desc limit 1`)
        const at = newest.flatMap(outputOf).at(-1)?.at
        if (at === undefined) return undefined
        let lines = 0
        for (let after: number | undefined = 0; after !== undefined;) {
          const part: Effect.Success<ReturnType<typeof saidAt>> = yield* saidAt(log, at, after)
          lines += part.lines
          after = part.last
        }
        return { at, lines }
      })
    )

  return LogStore.of({ append, end, read, cursor })
})

/** Provides the store. */
export const layer = (
  options: { readonly limitBytes?: number | undefined } = {}
): Layer.Layer<LogStore, never, SqlClient.SqlClient> => Layer.effect(LogStore, make(options))
