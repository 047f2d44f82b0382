// Every method of the store of idempotency keys that changes something, as mutations.ts has those of the other stores.

import { IdempotencyStore, type Reservation } from "@lockkeeper/core/port/IdempotencyStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Redacted } from "effect"
import { withSql } from "./meetings.ts"
import type { EveryMutation } from "./mutations.ts"

const keys = <A, E, R>(use: (store: IdempotencyStore["Service"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(IdempotencyStore, use)

const reserved = Effect.tap(Given.freshReservation(), (request) => keys((store) => store.reserve(request)))

const keyRows = ({ id, key }: Reservation) =>
  withSql(
    (sql) => sql`select reservation = ${id} as owned, sealed is not null as answered, lease_until > now() as leased
      from idempotency_keys where key = ${key}`
  )

/** All of them. */
export const idempotencyMutations: EveryMutation = {
  each: (use) => [
    use({
      method: "IdempotencyStore.reserve",
      given: Given.freshReservation(),
      call: (request) =>
        Effect.map(
          keys((store) => store.reserve(request)),
          ({ _tag }) => _tag
        ),
      rows: keyRows,
      again: "Reserved"
    }),
    use({
      method: "IdempotencyStore.complete",
      given: reserved,
      call: (request) => keys((store) => store.complete(request, Redacted.make("an answer"))),
      rows: keyRows,
      again: undefined
    }),
    use({
      method: "IdempotencyStore.release",
      given: reserved,
      call: (request) => keys((store) => store.release(request)),
      rows: keyRows,
      again: undefined
    })
  ]
}
