// Stops a server at an exact point: the database keeps a statement waiting until the test lets it go on. What the server
// wrote before is there, what comes after is not.

import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { eventually } from "./eventually.ts"

/** Which statements are held: those that insert or update such a row. */
export interface Hold {
  readonly name: string
  readonly table: string
  readonly event: "insert" | "update"
  /** A condition on `new` and `old`. */
  readonly when: string
}

const preparations = [
  `create table if not exists test_holds (name text primary key)`,
  `create or replace function test_hold() returns trigger language plpgsql as $$ begin
    perform set_config('application_name', 'held ' || tg_argv[0], true);
    while exists (select from test_holds where name = tg_argv[0]) loop perform pg_sleep(0.01); end loop;
    return new;
  end $$`
]

/** Holds such statements from now on. */
export const hold = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, { event, name, table, when }: Hold) {
  yield* Effect.forEach(preparations, (statement) => sql.unsafe(statement))
  yield* sql`insert into test_holds (name) values (${name})`
  yield* sql.unsafe(`create trigger test_hold_${name} before ${event} on ${table}
    for each row when (${when}) execute function test_hold('${name}')`)
})

const heldBy = (sql: SqlClient.SqlClient) =>
  Effect.map(
    sql<{ readonly name: string }>`select application_name as name from pg_stat_activity
      where datname = current_database() and application_name like 'held %'`,
    (rows) => rows.map(({ name }) => name.slice("held ".length))
  )

/** Waits until a statement is held under this name. */
export const isHeld = (sql: SqlClient.SqlClient, name: string) =>
  eventually(`a statement is held at ${name}`, heldBy(sql), (names) => names.includes(name))

/** Lets everything go on, whoever may still wait for the answer, and holds nothing any more. */
export const letGo = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`delete from test_holds`
  yield* eventually("nothing is held", heldBy(sql), (names) => names.length === 0)
})
