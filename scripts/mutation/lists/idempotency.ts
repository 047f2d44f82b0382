// The guards of idempotency keys: in the store on PostgreSQL, in its schema, and where requests are answered.

import { joined, lawsOf, listing } from "./listing.ts"

const postgresTests = ["contracts", "idempotency"].map((name) => `packages/adapter-postgres/test/${name}.test.ts`)
const rowTests = ["packages/adapter-postgres/test/rows.test.ts"]

const store = listing("packages/adapter-postgres/src/PostgresIdempotencyStore.ts", postgresTests, {
  named: lawsOf("IdempotencyStore"),
  mutations: [
    {
      guards: ["free: k.lease_until <= now()"],
      says: "a key is free as long as it was not answered",
      find: "(k.sealed is null and k.lease_until <= now())",
      replace: "k.sealed is null"
    },
    {
      guards: ["complete: reservation = ${reservation.id}"],
      says: "anybody answers",
      find: "where key = ${reservation.key} and reservation = ${reservation.id} returning key",
      replace: "where key = ${reservation.key} returning key"
    },
    {
      guards: ["release: reservation = ${id}"],
      says: "anybody gives a key back",
      find: "and reservation = ${id} and sealed is null",
      replace: "and sealed is null and ${id}::text is not null"
    }
  ],
  leftOut: [
    {
      guards: ["upsert: on conflict (key) do update"],
      reason: "the statement does not run without it; what it does then is a mutation of its own"
    }
  ]
})

const schema = listing("packages/adapter-postgres/src/migrations/0004_idempotency.ts", rowTests, {
  mutations: [
    {
      guards: ["idempotency_keys: check (key ~ '^[0-9a-f]{64}$')"],
      says: "taken away",
      find: " check (key ~ '^[0-9a-f]{64}$')",
      replace: ""
    },
    {
      guards: ["idempotency_keys: check (reservation ~ '^[0-9a-f-]{16,64}$')"],
      says: "taken away",
      find: " check (reservation ~ '^[0-9a-f-]{16,64}$')",
      replace: ""
    },
    {
      guards: ["idempotency_keys: check (fingerprint ~ '^[0-9a-f]{64}$')"],
      says: "taken away",
      find: " check (fingerprint ~ '^[0-9a-f]{64}$')",
      replace: ""
    },
    {
      guards: ["idempotency_keys: constraint idempotency_keys_lease"],
      says: "taken away",
      find: "idempotency_keys_lease check (",
      replace: "idempotency_keys_lease check (true or "
    }
  ],
  leftOut: [
    {
      guards: ["idempotency_keys: primary key"],
      reason: "`on conflict` of its store needs it: no write runs without"
    }
  ]
})

const http = listing(
  "packages/adapter-http/src/internal/idempotency.ts",
  ["packages/adapter-http/test/idempotencyFaults.test.ts"],
  {
    mutations: [
      {
        guards: ["once: Effect.uninterruptibleMask"],
        says: "a server that stops does not give back what it does not finish",
        find: "Effect.uninterruptibleMask((restore) =>",
        replace: "Effect.flatMap(Effect.succeed(Effect.interruptible), (restore) =>"
      }
    ]
  }
)

/** What is listed of them. */
export const idempotency = joined([store, schema, http])
