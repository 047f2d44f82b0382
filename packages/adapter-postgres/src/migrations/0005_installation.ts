// The name under which all replicas on a database know what is theirs outside of it: one row, written once.

import type { Migration } from "../PostgresMigrations.ts"

/** The id of the installation. */
export const installation: Migration = {
  id: 5,
  name: "installation",
  statements: [
    `create table installation (
  single boolean primary key default true check (single),
  id text not null check (id ~ '^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$'),
  created_at timestamptz not null default clock_timestamp()
)`
  ]
}
