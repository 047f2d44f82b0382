// Who carries out a request that came with a key, and what it was answered. Nothing of the key, of its caller or of the
// request is here in clear: the digests are keyed, the answer is sealed.

import type { Migration } from "../PostgresMigrations.ts"

/** Idempotency keys. A row whose `expires_at` is past counts for nothing, whether it is still there or not. */
export const idempotency: Migration = {
  id: 4,
  name: "idempotency",
  statements: [
    `create table idempotency_keys (
  key text primary key check (key ~ '^[0-9a-f]{64}$'),
  reservation text not null check (reservation ~ '^[0-9a-f-]{16,64}$'),
  fingerprint text not null check (fingerprint ~ '^[0-9a-f]{64}$'),
  lease_until timestamptz not null,
  expires_at timestamptz not null,
  sealed bytea,
  constraint idempotency_keys_lease check (lease_until <= expires_at)
) with (fillfactor = 80)`,
    `create index idempotency_keys_expiry on idempotency_keys (expires_at)`
  ]
}
