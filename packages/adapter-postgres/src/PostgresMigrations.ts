// Brings a database to the schema that this version expects, or waits until somebody else did. Any number of processes may
// apply at once: one has the table of applied migrations, in a transaction with all that are pending, the others look again
// until it is done. Nothing of it lives in a session, so that it works behind PgBouncer. Nothing is ever undone.

import { Duration, Effect, Schedule, type Scope } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { inTime } from "./internal/Database.ts"
import { isBusy } from "./internal/faults.ts"
import { buildIndex, leaseOf } from "./internal/indexBuild.ts"
import {
  ensureLedger,
  isIndexMigration,
  type Lacking,
  lacking,
  ledger,
  record,
  runStatements
} from "./internal/migrationLedger.ts"
import { monotonic } from "./internal/monotonic.ts"
import { transactions } from "./internal/transactions.ts"
import { MigrationError } from "./MigrationError.ts"
import { foundation } from "./migrations/0001_foundation.ts"
import { workloadPorts } from "./migrations/0002_workload_ports.ts"
import { envChanges } from "./migrations/0003_env_changes.ts"
import { idempotency } from "./migrations/0004_idempotency.ts"
import { installation } from "./migrations/0005_installation.ts"
import { lifecycle } from "./migrations/0006_lifecycle.ts"
import { subscriptions } from "./migrations/0007_subscriptions.ts"
import { logChunks } from "./migrations/0008_log_chunks.ts"
import { jobs } from "./migrations/0009_jobs.ts"
import { erasedSecrets } from "./migrations/0010_erased_secrets.ts"
import { retention } from "./migrations/0011_retention.ts"
import { subnets } from "./migrations/0012_subnets.ts"
import { jobTransitions } from "./migrations/0013_job_transitions.ts"
import { runs } from "./migrations/0014_runs.ts"
import { columnChecks } from "./migrations/0015_column_checks.ts"

/**
 * One step of the schema. Released, it never changes: `statements` are compared by their checksum. With `index`, its only
 * statement is `create index concurrently` of the index of that name, which no transaction can hold: servers start without
 * it, and nothing but speed may depend on it.
 */
export interface Migration {
  readonly id: number
  readonly name: string
  readonly statements: ReadonlyArray<string>
  readonly index?: string | undefined
}

/** All migrations, in order. */
export const migrations: ReadonlyArray<Migration> = [
  foundation,
  workloadPorts,
  envChanges,
  idempotency,
  installation,
  lifecycle,
  subscriptions,
  logChunks,
  jobs,
  erasedSecrets,
  retention,
  subnets,
  jobTransitions,
  runs,
  columnChecks
]

/** The version of the schema that this version of the package expects: the id of the last migration. */
export const schemaVersion: number = Math.max(...migrations.map(({ id }) => id))

/** How far a database is: what it lacks before a server can work with it, and the id of the last migration that it has. */
export interface SchemaState {
  /** 0 without any. */
  readonly version: number
  readonly pending: ReadonlyArray<Migration>
}

/** How long whoever applies waits for others; the migrations themselves take as long as they take. */
export interface ApplyOptions {
  /** Two minutes unless told otherwise. */
  readonly patience?: Duration.Input | undefined
}

/** How long somebody may be gone that builds an index before another one goes on with it. */
export interface CompleteOptions {
  /** Half a minute unless told otherwise. */
  readonly lease?: Duration.Input | undefined
}

const unavailable = (cause: unknown): MigrationError => new MigrationError({ reason: { _tag: "Unavailable", cause } })

const orUnavailable = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, MigrationError, R> =>
  self.pipe(
    // What fails in a transaction whose ROLLBACK fails too is a defect of the client.
    Effect.catchDefect((defect) =>
      SqlError.isSqlError(defect) || defect instanceof MigrationError ? Effect.fail(defect) : Effect.die(defect)
    ),
    Effect.mapError((error) => (error instanceof MigrationError ? error : unavailable(error)))
  )

const look = (sql: SqlClient.SqlClient, expected: ReadonlyArray<Migration>) => orUnavailable(lacking(sql, expected))

/** Looks how far the database is, in one round trip that is answered within ten seconds, and changes nothing. */
export const inspect = (
  expected: ReadonlyArray<Migration> = migrations
): Effect.Effect<SchemaState, MigrationError, SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    inTime<SchemaState, MigrationError, MigrationError>(
      look(sql, expected),
      Effect.andThen(Effect.sleep("10 seconds"), Effect.fail(unavailable("the database did not answer in time")))
    )
  )

