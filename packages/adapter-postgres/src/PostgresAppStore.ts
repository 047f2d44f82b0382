// Apps on PostgreSQL. Names and host ports are unique by index; ports are given out one registration at a time.

import { type App, AppId } from "@lockkeeper/core/domain/App"
import { defaultHealthCheck } from "@lockkeeper/core/domain/HealthCheck"
import { cut, type Page, type PageRequest } from "@lockkeeper/core/domain/Page"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import {
  type AppChange,
  AppGone,
  AppNameTaken,
  AppNotLive,
  type AppRequest,
  AppStore,
  defaultPorts,
  type PortRange,
  PortsExhausted
} from "@lockkeeper/core/port/AppStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { appLife, instant } from "./internal/appLife.ts"
import { appColumns, appJoins, appRows, appTables, listedAppRows, lockedAppRows, unlisted } from "./internal/appRows.ts"
import { database, rowsOf } from "./internal/Database.ts"
import { isUniqueViolation } from "./internal/faults.ts"
import { store } from "./internal/sources.ts"

const placeRows = rowsOf(Schema.Struct({ id: AppId, taken: Schema.Boolean, port: Schema.NullOr(Schema.Int) }))

/** Makes the store. `ports` are the host ports that Apps are given, both ends included. */
export const make: (options?: {
  readonly ports?: PortRange | undefined
}) => Effect.Effect<AppStore["Service"], never, SqlClient.SqlClient | SecretCipher> = Effect.fnUntraced(function* (
  options = {}
) {
  const db = yield* database
  const cipher = yield* SecretCipher
  const { sql } = db
  const { first, last } = options.ports ?? defaultPorts
  const columns = sql.literal(appColumns)
  const joins = sql.literal(appJoins)
  const tables = sql.literal(appTables)

  const place = ({ name, tenant }: AppRequest) =>
    placeRows(sql`select
      'app_' || replace(gen_random_uuid()::text, '-', '') as id,
      exists (select 1 from apps where tenant = ${tenant} and name = ${name} and status <> 'deleted') as taken,
      (
        select min(c.port) from (
          select ${first}::int as port
          union all
          select host_port + 1 from apps where status <> 'deleted' and host_port >= ${first} and host_port < ${last}
        ) c
        where c.port <= ${last}
          and not exists (select 1 from apps where host_port = c.port and status <> 'deleted')
      ) as port`)

  const insert = Effect.fnUntraced(function* (request: AppRequest, id: AppId, port: number) {
    const {
      healthCheck = defaultHealthCheck,
      name,
      policy = null,
      port: listens = null,
      preDeploy = null,
      source,
      tenant,
      expiresAt = null
    } = request
    const stored = source === undefined ? undefined : yield* store(cipher, id, source)
    return yield* appRows(sql`with a as (
        insert into apps (id, tenant, name, status, source, source_secret, policy, health_check, port, pre_deploy, host_port,
          expires_at, created_at, updated_at)
        select ${id}, ${tenant}, ${name}, 'live', ${json(stored?.source)}::jsonb, ${stored?.sealed ?? null}::bytea, ${policy},
          ${json(healthCheck)}::jsonb, ${listens}::int, ${json(preDeploy)}::jsonb, ${port}, ${instant(expiresAt)}::timestamptz, at, at from (select clock_timestamp() as at) now
        returning *
      ), told as (
        insert into events (type, tenant, app, subject) select 'app.live', tenant, id, id from a
      )
      select ${columns} from a ${joins}`)
  })

  const register = (request: AppRequest) =>
    db.transaction(
      "AppStore.register",
      Effect.gen(function* () {
        const { name, tenant } = request
        yield* sql`insert into tenants (name) values (${tenant}) on conflict do nothing`
        yield* sql`select from counters where name = 'host_ports' for update`
        const [free] = yield* place(request)
        if (free === undefined || free.taken) return yield* new AppNameTaken({ tenant, name })
        if (free.port === null) return yield* new PortsExhausted({ first, last })
        const [app] = yield* insert(request, free.id, free.port)
        return app ?? (yield* Effect.die("an insert returned no row"))
      }).pipe(
        Effect.catchIf(
          (error) => isUniqueViolation(error, "apps_one_name"),
          () => Effect.fail(new AppNameTaken({ tenant: request.tenant, name: request.name }))
        )
      )
    )

  const get = (app: AppId) =>
    db.statement(
      "AppStore.get",
      Effect.gen(function* () {
        const [found] = yield* appRows(
          sql`select ${columns} from ${tables} where a.id = ${app} and a.status <> 'deleted'`
        )
        return found ?? (yield* new AppGone({ app }))
      })
    )

  const list = (tenant: TenantName | undefined, page: PageRequest) =>
    db.statement<Page<App>>(
      "AppStore.list",
      Effect.map(
        listedAppRows(sql`select ${columns}, a.position from ${tables}
          where a.status <> 'deleted'
            and (${tenant ?? null}::text is null or a.tenant = ${tenant ?? null})
            and (${page.cursor ?? null}::bigint is null or a.position < ${page.cursor ?? null}::bigint)
          order by a.position desc limit ${page.limit + 1}`),
        (rows) => cut(page, rows, (row) => row.position, unlisted)
      )
    )

  const update = Effect.fnUntraced(function* (id: AppId, { healthCheck, policy, port, preDeploy, source }: AppChange) {
    const stored = source === undefined ? undefined : yield* store(cipher, id, source)
    return yield* appRows(sql`with a as (
        update apps set
          source = coalesce(${json(stored?.source)}::jsonb, source),
          source_secret = case when ${stored === undefined} then source_secret else ${stored?.sealed ?? null}::bytea end,
          policy = coalesce(${policy ?? null}, policy),
          health_check = coalesce(${json(healthCheck)}::jsonb, health_check),
          port = coalesce(${port ?? null}::int, port),
          pre_deploy = case when ${preDeploy === undefined} then pre_deploy else ${json(preDeploy)}::jsonb end,
          updated_at = clock_timestamp()
        where id = ${id} and status = 'live'
        returning *
      )
      select ${columns} from a ${joins}`)
  })

  const change = (app: AppId, change: AppChange) =>
    db.transaction(
      "AppStore.change",
      Effect.gen(function* () {
        const [row] = yield* lockedAppRows(sql`select tenant, status from apps where id = ${app} for no key update`)
        if (row === undefined || row.status === "deleted") return yield* new AppGone({ app })
        const [changed] = yield* update(app, change)
        return changed ?? (yield* new AppNotLive({ app, status: row.status }))
      })
    )

  return AppStore.of({ register, get, list, change, ...appLife(db) })
})

/** Provides the store. */
export const layer = (
  options: { readonly ports?: PortRange | undefined } = {}
): Layer.Layer<AppStore, never, SqlClient.SqlClient | SecretCipher> => Layer.effect(AppStore, make(options))

/** JSON, and NULL for what is not there. */
const json = (value: unknown): string | null => (value === undefined || value === null ? null : JSON.stringify(value))
