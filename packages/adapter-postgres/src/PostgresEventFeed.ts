// Events on PostgreSQL, in the order of the transactions that wrote them. Only those are answered whose transaction is
// older than every one that still runs: nothing can appear before them any more. One long transaction delays all. A row may
// stand for several Events of one kind, one after the other: it is read as these.

import { Event, EventId } from "@lockkeeper/core/domain/Event"
import { EventFeed, type EventQuery, EventUnreadable } from "@lockkeeper/core/port/EventFeed"
import { Effect, Layer, Result, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { Instant } from "./internal/columns.ts"
import { database, type EachRow, eachRowOf } from "./internal/Database.ts"
import { eventParts } from "./internal/eventIds.ts"

const eventRows = eachRowOf(EventId, Schema.Struct({ ...Event.fields, at: Instant }))

/** How many Events a row stands for at most. */
const mostOfOneRow = 256n

const first = EventId.make("0-0")

/** Makes the feed. */
export const make: Effect.Effect<EventFeed["Service"], never, SqlClient.SqlClient> = Effect.gen(function* () {
  const db = yield* database
  const { sql } = db

  const read = ({ after = first, limit, tenant }: EventQuery) => {
    const [transaction, row] = eventParts(after)
    return db.statement<ReadonlyArray<Event>, EventUnreadable>(
      "EventFeed.read",
      Effect.flatMap(
        eventRows(sql`select e.xid::text || '-' || (e.id + n) as id, type, at, tenant, app, subject,
          case when n = 0 then data when jsonb_typeof(data -> 'revision') = 'number'
            then data || jsonb_build_object('revision', (data -> 'revision')::numeric + n) end as data
        from events e cross join lateral generate_series(0, e.count - 1) n
        where (e.xid, e.id) > (${String(transaction)}::xid8, ${row - mostOfOneRow}::bigint)
          and (e.xid, e.id + n) > (${String(transaction)}::xid8, ${row}::bigint)
          and e.xid < pg_snapshot_xmin(pg_current_snapshot())
          and (${tenant ?? null}::text is null or tenant = ${tenant ?? null})
        order by e.xid, e.id, n limit ${limit}`),
        readable
      )
    )
  }

  return EventFeed.of({ read })
})

/** Provides the feed. */
export const layer: Layer.Layer<EventFeed, never, SqlClient.SqlClient> = Layer.effect(EventFeed, make)

/** The Events before the first one that cannot be read. */
const readable = Effect.fnUntraced(function* (
  rows: ReadonlyArray<EachRow<EventId, Event>>
): Effect.fn.Return<ReadonlyArray<Event>, EventUnreadable> {
  const events: Array<Event> = []
  for (const { id, read } of rows) {
    if (Result.isSuccess(read)) events.push(read.success)
    else return events.length > 0 ? events : yield* new EventUnreadable({ event: id, cause: read.failure })
  }
  return events
})
