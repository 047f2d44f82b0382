// The one way from a store to the database: every wait is bounded, no session state is left behind, and what fails below
// is a StoreError. Safe behind PgBouncer in transaction mode. Not here: what any statement says.

import { failpoint } from "@lockkeeper/core/port/failpoint"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { type Context, Duration, Effect, Fiber, Result, Schema } from "effect"
import { SqlClient, SqlError, type Statement } from "effect/sql"
import { type Fault, isFault, storeError } from "./faults.ts"
import { monotonic } from "./monotonic.ts"
import { transactions } from "./transactions.ts"

/** What a transaction does; as a function of the `lock_timeout`, it sets that and the other limits with its own statement. */
type Body<A, E> = Effect.Effect<A, E | Fault> | ((lockTimeout: string) => Effect.Effect<A, E | Fault>)

/** Runs what one method of a port does. `within` shortens its waits. */
export interface Database {
  readonly sql: SqlClient.SqlClient
  /**
   * Columns of a statement that set the limits of its transaction. What waits for a lock in the same statement already waits
   * no longer than `lockTimeout`, where its row is found before it is locked.
   */
  readonly limits: (lockTimeout?: string) => Statement.Fragment
  /**
   * Runs statements as one READ COMMITTED transaction. A lost connection is a StoreError, whenever it is lost. `within` is
   * how long it waits for a connection and for the locks of others together; it may take a second more then. `locks` is how
   * long it waits for each lock of others, where that is less. A body that is given how long bounds its waits itself.
   */
  readonly transaction: <A, E = never>(
    operation: string,
    body: Body<A, E>,
    within?: Duration.Duration,
    locks?: Duration.Duration
  ) => Effect.Effect<A, E | StoreError>
  /** Runs one statement on its own. `within` is how long it waits for the answer. */
  readonly statement: <A, E = never>(
    operation: string,
    body: Effect.Effect<A, E | Fault>,
    within?: Duration.Duration
  ) => Effect.Effect<A, E | StoreError>
}

/** How long a transaction may wait for a connection, and a statement for its answer. */
const patience = Duration.seconds(10)

/** How long a statement waits for somebody else's lock. */
const lockPatience = Duration.seconds(3)

/** How long a transaction that has begun may take after that. The server ends what waits or idles long before. */
const transactionLimit = "10 seconds"

/** How long a COMMIT may go on after its caller was told that it takes too long; on a dead connection it never ends. */
const commitLimit = "1 minute"

/** Made when it happens: an error that nobody needs would cost more than the rest of a statement here. */
const unavailable = (operation: string, what: string): Effect.Effect<never, StoreError> =>
  Effect.suspend(() => Effect.fail(new StoreError({ operation, reason: "unavailable", cause: new Error(what) })))

/** Before it there is nothing of what a method does, after it all of it is committed. */
const pointAround = <A, E>(operation: string, body: Effect.Effect<A, E | StoreError>) =>
  failpoint<A, E | StoreError, never>(`postgres.${operation}`, body, unavailable(operation, "a failpoint"))

/**
 * Answers in time, with what `late` fails with when it ends first. What hangs then is ended in the background: a server
 * that does not answer does not confirm that either. An interruption waits, so that nothing outlives it unnoticed.
 */
export const inTime = <A, E, E2>(self: Effect.Effect<A, E>, late: Effect.Effect<never, E2>): Effect.Effect<A, E | E2> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.callback<A, E | E2>((resume) => {
      const fork = Effect.runForkWith(context)
      const work = fork(self)
      const watch = fork(late)
      work.addObserver((exit) => {
        resume(exit)
        watch.interruptUnsafe()
      })
      watch.addObserver((exit) => {
        resume(exit)
        work.interruptUnsafe()
      })
      return Effect.andThen(Fiber.interrupt(work), Fiber.interrupt(watch))
    })
  )