/** One try: applies what is missing, or fails as busy when it is not its turn. */
const tried = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  expected: ReadonlyArray<Migration>,
  { busy, left }: { readonly busy: MigrationError; readonly left: () => number }
) {
  let isMine = false
  const untilLate = Effect.suspend(() => Effect.sleep(Math.max(0, left()))).pipe(
    Effect.andThen(Effect.suspend(() => (isMine ? Effect.never : Effect.fail(busy))))
  )
  const inTransaction = transactions(sql, { begin: Math.max(1, left()), end: "1 minute" })
  const turn = Effect.gen(function* () {
    yield* sql`select set_config('lock_timeout', '5s', true), set_config('statement_timeout', '0', true),
      set_config('idle_in_transaction_session_timeout', '60s', true)`
    yield* Effect.mapError(sql`lock table ${sql(ledger)} in exclusive mode nowait`, (error) =>
      isBusy(error) ? busy : error
    )
    isMine = true
    const found = yield* lacking(sql, expected)
    for (const migration of found.pending) {
      yield* runStatements(sql, migration)
      yield* record(sql, migration)
    }
    return { applied: found.pending.map(({ id }) => id), unfinished: found.unfinished }
  })
  const all = Effect.gen(function* () {
    const { pending, unfinished }: Lacking = yield* lacking(sql, expected)
    if (pending.length === 0) return { applied: [], unfinished }
    yield* ensureLedger(sql)
    return yield* inTransaction(turn)
  })
  return yield* inTime(orUnavailable(all), untilLate)
})

/** Whether it may go well a moment later: others are at it, or use what is to be changed. */
const mayPass = ({ reason }: MigrationError): boolean =>
  reason._tag === "Busy" || (reason._tag === "Failed" && isBusy(reason.cause))

const pause = Schedule.jittered(Schedule.spaced("500 millis"))

const brought = Effect.fnUntraced(function* (expected: ReadonlyArray<Migration>, options: ApplyOptions) {
  const sql = yield* SqlClient.SqlClient
  const [now, patience] = [yield* monotonic, Duration.fromInputUnsafe(options.patience ?? "2 minutes")]
  const until = now() + Duration.toMillis(patience)
  const left = () => until - now()
  const busy = new MigrationError({ reason: { _tag: "Busy", seconds: Duration.toSeconds(patience) } })
  return yield* Effect.retry(tried(sql, expected, { busy, left }), {
    while: (error) => mayPass(error) && left() > 0,
    schedule: pause
  })
})

/**
 * Applies what is missing, and answers the ids that this call applied. A database that lacks nothing is read in one round
 * trip. While others apply it looks again, and fails as `Busy` after its patience. Indexes are left to {@link complete}.
 */
export const apply = Effect.fn("PostgresMigrations.apply")(function* (
  expected: ReadonlyArray<Migration> = migrations,
  options: ApplyOptions = {}
): Effect.fn.Return<ReadonlyArray<number>, MigrationError, SqlClient.SqlClient> {
  return (yield* brought(expected, options)).applied
})

/**
 * Builds the indexes that are missing, one after the other, and answers the ids that this call built. While another process
 * builds one it waits, and goes on with it when that one is gone; what a dead one left half done is dropped first. As long as it takes.
 */
export const complete = Effect.fn("PostgresMigrations.complete")(function* (
  expected: ReadonlyArray<Migration> = migrations,
  options: CompleteOptions = {}
): Effect.fn.Return<ReadonlyArray<number>, MigrationError, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  if (!expected.some(isIndexMigration)) return []
  const { unfinished } = yield* look(sql, expected)
  const isMissing = ({ id }: Migration) =>
    Effect.map(look(sql, expected), (found) => found.unfinished.some((other) => other.id === id))
  const built = yield* Effect.forEach(unfinished, (migration) =>
    orUnavailable(
      buildIndex(sql, migration, { ...leaseOf(options.lease ?? "30 seconds"), isMissing: isMissing(migration) })
    )
  )
  return unfinished.filter((_, index) => built[index] === true).map(({ id }) => id)
})

/**
 * Brings the schema for a server: applies what is missing, and builds missing indexes in the background for as long as the
 * Scope lasts. A build that fails is said in the log and tried again.
 */
export const start = Effect.fn("PostgresMigrations.start")(function* (
  expected: ReadonlyArray<Migration> = migrations,
  options: ApplyOptions & CompleteOptions = {}
): Effect.fn.Return<void, MigrationError, SqlClient.SqlClient | Scope.Scope> {
  const { unfinished } = yield* brought(expected, options)
  if (unfinished.length === 0) return
  yield* complete(expected, options).pipe(
    Effect.tapError((error) => Effect.logWarning("an index was not built; it is tried again", error)),
    Effect.retry(Schedule.spaced("30 seconds")),
    Effect.forkScoped
  )
})

/** Waits until nothing is missing, as long as it takes, also while the database is away. Never changes the schema. */
export const wait = Effect.fn("PostgresMigrations.wait")(function* (
  expected: ReadonlyArray<Migration> = migrations
): Effect.fn.Return<void, MigrationError, SqlClient.SqlClient> {
  const isComplete = inspect(expected).pipe(
    Effect.map(({ pending }) => pending.length === 0),
    Effect.catchReason("MigrationError", "Unavailable", () => Effect.succeed(false))
  )
  if (yield* isComplete) return
  yield* Effect.logInfo(`waiting until somebody applies version ${schemaVersion} of the schema`)
  yield* Effect.repeat(isComplete, { until: (complete) => complete, schedule: Schedule.spaced("500 millis") })
})
