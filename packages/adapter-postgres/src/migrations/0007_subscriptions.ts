// How far each subscriber has been told of what happened. The cursor is kept as its two numbers, in which the order is.

import type { Migration } from "../PostgresMigrations.ts"

/** Subscriptions. */
export const subscriptions: Migration = {
  id: 7,
  name: "subscriptions",
  statements: [
    `create table subscriptions (
  name text primary key check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  xid xid8 not null,
  row bigint not null check (row >= 0),
  fence bigint not null check (fence >= 0)
) with (fillfactor = 50)`
  ]
}
