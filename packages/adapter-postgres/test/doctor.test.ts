// What the Doctor finds: on a database that is as it should be, and one finding for each real defect.

import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Redacted, Schedule, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import { describeWith } from "../../../test/harness/capability.ts"
import * as Database from "../../../test/harness/database.ts"
import { pgbouncer } from "../../../test/harness/pgbouncer.ts"
import { statementProxy } from "../../../test/harness/statementProxy.ts"
import { layerClient } from "../src/layer.ts"
import { clockFinding, isPooled, versionFinding } from "../src/internal/findings.ts"
import { type CheckName, diagnose, type DoctorOptions } from "../src/PostgresDoctor.ts"
import { apply, schemaVersion } from "../src/PostgresMigrations.ts"

const onEmpty = <A, E>(body: Effect.Effect<A, E, SqlClient.SqlClient | Database.TestDatabase | Scope.Scope>) =>
  Effect.flatMap(Database.TestDatabase, ({ url }) =>
    Effect.provide(Effect.scoped(body), Layer.fresh(layerClient({ url, maxConnections: 2 })))
  ).pipe(Effect.provide(Layer.fresh(Database.layer)))

const urlOfTest = Effect.map(Database.TestDatabase, ({ url }) => url)

const withSql = <A, E, R>(use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(SqlClient.SqlClient, use)

/** The findings by what was looked at; no password is in any. */
const diagnosed = Effect.fnUntraced(function* (options: Partial<DoctorOptions> = {}) {
  const url = options.url ?? (yield* urlOfTest)
  const findings = yield* diagnose({ ...options, url })
  const password = URL.parse(Redacted.value(url))?.password ?? ""
  if (password.length > 8) assert.notInclude(JSON.stringify(findings), password)
  return (check: CheckName) => {
    const [found, ...others] = findings.filter((finding) => finding.check === check)
    if (found === undefined || others.length > 0) return assert.fail(`${check} in ${JSON.stringify(findings)}`)
    return found
  }
})

const statusOf = (options: Partial<DoctorOptions>, check: CheckName) =>
  Effect.map(diagnosed(options), (findings) => findings(check).status)

/** A role of its own in the test's database, and the URL with it. */
const role = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [name, password] = [`role_${randomBytes(6).toString("hex")}`, randomBytes(12).toString("hex")]
  yield* sql.unsafe(`create role ${name} login password '${password}'`)
  yield* Effect.addFinalizer(() =>
    Effect.orDie(Effect.andThen(sql.unsafe(`drop owned by ${name}`), sql.unsafe(`drop role ${name}`)))
  )
  const url = new URL(Redacted.value(yield* urlOfTest))
  url.username = name
  url.password = password
  return { name, url: Redacted.make(url.toString()) }
})

/** Does as the advice says, which begins with "as an owner:". */
const followed = (advice: string | undefined) =>
  withSql((sql) =>
    Effect.forEach((advice ?? "").replace("as an owner: ", "").split("; "), (statement) => sql.unsafe(statement))
  )

/** A clock that is wrong by so many milliseconds. */
const skewed = (millis: number) =>
  Layer.effect(
    Clock.Clock,
    Effect.map(Clock.Clock, (clock) => {
      const nanos = BigInt(millis) * 1_000_000n
      return {
        sleep: (duration) => clock.sleep(duration),
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis,
        currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis),
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + nanos,
        currentTimeNanos: Effect.map(clock.currentTimeNanos, (now) => now + nanos)
      }
    })
  )

