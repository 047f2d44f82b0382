// What the role of the connection may not do and needs, as the statements that let it. Not here: who runs them.

import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { Migration } from "../PostgresMigrations.ts"
import { rowsOf } from "./Database.ts"
import { ledger } from "./migrationLedger.ts"

const schemaRows = rowsOf(
  Schema.Struct({ role: Schema.String, schema: Schema.String, uses: Schema.Boolean, creates: Schema.Boolean })
)
const tableRows = rowsOf(
  Schema.Struct({ name: Schema.String, owner: Schema.String, owned: Schema.Boolean, used: Schema.Boolean })
)

const tablesOf = (migrations: ReadonlyArray<Migration>): ReadonlyArray<string> =>
  migrations
    .flatMap(({ statements }) => statements)
    .flatMap((statement) => /^create table (\w+)/.exec(statement)?.slice(1) ?? [])

/** The role, and the statements. Whoever does not migrate needs neither to create nor to own tables. */
export const missingPrivileges = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  migrations: ReadonlyArray<Migration>,
  migrate: "apply" | "wait"
) {
  const [own] = yield* schemaRows(sql`select quote_ident(current_user) as role,
      quote_ident(coalesce(current_schema(), 'public')) as schema, current_schema() is not null as uses,
      coalesce(has_schema_privilege(current_schema(), 'create'), false) as creates`)
  const { creates, role, schema, uses } = own ?? { creates: true, role: "", schema: "", uses: true }
  const tables =
    yield* tableRows(sql`select quote_ident(c.relname) as name, quote_ident(pg_get_userbyid(c.relowner)) as owner,
      pg_has_role(c.relowner, 'usage') as owned,
      has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
        and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete') as used
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = coalesce(current_schema(), 'public') and c.relkind = 'r'
      and ${sql.in("c.relname", [ledger, ...tablesOf(migrations)])}
    order by c.relname`)

  const applies = migrate === "apply"
  const inSchema = [...(uses ? [] : ["usage"]), ...(applies && !creates ? ["create"] : [])]
  const owners = new Set(tables.filter(({ owned }) => applies && !owned).map(({ owner }) => owner))
  const unused = tables.filter(({ owner, used }) => !used && !owners.has(owner)).map(({ name }) => name)
  return {
    role,
    missing: [
      ...(inSchema.length === 0 ? [] : [`grant ${inSchema.join(", ")} on schema ${schema} to ${role}`]),
      ...[...owners].map((owner) => `grant ${owner} to ${role}`),
      ...(unused.length === 0 ? [] : [`grant select, insert, update, delete on ${unused.join(", ")} to ${role}`])
    ]
  }
})
