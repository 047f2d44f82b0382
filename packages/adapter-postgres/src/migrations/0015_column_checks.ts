// What a column may hold, as its type. A check of a table is parsed and planned anew by each statement that writes a row of it,
// whatever that changes; one of a type is made once for each connection, and asked where the column is written.

import type { Migration } from "../PostgresMigrations.ts"

/** Makes the check of a column the one of its type, under the same name. No row is written anew. */
const typed = (table: string, column: string, type: string, check: string): ReadonlyArray<string> => {
  const name = `${table}_${column}`
  return [
    `create domain ${name} as ${type}`,
    `alter table ${table} drop constraint ${name}_check, alter column ${column} type ${name}`,
    `alter domain ${name} add constraint ${name}_check check (${check})`
  ]
}

/** The columns of the tables that a change of an Env writes. Checks of more than one column stay with their tables. */
export const columnChecks: Migration = {
  id: 15,
  name: "column_checks",
  statements: [
    ...typed("apps", "id", "text", "value ~ '^app_[a-z0-9]{1,64}$'"),
    ...typed("apps", "name", "text", "value ~ '^[a-z][a-z0-9-]{0,62}$'"),
    ...typed("apps", "status", "text", "value in ('live', 'stopped', 'expired', 'deleting', 'deleted')"),
    ...typed("apps", "host_port", "integer", "value between 1 and 65535"),
    ...typed("apps", "port", "integer", "value between 1 and 65535"),
    ...typed("apps", "last_fence", "bigint", "value >= 0"),
    ...typed("apps", "env_revision", "integer", "value >= 0"),
    ...typed("apps", "env_bytes", "integer", "value between 2 and 65536"),
    ...typed("apps", "pre_deploy", "jsonb", "jsonb_typeof(value) = 'array'"),
    ...typed("env_changes", "first", "integer", "value >= 1"),
    ...typed("events", "count", "integer", "value between 1 and 256"),

    // A function answers exactly the types that it says.
    `create or replace function hold_env_1(held text, known integer, lock_timeout text)
returns table (status text, revision integer, first integer, last integer, sealed bytea) language plpgsql as $$
begin
  perform set_config('lock_timeout', hold_env_1.lock_timeout, true), set_config('statement_timeout', '10s', true),
    set_config('idle_in_transaction_session_timeout', '10s', true);
  perform from apps a where a.id = held for no key update;
  return query select a.status::text, a.env_revision::integer, c.first::integer, c.last, c.sealed
    from apps a left join env_changes c on c.app = a.id and c.first > known where a.id = held order by c.first;
end $$`
  ]
}
