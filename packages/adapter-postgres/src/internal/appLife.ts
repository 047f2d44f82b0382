// How Apps end: the status, the Event, the end of what is queued and the request to stop what is in progress are one
// transaction, and the App's row is locked before its Deployments, as everybody does who takes both.

import { type App, AppId, appSourcesOf, AppStatus } from "@lockkeeper/core/domain/App"
import { type AppEnding, AppGone, AppNotLive } from "@lockkeeper/core/port/AppStore"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { DateTime, Effect, Result, Schema } from "effect"
import type { Statement } from "effect/sql"
import { appColumns, appJoins, appRows, appTables, fencedAppRows, lockedAppRows } from "./appRows.ts"
import { type Database, passedOver, readableOf, rowsOf } from "./Database.ts"
import { transition } from "./deploymentRows.ts"
import { eraseEnv } from "./envRows.ts"
import { endJobsOf } from "./jobRows.ts"

const idRows = rowsOf(Schema.Struct({ id: AppId }))
const settledRows = rowsOf(Schema.Struct({ status: AppStatus }))

/** Builds `mark`, `setExpiry`, `claimExpired`, `ending` and `settle`. */
export const appLife = (db: Database) => {
  const { sql } = db
  const columns = sql.literal(appColumns)
  const joins = sql.literal(appJoins)
  const tables = sql.literal(appTables)

  const locked = Effect.fnUntraced(function* (app: AppId) {
    const [row] = yield* lockedAppRows(sql`select tenant, status from apps where id = ${app} for no key update`)
    return row === undefined || row.status === "deleted" ? yield* new AppGone({ app }) : row
  })

  const found = (apps: ReadonlyArray<AppId>) =>
    appRows(sql`select ${columns} from ${tables} where a.id = any(${apps}::text[]) order by a.position`)

  /** Ends Apps; `where` says which, and `before` is a part of the statement that it may read. A live one gets a Fence of its own. */
  const end = Effect.fnUntraced(function* (
    to: "stopped" | "expired" | "deleting",
    where: Statement.Fragment,
    before: Statement.Fragment = sql.literal("")
  ) {
    const ended = yield* idRows(sql`with ${before} a as (
        update apps set status = ${to}, settled = false, updated_at = clock_timestamp(),
          last_fence = last_fence + case when status = 'live' then 1 else 0 end
        where ${where} and status = any(${appSourcesOf(to)}::text[])
        returning *
      ), told as (
        insert into events (type, tenant, app, subject) select 'app.' || status, tenant, id, id from a
      )
      select id from a`)
    const ids = ended.map(({ id }) => id)
    if (ids.length === 0) return []
    yield* transition(
      sql,
      sql`update deployments d set status = 'cancelled', finished_at = clock_timestamp()
        where d.app = any(${ids}::text[]) and d.status = 'queued' returning d.*`
    )
    yield* sql`update deployments set stop_as = 'cancelled', stop_requested_at = clock_timestamp()
      where app = any(${ids}::text[]) and status in ('building', 'deploying') and stop_as is null`
    yield* endJobsOf(sql, ids)
    return yield* found(ids)
  })

  const mark = (app: AppId, to: "stopped" | "deleting") =>
    db.transaction(
      "AppStore.mark",
      Effect.gen(function* () {
        const { status } = yield* locked(app)
        const [marked] = status === to ? yield* found([app]) : yield* end(to, sql`id = ${app}`)
        return marked ?? (yield* new AppNotLive({ app, status }))
      })
    )

  const setExpiry = (app: AppId, expiresAt: DateTime.Utc | null) =>
    db.transaction(
      "AppStore.setExpiry",
      Effect.gen(function* () {
        const { status } = yield* locked(app)
        const [changed] = yield* appRows(sql`with a as (
            update apps set expires_at = ${instant(expiresAt)}::timestamptz, updated_at = clock_timestamp()
            where id = ${app} and status = 'live'
            returning *
          )
          select ${columns} from a ${joins}`)
        return changed ?? (yield* new AppNotLive({ app, status }))
      })
    )

  const isDue = sql`status in ('live', 'stopped') and expires_at <= now()`

  const claimDue = (which: Statement.Fragment) =>
    db.transaction<ReadonlyArray<App>>(
      "AppStore.claimExpired",
      end(
        "expired",
        sql`id in (select id from due)`,
        sql`due as materialized (select id from apps where ${isDue} and ${which} for no key update skip locked),`
      )
    )

  /** Claims each for itself, in no order: there may be more that cannot be read than one pass takes on. */
  const claimApart = Effect.fnUntraced(function* (limit: number): Effect.fn.Return<ReadonlyArray<App>, StoreError> {
    const due = yield* db.statement<ReadonlyArray<{ readonly id: AppId }>>(
      "AppStore.claimExpired",
      idRows(sql`select id from apps where ${isDue} order by random() limit ${limit}`)
    )
    const claimed: Array<App> = []
    for (const { id } of due) {
      const outcome = yield* Effect.result(claimDue(sql`id = ${id}`))
      if (Result.isSuccess(outcome)) claimed.push(...outcome.success)
      else if (outcome.failure.reason === "corrupt") yield* passedOver(id, outcome.failure)
      else return claimed.length > 0 ? claimed : yield* outcome.failure
    }
    return claimed
  })

  const claimExpired = (limit: number) =>
    Effect.catchIf(
      claimDue(sql`true order by expires_at limit ${limit}`),
      (error) => error.reason === "corrupt",
      () => claimApart(limit)
    )

  const ending = (limit: number) =>
    db.statement<ReadonlyArray<AppEnding>>(
      "AppStore.ending",
      Effect.gen(function* () {
        const rows = yield* fencedAppRows(sql`select ${columns}, a.last_fence as fence from ${tables}
          where not a.settled and a.status <> 'live' order by random() limit ${limit}`)
        const readable = yield* readableOf("AppStore.ending", rows)
        return readable.map(({ fence, ...app }) => ({ app, fence }))
      })
    )

  /** Erases the secrets of an App that was just deleted, in statements of their own: they see what was written before that. */
  const erase = (app: AppId) =>
    Effect.andThen(
      sql`with keys as (
          update deployments set source_secret = null where app = ${app} and source_secret is not null
        )
        update apps set source_secret = null where id = ${app}`,
      eraseEnv(sql, app)
    )

  const settle = ({ app, fence }: AppEnding) =>
    db.transaction<boolean>(
      "AppStore.settle",
      Effect.gen(function* () {
        const [settled] = yield* settledRows(sql`with a as (
            update apps set settled = true, status = case when status = 'deleting' then 'deleted' else status end
            where id = ${app.id} and last_fence = ${fence} and not settled and status in ('stopped', 'deleting')
              and not exists (
                select 1 from deployments d where d.app = apps.id and d.status in ('queued', 'building', 'deploying')
              )
              and not exists (select 1 from jobs j where j.app = apps.id and j.status in ('queued', 'running'))
              and not exists (select 1 from intents i where i.app = apps.id and i.released_at is null)
            returning id, tenant, status
          ), told as (
            insert into events (type, tenant, app, subject)
            select 'app.deleted', tenant, id, id from a where status = 'deleted'
          )
          select status from a`)
        if (settled?.status === "deleted") yield* erase(app.id)
        return settled !== undefined
      })
    )

  return { mark, setExpiry, claimExpired, ending, settle }
}

/** An instant as the database takes it. */
export const instant = (at: DateTime.Utc | null): string | null => (at === null ? null : DateTime.formatIso(at))