describe("the doctor", () => {
  it.live("X19 K12: says direct on PostgreSQL itself, and changes nothing", () =>
    onEmpty(
      Effect.gen(function* () {
        const found = yield* diagnosed({ directUrl: yield* urlOfTest })
        for (const check of ["connection", "version", "writable", "pooling", "privileges", "clock", "hints"] as const) {
          assert.strictEqual(found(check).status, "ok", found(check).found)
        }
        assert.match(found("pooling").found, /^direct/)
        assert.deepStrictEqual(yield* withSql((sql) => sql`select 1 from pg_tables where schemaname = 'public'`), [])
      })
    )
  )

  it.live("X19: says where it cannot connect to, and shows no password", () =>
    onEmpty(
      Effect.gen(function* () {
        const own = new URL(Redacted.value(yield* urlOfTest))
        own.password = randomBytes(12).toString("hex")
        const at = (change: (url: URL) => void) => {
          const url = new URL(own)
          change(url)
          return diagnosed({ url: Redacted.make(url.toString()) })
        }
        const refused = (yield* at((url) => (url.port = "9")))("connection")
        assert.deepInclude(refused, { status: "failed" })
        assert.include(refused.found, `${own.hostname}:9`)
        const stranger = (yield* at((url) => (url.pathname = "/no_such_database")))("connection")
        assert.deepInclude(stranger, { status: "failed" })
        assert.include(stranger.found, "no_such_database")
        const secret = randomBytes(12).toString("hex")
        const malformed = (yield* diagnosed({ url: Redacted.make(`not-a-url-${secret}`) }))("connection")
        assert.deepInclude(malformed, { status: "failed" })
        assert.notInclude(JSON.stringify(malformed), secret)
      })
    )
  )

  it.live("X19: does not wait without an end for a server that does not answer", () =>
    onEmpty(
      Effect.gen(function* () {
        const proxy = yield* statementProxy(yield* urlOfTest)
        yield* proxy.strike(["late", () => true])
        const found = (yield* Effect.timeout(diagnosed({ url: proxy.url }), "15 seconds"))("connection")
        assert.deepInclude(found, { status: "failed" })
        assert.include(found.found, "within ten seconds")
      })
    )
  )

  it.live("X19: names the privileges that a role lacks to migrate, and the grants that are enough", () =>
    onEmpty(
      Effect.gen(function* () {
        const { name, url } = yield* role
        yield* withSql((sql) => sql`revoke all on schema public from public`)
        const bare = (yield* diagnosed({ url }))("privileges")
        assert.deepStrictEqual(bare, {
          check: "privileges",
          status: "failed",
          found: `${name} lacks privileges`,
          advice: `as an owner: grant usage, create on schema public to ${name}`
        })
        yield* followed(bare.advice)
        assert.strictEqual(yield* statusOf({ url }, "privileges"), "ok")
        yield* Effect.provide(apply(), Layer.fresh(layerClient({ url })))
        assert.strictEqual(yield* statusOf({ url }, "privileges"), "ok")
      })
    )
  )

  it.live("X19: names what a role lacks on tables of another one, and the grants that are enough", () =>
    onEmpty(
      Effect.gen(function* () {
        const { name, url } = yield* role
        yield* apply()
        const waiting = (yield* diagnosed({ url, migrate: "wait" }))("privileges")
        assert.strictEqual(waiting.status, "failed")
        assert.match(waiting.advice ?? "", new RegExp(`: grant select, insert, update, delete on .*apps.* to ${name}$`))
        yield* followed(waiting.advice)
        assert.strictEqual(yield* statusOf({ url, migrate: "wait" }, "privileges"), "ok")
        const applying = (yield* diagnosed({ url }))("privileges")
        assert.match(applying.advice ?? "", /: grant create on schema public to \w+; grant \w+ to \w+$/)
        yield* followed(applying.advice)
        assert.strictEqual(yield* statusOf({ url }, "privileges"), "ok")
      })
    )
  )

  it.live("X19: says that nothing can be written, and what a crash would lose", () =>
    onEmpty(
      Effect.gen(function* () {
        const { name, url } = yield* role
        yield* withSql((sql) =>
          Effect.andThen(
            sql.unsafe(`alter role ${name} set default_transaction_read_only = on`),
            sql.unsafe(`alter role ${name} set synchronous_commit = off`)
          )
        )
        const found = yield* diagnosed({ url })
        assert.deepInclude(found("writable"), { status: "failed" })
        assert.deepInclude(found("durability"), { status: "warning" })
        assert.include(found("durability").found, "synchronous_commit")
      })
    )
  )

  it.live("X19: says how far the clock of this host is from the database's", () =>
    onEmpty(
      Effect.gen(function* () {
        const at = (millis: number) => Effect.provide(diagnosed(), skewed(millis))
        const clock = (yield* at(3_600_000))("clock")
        assert.strictEqual(clock.status, "failed")
        assert.match(clock.found, /^this host is (3600|3599)\.\d{3} s ahead of the database, give or take 0\.\d{3} s$/)
        assert.match((yield* at(-60_000))("clock").found, /behind/)
        assert.strictEqual((yield* at(5_000))("clock").status, "warning")
        assert.strictEqual((yield* at(0))("clock").status, "ok")
        assert.strictEqual(clockFinding({ millis: 40_000, error: 39_500 }).status, "ok")
      })
    )
  )

  it.live("X19 K13: says what the schema lacks and who brings it, and that it was edited", () =>
    onEmpty(
      Effect.gen(function* () {
        const empty = (yield* diagnosed({ migrate: "wait" }))("schema")
        assert.strictEqual(empty.status, "failed")
        assert.include(empty.found, `version 0 of ${schemaVersion}`)
        assert.include(empty.advice, "npm run migrate")
        assert.strictEqual(yield* statusOf({}, "schema"), "ok")
        yield* apply()
        assert.strictEqual(yield* statusOf({ migrate: "wait" }, "schema"), "ok")
        yield* withSql((sql) => sql`update lockkeeper_migrations set checksum = '' where id = 1`)
        const edited = (yield* diagnosed())("schema")
        assert.strictEqual(edited.status, "failed")
        assert.include(edited.found, "migration 1")
      })
    )
  )

  it.live("X19: says that hints do not arrive from another database", () =>
    onEmpty(
      Effect.gen(function* () {
        const { url } = yield* Database.make
        const notify = withSql((sql) => sql`select pg_notify('lockkeeper_doctor', 'of another doctor')`)
        const other = yield* Effect.repeat(notify, Schedule.spaced("50 millis")).pipe(
          Effect.provide(Layer.fresh(layerClient({ url }))),
          Effect.forkChild
        )
        assert.deepInclude((yield* diagnosed({ directUrl: url }))("hints"), { status: "warning" })
        yield* Fiber.interrupt(other)
        assert.deepInclude((yield* diagnosed())("hints"), { status: "ok" })
        const malformed = (yield* diagnosed({ directUrl: Redacted.make("not an address") }))("hints")
        assert.deepInclude(malformed, { status: "failed" })
      })
    )
  )

  it("X19: needs PostgreSQL 15", () => {
    assert.strictEqual(versionFinding("14.12", 140_012).status, "failed")
    assert.strictEqual(versionFinding("15.0", 150_000).status, "ok")
  })

  it("K12: takes two connections with one session, or one with two, for a pooler", () => {
    assert.isFalse(isPooled([[1], [2, 2]]))
    assert.isTrue(isPooled([[1], [1]]))
    assert.isTrue(isPooled([[1, 3], [2]]))
  })
})

