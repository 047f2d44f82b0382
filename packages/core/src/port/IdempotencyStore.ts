// Remembers what a request that carries a key was answered, so that the same request asked again is answered and not
// carried out again. A key is reserved before anything is done: of those who ask at once, one does it.
import { Clock, Context, Duration, Effect, Layer, type Redacted, Schema } from "effect"
import { retention } from "../domain/Retention.ts"
import { MemoryState, type ReservationRow } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

const digest = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))

/** Names a request within who asks it and of what: a keyed digest of all that, which says nothing of it. */
export const IdempotencyKey = digest.pipe(Schema.brand("IdempotencyKey"))

/** The type of {@link IdempotencyKey}. */
export type IdempotencyKey = typeof IdempotencyKey.Type

/** Tells requests under one key apart: a keyed digest of what a request says, which shows nothing of it. */
export const Fingerprint = digest.pipe(Schema.brand("Fingerprint"))

/** The type of {@link Fingerprint}. */
export type Fingerprint = typeof Fingerprint.Type

/** Names one reservation for ever: its owner makes it at random, and proves with it that it is the owner. */
export const ReservationId = Schema.String.check(Schema.isPattern(/^[0-9a-f-]{16,64}$/)).pipe(
  Schema.brand("ReservationId")
)

/** The type of {@link ReservationId}. */
export type ReservationId = typeof ReservationId.Type

/** A key in the hands of one owner. */
export interface Reservation {
  readonly key: IdempotencyKey
  readonly id: ReservationId
}

/** How long an owner may take before the key is free again, and how long an answer is kept from the reservation on. */
export interface ReservationTerms {
  readonly lease: Duration.Duration
  readonly retention: Duration.Duration
}

/** One minute, and one day. */
export const defaultReservationTerms: ReservationTerms = {
  lease: Duration.minutes(1),
  retention: retention.reservations.age
}

/** What is to be reserved. The lease is at most as long as the retention. */
export interface ReservationRequest extends Reservation {
  readonly fingerprint: Fingerprint
  readonly terms: ReservationTerms
}

/**
 * What became of a request for a reservation. `Reserved`: the caller owns the key and carries the request out. `Answered`:
 * it was carried out, with this answer. `Reused`: the key stands for another request. `InProgress`: another owner is at it.
 */
export type ReservationOutcome =
  | { readonly _tag: "Reserved" }
  | { readonly _tag: "Answered"; readonly answer: Redacted.Redacted<string> }
  | { readonly _tag: "Reused" }
  | { readonly _tag: "InProgress" }

/** The key belongs to another owner by now, or to nobody: the lease was over, and nothing was changed. */
export class ReservationLost extends Schema.TaggedError<ReservationLost>()("ReservationLost", {}) {}

/** Keeps keys, who owns them and what was answered, on one clock. */
export class IdempotencyStore extends Context.Service<
  IdempotencyStore,
  {
    /**
     * Reserves a key that nobody uses, whose lease was over before it was answered, or whose retention is over. Asked
     * again with the same id it answers the same, so that a lost answer is made good.
     */
    readonly reserve: (request: ReservationRequest) => Effect.Effect<ReservationOutcome, StoreError>
    /** Keeps the answer for the rest of the retention. The first one of a reservation stays. */
    readonly complete: (
      reservation: Reservation,
      answer: Redacted.Redacted<string>
    ) => Effect.Effect<void, ReservationLost | StoreError>
    /** Frees a key that was not answered. Does nothing for who does not own it. */
    readonly release: (reservation: Reservation) => Effect.Effect<void, StoreError>
  }
>()("@lockkeeper/core/port/IdempotencyStore") {
  /** Keys in memory. */
  static readonly layerMemory: Layer.Layer<IdempotencyStore, never, MemoryState> = Layer.effect(
    IdempotencyStore,
    Effect.map(MemoryState, ({ reservations }) => {
      const owned = ({ id, key }: Reservation): ReservationRow | undefined => {
        const row = reservations.get(key)
        return row?.id === id ? row : undefined
      }

      return IdempotencyStore.of({
        reserve: ({ fingerprint, id, key, terms }) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const found = reservations.get(key)
            const row = found === undefined || isFree(found, now) ? reserved(id, fingerprint, terms, now) : found
            reservations.set(key, row)
            return outcomeOf(row, id, fingerprint)
          }),
        complete: (reservation, answer) =>
          Effect.suspend(() => {
            const row = owned(reservation)
            if (row === undefined) return new ReservationLost()
            row.answer ??= answer
            return Effect.void
          }),
        release: (reservation) =>
          Effect.sync(() => {
            const row = owned(reservation)
            if (row !== undefined && row.answer === undefined) reservations.delete(reservation.key)
          })
      })
    })
  )
}

const isFree = (row: ReservationRow, now: number): boolean =>
  row.expiresAt <= now || (row.answer === undefined && row.leaseUntil <= now)

const reserved = (
  id: ReservationId,
  fingerprint: Fingerprint,
  { lease, retention }: ReservationTerms,
  now: number
): ReservationRow => ({
  id,
  fingerprint,
  leaseUntil: now + Duration.toMillis(lease),
  expiresAt: now + Duration.toMillis(retention),
  answer: undefined
})

const outcomeOf = (row: ReservationRow, id: ReservationId, fingerprint: Fingerprint): ReservationOutcome => {
  if (row.fingerprint !== fingerprint) return { _tag: "Reused" }
  if (row.answer !== undefined) return { _tag: "Answered", answer: row.answer }
  return { _tag: row.id === id ? "Reserved" : "InProgress" }
}
