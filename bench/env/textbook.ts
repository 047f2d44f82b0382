// The transaction that every textbook has for this: lock the row, read the Env, change it, write all of it and a line of
// history. Through node-postgres, with prepared statements and a connection for each writer.

import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Pool } from "pg"
import { type Acknowledged, keyAt, type Orders, valueAt } from "./orders.ts"
import { type Step, StepFailed } from "./Step.ts"

/** Makes the tables and a row with an Env of so many keys. */
export const seedTextbook = Effect.fnUntraced(function* (app: string, keys: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create table if not exists textbook_apps
    (id text primary key, status text not null, revision integer not null, env jsonb not null)`
  yield* sql`create table if not exists textbook_changes (app text not null references textbook_apps (id),
    revision integer not null, actor text not null, change jsonb not null, at timestamptz not null, primary key (app, revision))`
  const env = Object.fromEntries(Array.from({ length: keys }, (_, index) => [keyAt(index), valueAt(index, 0)]))
  yield* sql`insert into textbook_apps values (${app}, 'live', 0, ${JSON.stringify(env)}::jsonb)`
})

/** What the row does not hold that was acknowledged. */
export const checkTextbook = Effect.fnUntraced(function* (acknowledged: Acknowledged) {
  const sql = yield* SqlClient.SqlClient
  const { app, count, last } = acknowledged
  const [row] = yield* sql<{ revision: number; changes: string; env: string }>`select revision, env::text as env,
    (select count(*) from textbook_changes where app = id)::text as changes from textbook_apps where id = ${app}`
  const env: Record<string, unknown> = JSON.parse(row?.env ?? "{}")
  return [
    ...(row?.revision === count && Number(row.changes) === count
      ? []
      : [`${app} is at ${row?.revision}, not at ${count}`]),
    ...[...last].flatMap(([key, { value }]) => (env[key] === value ? [] : [`${app} lost what ${key} was set to`]))
  ]
})

interface Row {
  readonly status: string
  readonly revision: number
  readonly env: Record<string, string>
}

/** The steps of the textbook. */
export const textbookSteps = Effect.fnUntraced(function* ({ connections, url }: Extract<Orders, { kind: "textbook" }>) {
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new Pool({ connectionString: url, max: connections })),
    (pool) => Effect.promise(() => pool.end())
  )
  const change = async (app: string, key: string, value: string, actor: string): Promise<number> => {
    const client = await pool.connect()
    try {
      await client.query("begin")
      await client.query("set local lock_timeout = '5s'")
      const { rows } = await client.query<Row>({
        name: "lock",
        text: "select status, revision, env from textbook_apps where id = $1 for update",
        values: [app]
      })
      const [row] = rows
      if (row?.status !== "live") throw new Error("gone")
      const revision = row.revision + 1
      const env = { ...row.env, [key]: value }
      await client.query({
        name: "write",
        text: "update textbook_apps set env = $2, revision = $3 where id = $1",
        values: [app, JSON.stringify(env), revision]
      })
      await client.query({
        name: "history",
        text: "insert into textbook_changes values ($1, $2, $3, $4, now())",
        values: [app, revision, actor, JSON.stringify({ [key]: value })]
      })
      await client.query("commit")
      return revision
    } catch (cause) {
      await client.query("rollback")
      throw cause
    } finally {
      client.release()
    }
  }
  const step: Step = ({ app, key, value, writer }) =>
    Effect.tryPromise({
      try: () => change(app, key, value, `writer-${writer}`),
      catch: (cause) => new StepFailed({ kind: cause instanceof Error ? cause.message : String(cause) })
    })
  return step
})