describeWith("pgbouncer")("the doctor behind PgBouncer", () => {
  it.live("X19 K12: says pooled, also under load, that nothing may be prepared there, and that nothing is heard", () =>
    onEmpty(
      Effect.gen(function* () {
        for (const poolSize of [1, 2, 20]) {
          const { url } = yield* pgbouncer(yield* urlOfTest, poolSize)
          const look = withSql((sql) => sql`select pg_sleep(0.002)`).pipe(Effect.forever)
          const load = yield* Effect.forkChild(
            Effect.all(
              Array.from({ length: 8 }, () => look),
              { concurrency: "unbounded" }
            ).pipe(Effect.provide(Layer.fresh(layerClient({ url, maxConnections: 8 }))))
          )
          const found = yield* diagnosed({ url, directUrl: url, prepare: true })
          assert.match(found("pooling").found, /^pooled/)
          assert.deepInclude(found("prepared_statements"), {
            status: "failed",
            advice: "set LOCKKEEPER_DATABASE_PREPARE=false"
          })
          assert.deepInclude(found("hints"), { status: "warning" })
          const right = yield* diagnosed({ url, directUrl: yield* urlOfTest })
          assert.match(right("pooling").found, /^pooled/)
          for (const check of ["prepared_statements", "hints"] as const) {
            assert.strictEqual(right(check).status, "ok", right(check).found)
          }
          yield* Fiber.interrupt(load)
        }
      })
    )
  )
})
