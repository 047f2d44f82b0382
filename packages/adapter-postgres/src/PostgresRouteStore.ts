// Routes on PostgreSQL. Decisions queue on one counter row until they commit, so that versions appear in their order and
// nobody who reads on from a version misses one. Decisions are rare; reports do not queue.

import { AppId, HostPort } from "@lockkeeper/core/domain/App"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { IpAddress } from "@lockkeeper/core/domain/Workload"
import { RouteProgress, type RouteState, RouteVersion } from "@lockkeeper/core/domain/Route"
import { RouteStale, RouteStore } from "@lockkeeper/core/port/RouteStore"
import { Effect, Layer, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { Int8 } from "./internal/columns.ts"
import { database, rowsOf } from "./internal/Database.ts"

const routeRows = rowsOf(
  Schema.Struct({
    app: AppId,
    hostPort: HostPort,
    fence: Int8.pipe(Schema.decodeTo(Fence)),
    host: Schema.NullOr(IpAddress),
    port: Schema.NullOr(Schema.Int),
    version: Int8.pipe(Schema.decodeTo(RouteVersion)),
    progress: RouteProgress
  })
)

const versionRows = rowsOf(Schema.Struct({ version: Int8.pipe(Schema.decodeTo(RouteVersion)) }))
const fenceRows = rowsOf(Schema.Struct({ fence: Int8.pipe(Schema.decodeTo(Fence)) }))

const stateOf = ({
  host,
  port,
  ...row
}: Effect.Success<ReturnType<typeof routeRows<never, never>>>[number]): RouteState => ({
  ...row,
  address: host === null || port === null ? null : { host, port }
})

/** Makes the store. */
export const make: Effect.Effect<RouteStore["Service"], never, SqlClient.SqlClient> = Effect.gen(function* () {
  const db = yield* database
  const { sql } = db
  const columns = sql`app, host_port as "hostPort", fence, address_host as host, address_port as port, version, progress`

  const unlessNewer = sql`on conflict (app) do update set
    host_port = excluded.host_port, fence = excluded.fence, address_host = excluded.address_host,
    address_port = excluded.address_port, version = excluded.version,
    progress = case when r.address_host is null and r.progress = excluded.progress then r.progress else 'wanted' end
    where r.fence <= excluded.fence
    returning version`

  /** Writes under the next version and answers it, unless a newer Fence has decided; undefined where there is no route. */
  const decide = Effect.fnUntraced(function* (
    app: AppId,
    write: (version: RouteVersion) => Statement.Statement<unknown>
  ) {
    const [next] = yield* versionRows(sql`update counters set value = value + 1 where name = 'route_versions'
      returning value as version`)
    if (next === undefined) return yield* Effect.die("the counter of routes is not there")
    const [written] = yield* versionRows(write(next.version))
    if (written !== undefined) return written.version
    const [newest] = yield* fenceRows(sql`select fence from routes where app = ${app}`)
    return newest === undefined ? undefined : yield* new RouteStale({ app, newest: newest.fence })
  })

  const put = ({ address, app, fence, hostPort }: Pick<RouteState, "app" | "hostPort" | "fence" | "address">) =>
    db.transaction(
      "RouteStore.put",
      Effect.flatMap(
        decide(
          app,
          (version) => sql`
            insert into routes as r (app, host_port, fence, address_host, address_port, version, progress)
            values (${app}, ${hostPort}, ${fence}, ${address?.host ?? null}, ${address?.port ?? null}::int, ${version},
              'wanted')
            ${unlessNewer}`
        ),
        (version) =>
          version === undefined ? Effect.die("a route that was just there is not there") : Effect.succeed(version)
      )
    )

  const end = (app: AppId, fence: Fence) =>
    db.transaction(
      "RouteStore.end",
      decide(
        app,
        (version) => sql`
          insert into routes as r (app, host_port, fence, version, progress)
          select id, host_port, ${fence}, ${version}, 'drained' from apps where id = ${app}
          ${unlessNewer}`
      )
    )

  const get = (app: AppId) =>
    db.statement<RouteState | undefined>(
      "RouteStore.get",
      Effect.map(routeRows(sql`select ${columns} from routes where app = ${app}`), ([row]) =>
        row === undefined ? undefined : stateOf(row)
      )
    )

  const since = (version: RouteVersion) =>
    db.statement<ReadonlyArray<RouteState>>(
      "RouteStore.since",
      Effect.map(routeRows(sql`select ${columns} from routes where version > ${version} order by version`), (rows) =>
        rows.map(stateOf)
      )
    )

  const report = (app: AppId, version: RouteVersion, progress: RouteProgress) =>
    db.statement<void>(
      "RouteStore.report",
      Effect.asVoid(sql`update routes set progress = ${progress} where app = ${app} and version = ${version}`)
    )

  return RouteStore.of({ put, end, get, since, report })
})

/** Provides the store. */
export const layer: Layer.Layer<RouteStore, never, SqlClient.SqlClient> = Layer.effect(RouteStore, make)
