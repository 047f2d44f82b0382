// Idempotency keys on PostgreSQL, on the database's clock. A key is reserved in one statement, so that of all sessions that
// ask at once one gets it; what has expired counts for nothing at once, and is swept later.

import {
  Fingerprint,
  IdempotencyStore,
  type Reservation,
  ReservationId,
  ReservationLost,
  type ReservationOutcome,
  type ReservationRequest
} from "@lockkeeper/core/port/IdempotencyStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Duration, Effect, Layer, type Redacted, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { Sealed } from "./internal/columns.ts"
import { database, rowsOf } from "./internal/Database.ts"

const reservationRows = rowsOf(
  Schema.Struct({ reservation: ReservationId, fingerprint: Fingerprint, sealed: Schema.NullOr(Sealed) })
)

/** What the sealed answer is bound to. */
const placeOf = ({ id, key }: Reservation): string => `idempotency/${key}/${id}`

/** Makes the store. */
export const make: Effect.Effect<IdempotencyStore["Service"], never, SqlClient.SqlClient | SecretCipher> = Effect.gen(
  function* () {
    const db = yield* database
    const { sql } = db
    const cipher = yield* SecretCipher

    /** The clock is read once, before the row is waited for: a lease is never taken to be over before it is. */
    const free = sql`(k.expires_at <= now() or (k.sealed is null and k.lease_until <= now()))`

    const from = (duration: Duration.Duration) =>
      sql`now() + ${Duration.toMillis(duration)}::float8 * interval '1 millisecond'`

    /** The row of the key as it is then: the caller's when the key was free, and else whoever's it is. */
    const upsert = ({ fingerprint, id, key, terms }: ReservationRequest) =>
      sql`insert into idempotency_keys as k (key, reservation, fingerprint, lease_until, expires_at)
        values (${key}, ${id}, ${fingerprint}, ${from(terms.lease)}, ${from(terms.retention)})
        on conflict (key) do update set
          reservation = case when ${free} then excluded.reservation else k.reservation end,
          fingerprint = case when ${free} then excluded.fingerprint else k.fingerprint end,
          lease_until = case when ${free} then excluded.lease_until else k.lease_until end,
          expires_at = case when ${free} then excluded.expires_at else k.expires_at end,
          sealed = case when ${free} then null else k.sealed end
        returning reservation, fingerprint, sealed`

    const outcomeOf = Effect.fnUntraced(function* (request: ReservationRequest) {
      const [row] = yield* reservationRows(upsert(request))
      if (row === undefined) return yield* Effect.die("an upsert returned no row")
      if (row.fingerprint !== request.fingerprint) return { _tag: "Reused" as const }
      if (row.sealed !== null) {
        const answer = yield* cipher.open(row.sealed, placeOf({ key: request.key, id: row.reservation }))
        return { _tag: "Answered" as const, answer }
      }
      return row.reservation === request.id ? { _tag: "Reserved" as const } : { _tag: "InProgress" as const }
    })

    const reserve = (request: ReservationRequest) =>
      db.statement<ReservationOutcome>("IdempotencyStore.reserve", outcomeOf(request))

    const complete = Effect.fnUntraced(function* (reservation: Reservation, answer: Redacted.Redacted<string>) {
      const sealed = yield* cipher.seal(answer, placeOf(reservation))
      const kept = yield* db.statement<ReadonlyArray<object>>(
        "IdempotencyStore.complete",
        sql`update idempotency_keys set sealed = coalesce(sealed, ${sealed})
          where key = ${reservation.key} and reservation = ${reservation.id} returning key`
      )
      if (kept.length === 0) return yield* new ReservationLost()
    })

    const release = ({ id, key }: Reservation) =>
      db.statement<void>(
        "IdempotencyStore.release",
        Effect.asVoid(sql`delete from idempotency_keys where key = ${key} and reservation = ${id} and sealed is null`)
      )

    return IdempotencyStore.of({ reserve, complete, release })
  }
)

/** Provides the store. */
export const layer: Layer.Layer<IdempotencyStore, never, SqlClient.SqlClient | SecretCipher> = Layer.effect(
  IdempotencyStore,
  make
)
