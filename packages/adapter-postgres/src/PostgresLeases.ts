// Named leases on PostgreSQL, on the database's clock, each in one statement.

import { Fence, type ReplicaId } from "@lockkeeper/core/domain/Lease"
import { Leases } from "@lockkeeper/core/port/Leases"
import { Duration, Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { Int8 } from "./internal/columns.ts"
import { database, rowsOf } from "./internal/Database.ts"

const fenceRows = rowsOf(Schema.Struct({ fence: Int8.pipe(Schema.decodeTo(Fence)) }))

/** Makes the leases. */
export const make: Effect.Effect<Leases["Service"], never, SqlClient.SqlClient> = Effect.gen(function* () {
  const db = yield* database
  const { sql } = db

  const acquire = (name: string, replica: ReplicaId, ttl: Duration.Duration) => {
    const end = sql`clock_timestamp() + ${Duration.toMillis(ttl)}::float8 * interval '1 millisecond'`
    return db.statement<Fence | undefined>(
      "Leases.acquire",
      Effect.map(
        fenceRows(sql`insert into leases as l (name, replica, fence, until) values (${name}, ${replica}, 1, ${end})
          on conflict (name) do update set
            replica = excluded.replica,
            fence = case when l.replica = excluded.replica then l.fence else l.fence + 1 end,
            until = ${end}
          where l.replica is null or l.replica = excluded.replica or l.until <= clock_timestamp()
          returning fence`),
        ([row]) => row?.fence
      )
    )
  }

  const release = (name: string, replica: ReplicaId) =>
    db.statement<void>(
      "Leases.release",
      Effect.asVoid(sql`update leases set replica = null, until = least(until, clock_timestamp())
        where name = ${name} and replica = ${replica}`)
    )

  return Leases.of({ acquire, release })
})

/** Provides the leases. */
export const layer: Layer.Layer<Leases, never, SqlClient.SqlClient> = Layer.effect(Leases, make)