/** Makes the {@link Database} over the client of this layer. */
export const database: Effect.Effect<Database, never, SqlClient.SqlClient> = Effect.map(
  SqlClient.SqlClient,
  (sql): Database => {
    const inTransaction = transactions(sql, { begin: patience, end: commitLimit })
    const limits = (lockTimeout = `${Duration.toMillis(lockPatience)}ms`) =>
      sql`set_config('lock_timeout', ${lockTimeout}, true),
        set_config('statement_timeout', '10s', true), set_config('idle_in_transaction_session_timeout', '10s', true)`

    const wrapped = <A, E>(operation: string, body: Effect.Effect<A, E | Fault>): Effect.Effect<A, E | StoreError> =>
      body.pipe(
        Effect.catchDefect((defect) => (SqlError.isSqlError(defect) ? Effect.fail(defect) : Effect.die(defect))),
        Effect.mapError((error) => (isFault(error) ? storeError(operation, error) : error))
      )

    const transaction = <A, E = never>(
      operation: string,
      body: Body<A, E>,
      within?: Duration.Duration,
      locks: Duration.Duration = lockPatience
    ) =>
      Effect.flatMap(monotonic, (now) => {
        let begun = false
        const asked = now()
        const work = Effect.suspend(() => {
          begun = true
          const left = Duration.toMillis(within ?? lockPatience) - (within === undefined ? 0 : now() - asked)
          const lockTimeout = `${Math.ceil(Math.min(Duration.toMillis(locks), Math.max(1, left)))}ms`
          return Effect.isEffect(body) ? Effect.andThen(sql`select ${limits(lockTimeout)}`, body) : body(lockTimeout)
        })
        const watch = Effect.sleep(within ?? patience).pipe(
          Effect.flatMap(() =>
            begun
              ? Effect.andThen(
                  Effect.sleep(within === undefined ? transactionLimit : "1 second"),
                  unavailable(operation, "the transaction took too long")
                )
              : unavailable(operation, "no connection became free in time")
          )
        )
        return pointAround<A, E>(operation, wrapped<A, E>(operation, inTime(inTransaction(work), watch)))
      })

    const statement = <A, E = never>(operation: string, body: Effect.Effect<A, E | Fault>, within = patience) => {
      const late = Effect.andThen(
        Effect.sleep(within),
        unavailable(operation, "the statement was not answered in time")
      )
      return pointAround<A, E>(operation, wrapped<A, E>(operation, inTime(body, late)))
    }

    return { sql, limits, transaction, statement }
  }
)

/** Runs a statement and decodes its rows. A row that does not fit fails with a SchemaError: it is never guessed at. */
export const rowsOf = <A>(
  row: Schema.ConstraintDecoder<A>
): (<E, R>(
  statement: Effect.Effect<ReadonlyArray<unknown>, E, R>
) => Effect.Effect<ReadonlyArray<A>, E | Schema.SchemaError, R>) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(row))
  return (statement) => Effect.flatMap(statement, decode)
}

/** A row that was decoded apart from the others: its id, and what it holds, where it fits. */
export interface EachRow<Id, A> {
  readonly id: Id
  readonly read: Result.Result<A, Schema.SchemaError>
}

/** As {@link rowsOf}, with each row for itself: one that does not fit says so in its place, and no other does. */
export const eachRowOf = <Id, A>(
  id: Schema.ConstraintDecoder<Id>,
  row: Schema.ConstraintDecoder<A>
): (<E, R>(
  statement: Effect.Effect<ReadonlyArray<unknown>, E, R>
) => Effect.Effect<ReadonlyArray<EachRow<Id, A>>, E | Schema.SchemaError, R>) => {
  const decode = Schema.decodeUnknownResult(row)
  const decodeIds = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ id })))
  return (statement) =>
    Effect.flatMap(statement, (rows) =>
      Effect.map(decodeIds(rows), (ids) => ids.map((each, index) => ({ id: each.id, read: decode(rows[index]) })))
    )
}

/** Those of {@link eachRowOf} that fit. Every other one is left as it is, and the log says that it was passed over. */
export const readableOf = Effect.fnUntraced(function* <Id extends string, A>(
  operation: string,
  rows: ReadonlyArray<EachRow<Id, A>>
): Effect.fn.Return<ReadonlyArray<A>> {
  const readable: Array<A> = []
  for (const { id, read } of rows) {
    if (Result.isSuccess(read)) readable.push(read.success)
    else yield* passedOver(id, storeError(operation, read.failure))
  }
  return readable
})

/** Says that a row cannot be read and stands in nobody's way. */
export const passedOver = (id: string, error: StoreError): Effect.Effect<void> =>
  Effect.logError(`${id} is passed over, since its row cannot be read`, error)
