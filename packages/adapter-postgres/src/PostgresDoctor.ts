// Looks whether a database is as Lockkeeper needs it, and says what to set. It changes nothing, also not in an empty database,
// and what it says holds no password.

import { PgClient } from "@effect/sql-pg"
import { Cause, Clock, Context, Duration, Effect, Layer, Queue, Redacted, Schema, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import { inTime, rowsOf } from "./internal/Database.ts"
import * as Findings from "./internal/findings.ts"
import { innermost, withClosing } from "./internal/hearing.ts"
import { missingPrivileges } from "./internal/missingPrivileges.ts"
import { monotonic } from "./internal/monotonic.ts"
import { layerClient } from "./layer.ts"
import { inspect, migrations, schemaVersion } from "./PostgresMigrations.ts"

/** What is looked at. */
export type CheckName =
  | "connection"
  | "version"
  | "writable"
  | "durability"
  | "pooling"
  | "prepared_statements"
  | "privileges"
  | "schema"
  | "clock"
  | "hints"

/** What was found of one thing: one sentence, and what to do when it is not as it should be. No secret is in it. */
export interface Finding {
  readonly check: CheckName
  readonly status: "ok" | "warning" | "failed"
  readonly found: string
  readonly advice?: string | undefined
}

/** How servers are to reach the database, and who of them brings the schema. */
export interface DoctorOptions {
  readonly url: Redacted.Redacted<string>
  readonly directUrl?: Redacted.Redacted<string> | undefined
  readonly prepare?: boolean | undefined
  readonly migrate?: "apply" | "wait" | undefined
}

/**
 * Looks at everything that can be looked at, each within ten seconds, and never fails: what goes wrong is what was found. When
 * the database cannot be reached, that is the only finding.
 */
export const diagnose = Effect.fn("PostgresDoctor.diagnose")(
  (options: DoctorOptions): Effect.Effect<ReadonlyArray<Finding>> => withClosing(examined(options))
)

const examined = Effect.fnUntraced(function* (
  options: DoctorOptions
): Effect.fn.Return<ReadonlyArray<Finding>, never, Scope.Scope> {
  const url = addressOf(options.url)
  if (url === undefined) return [malformed("connection", "DATABASE_URL")]
  const where = `${url.host}${url.pathname}`
  const client = yield* Effect.exit(Layer.build(layerClient({ url: options.url, maxConnections: connections })))
  if (client._tag === "Failure") return [unreached(where, client.cause)]
  const sql = Context.get(client.value, SqlClient.SqlClient)

  const reached = yield* Effect.exit(bounded(aboutServer(sql)))
  if (reached._tag === "Failure") return [unreached(where, reached.cause)]
  const { role, server } = reached.value
  const migrate = options.migrate ?? "apply"
  return [
    Findings.ok("connection", `${where} as ${role}`),
    ...server,
    ...(yield* looked("pooling", pooling(sql, options.prepare ?? false))),
    ...(yield* looked("privileges", privileges(sql, migrate))),
    ...(yield* looked("schema", schema(sql, migrate))),
    ...(yield* looked("clock", clock(sql))),
    ...(yield* looked("hints", hints(sql, options.directUrl)))
  ]
})

/** How many connections are compared. */
const connections = 4

const patience = Duration.seconds(10)

class Unanswered extends Schema.TaggedError<Unanswered>()("Unanswered", { message: Schema.String }) {}

/** Answers in time, or says what did not happen within it. */
const within = <A, E>(self: Effect.Effect<A, E>, time: Duration.Duration, message: string) =>
  inTime<A, E, Unanswered>(self, Effect.andThen(Effect.sleep(time), Effect.fail(new Unanswered({ message }))))

const bounded = <A, E>(self: Effect.Effect<A, E>) => within(self, patience, "it was not answered within ten seconds")

const addressOf = (url: Redacted.Redacted<string>): URL | undefined => URL.parse(Redacted.value(url)) ?? undefined

const malformed = (check: CheckName, setting: string): Finding =>
  Findings.failed(check, `${setting} is not an address`, `${setting}=postgres://user:password@host:5432/name`)

const unreached = (where: string, cause: Cause.Cause<unknown>): Finding =>
  Findings.failed(
    "connection",
    `${where} cannot be used: ${innermost(Cause.squash(cause))}`,
    "look at DATABASE_URL, and whether the server runs and lets this host in"
  )

/** Looks at one thing; that this is not possible is a finding too. */
const looked = <E>(check: CheckName, look: Effect.Effect<ReadonlyArray<Finding>, E>) =>
  Effect.catchCause(bounded(look), (cause) =>
    Effect.succeed([
      Findings.failed(check, `it could not be looked at: ${innermost(Cause.squash(cause))}`, "mend this first")
    ])
  )

const serverRows = rowsOf(
  Schema.Struct({
    role: Schema.String,
    version: Schema.String,
    number: Schema.Int,
    readOnly: Schema.String,
    off: Schema.Array(Schema.String)
  })
)

const aboutServer = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const [row] = yield* serverRows(sql`select current_user as role, current_setting('server_version') as version,
    current_setting('server_version_num')::int as number,
    case when pg_is_in_recovery() then 'it is a standby'
      when current_setting('default_transaction_read_only')::bool then 'default_transaction_read_only is on' else '' end as "readOnly",
    array(select name from pg_settings where setting = 'off' and name in ('fsync', 'full_page_writes', 'synchronous_commit')
      order by name) as off`)
  const { number, off, readOnly, role, version } = row ?? { number: 0, off: [], readOnly: "", role: "", version: "" }
  const writable =
    readOnly === ""
      ? Findings.ok("writable", "it can be written to")
      : Findings.failed(
          "writable",
          `nothing can be written: ${readOnly}`,
          "DATABASE_URL must lead to the primary server"
        )
  return { role, server: [Findings.versionFinding(version, number), writable, Findings.durabilityFinding(off)] }
})

