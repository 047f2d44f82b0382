// Stores of idempotency keys that make the mistakes their contract exists for.

import { Clock, Duration, Effect, Redacted } from "effect"
import {
  defaultReservationTerms,
  Fingerprint,
  IdempotencyKey,
  IdempotencyStore,
  type ReservationRequest
} from "../../src/port/IdempotencyStore.ts"
import { altered, type Broken } from "./Broken.ts"

const oneFingerprint = Fingerprint.make("0".repeat(64))

/** Broken stores. */
export const brokenIdempotencyStores: ReadonlyArray<Broken> = [
  {
    what: "an IdempotencyStore that looks, waits and reserves",
    contract: "IdempotencyStore",
    violates: ["B11 of twenty"],
    layer: altered(IdempotencyStore, (original, { reservations }) => ({
      reserve: Effect.fnUntraced(function* (request: ReservationRequest) {
        const isFirst = !reservations.has(request.key)
        yield* Effect.yieldNow
        if (isFirst) reservations.delete(request.key)
        return yield* original.reserve(request)
      })
    }))
  },
  {
    what: "an IdempotencyStore that answers whatever is asked under a key",
    contract: "IdempotencyStore",
    violates: ["B11 a key", "X4 a key whose"],
    layer: altered(IdempotencyStore, (original) => ({
      reserve: (request) => original.reserve({ ...request, fingerprint: oneFingerprint })
    }))
  },
  {
    what: "an IdempotencyStore that keeps an answer without the white space around it",
    contract: "IdempotencyStore",
    violates: ["X4 what was"],
    layer: altered(IdempotencyStore, (original) => ({
      complete: (reservation, answer) => original.complete(reservation, Redacted.make(Redacted.value(answer).trimEnd()))
    }))
  },
  {
    what: "an IdempotencyStore that cuts long answers",
    contract: "IdempotencyStore",
    violates: ["X4 what was"],
    layer: altered(IdempotencyStore, (original) => ({
      complete: (reservation, answer) =>
        original.complete(reservation, Redacted.make(Redacted.value(answer).slice(0, 65_536)))
    }))
  },
  {
    what: "an IdempotencyStore that knows a key by what is asked under it",
    contract: "IdempotencyStore",
    violates: ["X4 keys have", "B11 a key", "X4 a key whose", "X4 an answer"],
    layer: altered(IdempotencyStore, (original) => {
      const keys = new Map<string, string>()
      const known = <A extends { readonly id: string }>(asked: A, fingerprint?: string) => {
        if (fingerprint !== undefined) keys.set(asked.id, fingerprint)
        return { ...asked, key: IdempotencyKey.make(keys.get(asked.id) ?? "f".repeat(64)) }
      }
      return {
        reserve: (request) => original.reserve(known(request, request.fingerprint)),
        complete: (reservation, answer) => original.complete(known(reservation), answer),
        release: (reservation) => original.release(known(reservation))
      }
    })
  },
  {
    what: "an IdempotencyStore that keeps the last answer of an owner",
    contract: "IdempotencyStore",
    violates: ["X4 an owner that"],
    layer: altered(IdempotencyStore, (original, { reservations }) => ({
      complete: (reservation, answer) =>
        Effect.tap(original.complete(reservation, answer), () =>
          Effect.sync(() => {
            const row = reservations.get(reservation.key)
            if (row !== undefined) row.answer = answer
          })
        )
    }))
  },
  {
    what: "an IdempotencyStore that tells an owner that it is at it already",
    contract: "IdempotencyStore",
    violates: ["X4 an owner that"],
    layer: altered(IdempotencyStore, (original, { reservations }) => ({
      reserve: (request) =>
        Effect.suspend(() => {
          const row = reservations.get(request.key)
          const isOwner = row?.id === request.id && row.answer === undefined
          return isOwner ? Effect.succeed({ _tag: "InProgress" as const }) : original.reserve(request)
        })
    }))
  },
  {
    what: "an IdempotencyStore in which anybody gives a key back",
    contract: "IdempotencyStore",
    violates: ["X4 a key that", "X4 who lost"],
    layer: altered(IdempotencyStore, (_, { reservations }) => ({
      release: ({ key }) =>
        Effect.sync(() => {
          if (reservations.get(key)?.answer === undefined) reservations.delete(key)
        })
    }))
  },
  {
    what: "an IdempotencyStore that forgets an answer that is given back",
    contract: "IdempotencyStore",
    violates: ["X4 keys have", "X4 a key that"],
    layer: altered(IdempotencyStore, (_, { reservations }) => ({
      release: ({ id, key }) =>
        Effect.sync(() => {
          if (reservations.get(key)?.id === id) reservations.delete(key)
        })
    }))
  },
  {
    what: "an IdempotencyStore whose leases last whole seconds",
    contract: "IdempotencyStore",
    violates: ["X4 a key whose"],
    layer: altered(IdempotencyStore, (original) => ({
      reserve: (request) => {
        const lease = Duration.seconds(Math.floor(Duration.toSeconds(request.terms.lease)))
        return original.reserve({ ...request, terms: { ...request.terms, lease } })
      }
    }))
  },
  {
    what: "an IdempotencyStore whose leases do not end",
    contract: "IdempotencyStore",
    violates: ["X4 a key whose", "X4 who lost"],
    layer: altered(IdempotencyStore, (original) => ({
      reserve: (request) =>
        original.reserve({ ...request, terms: { ...request.terms, lease: request.terms.retention } })
    }))
  },
  {
    what: "an IdempotencyStore that keeps what anybody answers",
    contract: "IdempotencyStore",
    violates: ["X4 who lost", "X4 who gave", "X4 an answer"],
    layer: altered(IdempotencyStore, (original, { reservations }) => ({
      complete: (reservation, answer) =>
        Effect.suspend(() => {
          const row = reservations.get(reservation.key)
          return original.complete({ ...reservation, id: row?.id ?? reservation.id }, answer)
        })
    }))
  },
  {
    what: "an IdempotencyStore that tells owners apart by how often a key was reserved since it was free",
    contract: "IdempotencyStore",
    violates: ["X4 who gave"],
    layer: altered(IdempotencyStore, (original, { reservations }) => {
      const counted = new Map<string, number>()
      const numbers = new Map<string, number>()
      return {
        reserve: (request) =>
          Effect.tap(original.reserve(request), () =>
            Effect.sync(() => {
              if (reservations.get(request.key)?.id !== request.id || numbers.has(request.id)) return
              const number = (counted.get(request.key) ?? 0) + 1
              counted.set(request.key, number)
              numbers.set(request.id, number)
            })
          ),
        complete: (reservation, answer) =>
          Effect.suspend(() => {
            const row = reservations.get(reservation.key)
            const isSame = row !== undefined && numbers.get(row.id) === numbers.get(reservation.id)
            return original.complete({ ...reservation, id: isSame ? row.id : reservation.id }, answer)
          }),
        release: (reservation) =>
          Effect.tap(original.release(reservation), () =>
            Effect.sync(() => {
              if (!reservations.has(reservation.key)) counted.delete(reservation.key)
            })
          )
      }
    })
  },
  {
    what: "an IdempotencyStore that takes no answer after the lease",
    contract: "IdempotencyStore",
    violates: ["X4 an owner whose"],
    layer: altered(IdempotencyStore, (original, { reservations }) => ({
      complete: Effect.fnUntraced(function* (reservation, answer) {
        const row = reservations.get(reservation.key)
        const isLate = row !== undefined && row.leaseUntil <= (yield* Clock.currentTimeMillis)
        if (!isLate) yield* original.complete(reservation, answer)
      })
    }))
  },
  {
    what: "an IdempotencyStore that keeps answers for ever",
    contract: "IdempotencyStore",
    violates: ["X4 an answer"],
    layer: altered(IdempotencyStore, (original) => ({
      reserve: (request) =>
        original.reserve({
          ...request,
          terms: { ...request.terms, retention: defaultReservationTerms.retention }
        })
    }))
  },
  {
    what: "an IdempotencyStore that forgets answers with the lease",
    contract: "IdempotencyStore",
    violates: ["X4 an owner whose", "X4 an answer"],
    layer: altered(IdempotencyStore, (original) => ({
      reserve: (request) =>
        original.reserve({ ...request, terms: { ...request.terms, retention: request.terms.lease } })
    }))
  }
]
