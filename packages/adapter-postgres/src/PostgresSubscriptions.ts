// Subscriptions on PostgreSQL, each write in one statement. A new one begins before every transaction that still runs: what
// it has not committed yet is told later, and nothing is left out.

import { EventId } from "@lockkeeper/core/domain/Event"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { type SubscriberName, Subscriptions, SubscriptionStale } from "@lockkeeper/core/port/Subscriptions"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Effect, Layer, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { Int8 } from "./internal/columns.ts"
import { database, rowsOf } from "./internal/Database.ts"
import { eventParts } from "./internal/eventIds.ts"

const cursorRows = rowsOf(Schema.Struct({ cursor: EventId }))
const fenceRows = rowsOf(Schema.Struct({ fence: Int8.pipe(Schema.decodeTo(Fence)) }))

/** Makes the Subscriptions. */
export const make: Effect.Effect<Subscriptions["Service"], never, SqlClient.SqlClient> = Effect.gen(function* () {
  const db = yield* database
  const { sql } = db
  const present = sql`pg_snapshot_xmin(pg_current_snapshot()), 0`

  /** Writes under a Fence that is not older than the last one; the cursor goes forward only. */
  const write = (
    operation: string,
    subscriber: SubscriberName,
    fence: Fence,
    place: Statement.Fragment,
    cursor: Statement.Fragment
  ): Effect.Effect<EventId, SubscriptionStale | StoreError> =>
    db.statement(
      operation,
      Effect.gen(function* () {
        const [written] = yield* cursorRows(sql`
          insert into subscriptions as s (name, xid, row, fence) values (${subscriber}, ${place}, ${fence})
          on conflict (name) do update set ${cursor} fence = excluded.fence, told_at = clock_timestamp()
            where s.fence <= excluded.fence
          returning s.xid::text || '-' || s.row as cursor`)
        if (written !== undefined) return written.cursor
        const [newest] = yield* fenceRows(sql`select fence from subscriptions where name = ${subscriber}`)
        return yield* new SubscriptionStale({ subscriber, newest: newest?.fence ?? fence })
      })
    )

  const begin = (subscriber: SubscriberName) =>
    db.statement<void>(
      "Subscriptions.begin",
      Effect.asVoid(sql`insert into subscriptions (name, xid, row, fence) values (${subscriber}, ${present}, 0)
        on conflict (name) do nothing`)
    )

  const take = (subscriber: SubscriberName, fence: Fence) =>
    write("Subscriptions.take", subscriber, fence, present, sql``)

  const advance = (subscriber: SubscriberName, fence: Fence, to: EventId) => {
    const [xid, row] = eventParts(to)
    const isFurther = sql`(excluded.xid, excluded.row) > (s.xid, s.row)`
    return Effect.asVoid(
      write(
        "Subscriptions.advance",
        subscriber,
        fence,
        sql`${String(xid)}::xid8, ${row}::bigint`,
        sql`xid = case when ${isFurther} then excluded.xid else s.xid end,
          row = case when ${isFurther} then excluded.row else s.row end,`
      )
    )
  }

  return Subscriptions.of({ begin, take, advance })
})

/** Provides the Subscriptions. */
export const layer: Layer.Layer<Subscriptions, never, SqlClient.SqlClient> = Layer.effect(Subscriptions, make)