const pidRows = rowsOf(Schema.Struct({ pid: Schema.Int }))

/** Which sessions serve connections that are open at once, each asked several times. */
const pooling = (sql: SqlClient.SqlClient, prepare: boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const open = yield* Effect.forEach(Array.from({ length: connections }), () => sql.reserve)
      const served = open.map((): Array<number> => [])
      for (let round = 0; round < 3; round++) {
        for (const [index, connection] of open.entries()) {
          const rows = yield* pidRows(connection.executeUnprepared("select pg_backend_pid() as pid", [], undefined))
          served[index]?.push(...rows.map(({ pid }) => pid))
        }
      }
      return Findings.poolingFindings(Findings.isPooled(served), prepare)
    })
  )

const privileges = (sql: SqlClient.SqlClient, migrate: "apply" | "wait") =>
  Effect.map(missingPrivileges(sql, migrations, migrate), ({ missing, role }) => [
    Findings.privilegesFinding(role, missing)
  ])

const schema = (sql: SqlClient.SqlClient, migrate: "apply" | "wait") =>
  Effect.provideService(inspect(), SqlClient.SqlClient, sql).pipe(
    Effect.map(({ pending, version }) => [Findings.schemaFinding(version, schemaVersion, pending.length, migrate)]),
    Effect.catchReason("MigrationError", "Edited", (_, error) =>
      Effect.succeed([
        Findings.failed("schema", error.message, "use the version of Lockkeeper that applied it, or a newer one")
      ])
    )
  )

const timeRows = rowsOf(Schema.Struct({ millis: Schema.Number }))

/** The best of five: the time on the way is what may be wrong. */
const clock = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const now = yield* monotonic
  const measure = Effect.gen(function* () {
    const [began, asked] = [now(), yield* Clock.currentTimeMillis]
    const [row] = yield* timeRows(sql`select extract(epoch from clock_timestamp())::float8 * 1000 as millis`)
    const way = now() - began
    return { millis: asked + way / 2 - (row?.millis ?? 0), error: way / 2 + 1 }
  })
  const measured = yield* Effect.forEach(Array.from({ length: 5 }), () => measure)
  const [best] = measured.sort((a, b) => a.error - b.error)
  return best === undefined ? [] : [Findings.clockFinding(best)]
})

const channel = "lockkeeper_doctor"

/** Whether what is notified through the pool arrives at the direct connection. */
const hints = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, directUrl: DoctorOptions["directUrl"]) {
  const name = "LOCKKEEPER_DIRECT_DATABASE_URL"
  if (directUrl === undefined) {
    const advice = `set ${name} to the server without a pooler: servers then tell each other at once`
    return [Findings.ok("hints", `${name} is not set: servers look every second what is to be done`, advice)]
  }
  if (addressOf(directUrl) === undefined) return [malformed("hints", name)]
  const word = randomBytes(12).toString("hex")
  const heard = Effect.gen(function* () {
    const client = yield* Layer.build(PgClient.layer({ url: directUrl, prepare: false, maxConnections: 1 }))
    const notifications = yield* Context.get(client, PgClient.PgClient).listen(channel)
    yield* sql`select pg_notify(${channel}, ${word})`
    yield* Effect.repeat(Queue.take(notifications), { until: ({ payload }) => payload === word })
  }).pipe(withClosing, (self) => within(self, Duration.seconds(3), "what is notified does not arrive"))
  return yield* Effect.match(heard, {
    onSuccess: () => [Findings.ok("hints", `${name} is direct: hints of other servers are heard`)],
    onFailure: (error) => [
      Findings.warning(
        "hints",
        `hints of other servers are not heard: ${innermost(error)}`,
        `${name} must lead to the server of DATABASE_URL itself, without a transaction pooler; servers poll until then`
      )
    ]
  })
})
