// The statements about Envs. What a change means is decided before: SQL compares the Revision and the status of the App on
// the locked row, stores sealed bytes, sizes and names, and decides nothing else.

import { AppId, AppStatus } from "@lockkeeper/core/domain/App"
import { EnvKey, Revision } from "@lockkeeper/core/domain/Env"
import type { PageRequest } from "@lockkeeper/core/domain/Page"
import { AppGone } from "@lockkeeper/core/port/AppStore"
import { Effect, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { Instant, Sealed } from "./columns.ts"
import { type Database, rowsOf } from "./Database.ts"
import type { Batch } from "./envBatch.ts"
import type { SealedPart } from "./sealedEnvs.ts"

const partRows = rowsOf(
  Schema.Struct({
    status: AppStatus,
    revision: Revision,
    deployedRevision: Schema.NullOr(Revision),
    first: Schema.NullOr(Schema.Int),
    last: Schema.NullOr(Schema.Int),
    sealed: Schema.NullOr(Sealed)
  })
)

const heldRows = rowsOf(
  Schema.Struct({
    status: AppStatus,
    revision: Revision,
    first: Schema.NullOr(Schema.Int),
    last: Schema.NullOr(Schema.Int),
    sealed: Schema.NullOr(Sealed)
  })
)
const presentRows = rowsOf(Schema.Struct({ id: AppId, status: AppStatus, revision: Revision }))
const writtenRows = rowsOf(Schema.Struct({ app: AppId }))
const operationRows = rowsOf(Schema.Struct({ operation: Schema.String }))

const historyRows = rowsOf(
  Schema.Struct({
    first: Schema.NullOr(Schema.Int),
    at: Schema.NullOr(Instant),
    history: Schema.NullOr(
      Schema.Array(
        Schema.Struct({
          actor: Schema.String,
          keysSet: Schema.Array(EnvKey),
          keysDeleted: Schema.Array(EnvKey),
          total: Schema.Int
        })
      )
    )
  })
)

/** A batch of one App as it is written: `whole` is the Env after it, where it is time for that. */
export interface SealedBatch {
  readonly app: AppId
  readonly batch: Batch
  readonly sealed: Uint8Array
  readonly whole: Uint8Array | undefined
}

/** What stands where there is no whole Env; what is sealed is never empty. */
const noWhole = new Uint8Array(0)

const stored = (
  rows: ReadonlyArray<{
    readonly first: number | null
    readonly last: number | null
    readonly sealed: Uint8Array | null
  }>
): ReadonlyArray<SealedPart> =>
  rows.flatMap(({ first, last, sealed }) =>
    first === null || last === null || sealed === null ? [] : [{ first, last, sealed }]
  )

/** Builds the statements. */
export const envRows = ({ sql }: Database) => {
  /** What is stored of an App's Env up to a Revision: the newest whole one, and the changes after it. */
  const parts = Effect.fnUntraced(function* (app: AppId, upTo: Revision | undefined) {
    const rows = yield* partRows(sql`select a.status, a.env_revision as revision, r.env_revision as "deployedRevision",
        p.first, p.last, p.sealed
      from (select *, least(env_revision, ${upTo ?? null}::int) as up_to from apps where id = ${app}) a
      left join releases r on r.app = a.id and r.current
      left join lateral (
        select revision as last, sealed from env_snapshots where app = a.id and revision <= a.up_to
        order by revision desc limit 1
      ) s on true
      left join lateral (
        select 0 as first, s.last, s.sealed where s.last is not null
        union all
        select first, last, sealed from env_changes
        where app = a.id and first > coalesce(s.last, 0) and first <= a.up_to
      ) p on true
      where a.status <> 'deleted' order by p.first`)
    const [head] = rows
    if (head === undefined) return yield* new AppGone({ app })
    const { deployedRevision, revision, status } = head
    return { status, revision, deployedRevision, parts: stored(rows) }
  })

  /** What is to be written, as a table. As plain values where it is of one App: that plan is good for all, and made once. */
  const wanted = (batches: ReadonlyArray<SealedBatch>): Statement.Fragment => {
    const [one] = batches
    if (one !== undefined && batches.length === 1) {
      const { app, batch, sealed, whole } = one
      const { base, history, next, operation } = batch
      return sql`values (${app}::text, ${base.revision}::int, ${next.revision}::int, ${next.env.bytes}::int,
        ${operation}::uuid, ${sealed}::bytea, ${JSON.stringify(history)}::text, ${whole ?? noWhole}::bytea)`
    }
    const column = <A>(of: (each: SealedBatch) => A): ReadonlyArray<A> => batches.map(of)
    return sql`select * from unnest(
      ${column(({ app }) => app)}::text[],
      ${column(({ batch }) => batch.base.revision)}::int[],
      ${column(({ batch }) => batch.next.revision)}::int[],
      ${column(({ batch }) => batch.next.env.bytes)}::int[],
      ${column(({ batch }) => batch.operation)}::uuid[],
      ${column(({ sealed }) => sealed)}::bytea[],
      ${column(({ batch }) => JSON.stringify(batch.history))}::text[],
      ${column(({ whole }) => whole ?? noWhole)}::bytea[]
    )`
  }

  /** Writes the batches whose base is the present Revision of an App that nobody holds, and answers which those are. */
  const write = Effect.fnUntraced(function* (batches: ReadonlyArray<SealedBatch>) {
    const rows = yield* writtenRows(sql`with wanted (app, base, last, bytes, operation, sealed, history, whole)
    as materialized (
      ${wanted(batches)}
    ), held as materialized (
      select w.*, a.tenant from wanted w cross join lateral (
        select tenant from apps
        where id = w.app and status in ('live', 'stopped') and env_revision = w.base
        for no key update skip locked
      ) a
    ), head as (
      update apps set env_revision = h.last, env_bytes = h.bytes from held h where apps.id = h.app
    ), change as (
      insert into env_changes (app, first, last, operation, sealed, history, at)
      select app, base + 1, last, operation, sealed, history::jsonb, clock_timestamp() from held
    ), snapshot as (
      insert into env_snapshots (app, revision, sealed) select app, last, whole from held where octet_length(whole) > 0
    ), event as (
      insert into events (id, type, tenant, app, subject, data, count) overriding system value
      select sum(last - base) over (order by app) - (last - base), 'env.changed', tenant, app, app,
        jsonb_build_object('revision', base + 1), last - base
      from held
    )
    select app from held`)
    return rows.map(({ app }) => app)
  })

  /** The status and the Revision of Apps now. */
  const present = (apps: ReadonlyArray<AppId>) =>
    presentRows(sql`select id, status, env_revision as revision from apps where id = any(${apps}::text[])`)

  /**
   * The same of one App, which stays as it is until the transaction ends, and what was changed after a Revision. It bounds
   * the waits of the transaction itself; its own is for the row.
   */
  const hold = Effect.fnUntraced(function* (app: AppId, known: Revision | undefined, lockTimeout: string) {
    const rows = yield* heldRows(sql`select * from hold_env_1(${app}, ${known ?? null}::int, ${lockTimeout})`)
    const [head] = rows
    return head === undefined ? undefined : { status: head.status, revision: head.revision, changes: stored(rows) }
  })

  /** Which of these batches is written. What wrote a batch is known by the operation that made its first Revision. */
  const written = Effect.fnUntraced(function* (app: AppId, batches: ReadonlyArray<Batch>) {
    if (batches.length === 0) return undefined
    const found = new Set(
      (yield* operationRows(sql`select operation from env_changes where app = ${app}
        and first = any(${batches.map(({ base }) => base.revision + 1)}::int[])`)).map(({ operation }) => operation)
    )
    return batches.find(({ operation }) => found.has(operation))
  })

  /** The newest changes before a Revision; each holds at least one. */
  const history = Effect.fnUntraced(function* (app: AppId, { cursor, limit }: PageRequest) {
    const rows = yield* historyRows(sql`select c.first, c.at, c.history from apps a left join lateral (
        select first, at, history from env_changes where app = a.id and first < coalesce(${cursor ?? null}::bigint, 2147483648)
        order by first desc limit ${limit + 1}
      ) c on true
      where a.id = ${app} and a.status <> 'deleted' order by c.first desc`)
    if (rows.length === 0) return yield* new AppGone({ app })
    const before = cursor === undefined ? Number.POSITIVE_INFINITY : Number(cursor)
    return rows
      .flatMap(({ at, first, history: lines }) =>
        at === null || first === null || lines === null
          ? []
          : lines.map((line, index) => ({ ...line, at, revision: Revision.make(first + index) })).toReversed()
      )
      .filter(({ revision }) => revision < before)
  })

  return { parts, write, present, hold, written, history }
}

/** Erases every value that an App's Env ever had; who changed which names, and when, stays. */
export const eraseEnv = (sql: SqlClient.SqlClient, app: AppId): Statement.Statement<object> =>
  sql<object>`with snapshots as (delete from env_snapshots where app = ${app})
    update env_changes set sealed = null where app = ${app}`
