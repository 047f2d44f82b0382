// Writes what a database holds as SQL, from its catalog, in an order that depends on names alone. It is what a reader and a
// diff need; it is not a backup.

import { Effect } from "effect"
import { SqlClient } from "effect/sql"

interface Line {
  readonly table: string
  readonly line: string
}

const grouped = (lines: ReadonlyArray<Line>): ReadonlyMap<string, ReadonlyArray<string>> =>
  new Map([...Map.groupBy(lines, ({ table }) => table)].map(([table, own]) => [table, own.map(({ line }) => line)]))

/** The domains of the schema `public`, and its tables with their columns, constraints and indexes. */
export const dumpSchema = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const tables = yield* sql<{ table: string; options: string | null }>`
    select relname as table, array_to_string(reloptions, ', ') as options from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname collate "C"`

  const domains = yield* sql<{ line: string }>`
    select concat_ws(' ', 'create domain', t.typname, 'as', format_type(t.typbasetype, t.typtypmod),
      string_agg(concat_ws(' ', 'constraint', k.conname, pg_get_constraintdef(k.oid, true)), ' ' order by k.conname)) as line
    from pg_type t left join pg_constraint k on k.contypid = t.oid
    where t.typnamespace = 'public'::regnamespace and t.typtype = 'd'
    group by t.oid order by t.typname collate "C"`

  const columns = grouped(
    yield* sql<Line>`
    select c.relname as table, concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
      case when a.attidentity = 'a' then 'generated always as identity' end,
      case when a.attnotnull then 'not null' end,
      'default ' || pg_get_expr(d.adbin, d.adrelid)) as line
    from pg_attribute a join pg_class c on c.oid = a.attrelid
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
    order by a.attnum`
  )

  const constraints = grouped(
    yield* sql<Line>`
    select c.relname as table, concat_ws(' ', 'constraint', k.conname, pg_get_constraintdef(k.oid, true)) as line
    from pg_constraint k join pg_class c on c.oid = k.conrelid
    where c.relnamespace = 'public'::regnamespace and k.contype in ('p', 'u', 'f', 'c', 'x')
    order by k.contype, k.conname collate "C"`
  )

  const indexes = grouped(
    yield* sql<Line>`
    select tablename as table, replace(indexdef, 'public.', '') as line from pg_indexes
    where schemaname = 'public' and not exists (select 1 from pg_constraint where conname = indexname)
    order by indexname collate "C"`
  )

  const others = yield* sql<{ line: string }>`
    select 'function ' || oid::regprocedure as line from pg_proc where pronamespace = 'public'::regnamespace
    union all
    select 'trigger ' || tgname from pg_trigger where not tgisinternal
    order by 1`

  const described = tables.map(({ options, table }) => {
    const parts = [...(columns.get(table) ?? []), ...(constraints.get(table) ?? [])]
    const storage = options === null ? "" : ` with (${options})`
    const statement = `create table ${table} (\n${parts.map((part) => `  ${part}`).join(",\n")}\n)${storage};`
    return [statement, ...(indexes.get(table) ?? []).map((index) => `${index};`)].join("\n")
  })
  return `${[domains.map(({ line }) => `${line};`).join("\n"), ...described, ...others.map(({ line }) => `-- ${line}`)].join("\n\n")}\n`
})
