// The one way from a store to the database: every wait is bounded, no session state is left behind, and what fails below
// is a StoreError. Safe behind PgBouncer in transaction mode. Not here: what any statement says.

import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Effect, Fiber, Schema } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { type Fault, isFault, storeError } from "./faults.ts"

/** Runs what one method of a port does. */
export interface Database {
  readonly sql: SqlClient.SqlClient
  /** Runs statements as one READ COMMITTED transaction. A lost connection is a StoreError, whenever it is lost. */
  readonly transaction: <A, E = never>(
    operation: string,
    body: Effect.Effect<A, E | Fault>
  ) => Effect.Effect<A, E | StoreError>
  /** Runs one statement on its own. */
  readonly statement: <A, E = never>(
    operation: string,
    body: Effect.Effect<A, E | Fault>
  ) => Effect.Effect<A, E | StoreError>
}

/** How long a transaction may wait for a connection, and a statement for its answer. */
const patience = "10 seconds"

/** How long a transaction that has begun may take after that. The server ends what waits or idles long before. */
const transactionLimit = "10 seconds"

const timedOut = (operation: string, what: string): Effect.Effect<never, StoreError> =>
  Effect.fail(new StoreError({ operation, reason: "unavailable", cause: new Error(what) }))

/**
 * Answers in time, with what `late` fails with when it ends first. What hangs then is ended in the background: a server
 * that does not answer does not confirm that either. An interruption waits, so that nothing outlives it unnoticed.
 */
const inTime = <A, E, E2>(self: Effect.Effect<A, E>, late: Effect.Effect<never, E2>): Effect.Effect<A, E | E2> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDetach(restore(self)), (fiber) =>
      restore(Effect.raceFirst(Fiber.join(fiber), late)).pipe(
        Effect.tapError(() => Effect.forkDetach(Fiber.interrupt(fiber))),
        Effect.onInterrupt(() => Fiber.interrupt(fiber))
      )
    )
  )

/** Makes the {@link Database} over the client of this layer. */
export const database: Effect.Effect<Database, never, SqlClient.SqlClient> = Effect.map(
  SqlClient.SqlClient,
  (sql): Database => {
    const limits = sql`select set_config('lock_timeout', '3s', true), set_config('statement_timeout', '10s', true),
      set_config('idle_in_transaction_session_timeout', '10s', true)`

    const wrapped = <A, E>(operation: string, body: Effect.Effect<A, E | Fault>): Effect.Effect<A, E | StoreError> =>
      body.pipe(
        Effect.catchDefect((defect) => (SqlError.isSqlError(defect) ? Effect.fail(defect) : Effect.die(defect))),
        Effect.mapError((error) => (isFault(error) ? storeError(operation, error) : error))
      )

    const transaction = <A, E = never>(operation: string, body: Effect.Effect<A, E | Fault>) =>
      Effect.suspend(() => {
        let begun = false
        const begin = Effect.suspend(() => {
          begun = true
          return limits
        })
        const watch = Effect.sleep(patience).pipe(
          Effect.flatMap(() =>
            begun
              ? Effect.andThen(Effect.sleep(transactionLimit), timedOut(operation, "the transaction took too long"))
              : timedOut(operation, "no connection became free in time")
          )
        )
        return wrapped<A, E>(operation, inTime(sql.withTransaction(Effect.andThen(begin, body)), watch))
      })

    const statement = <A, E = never>(operation: string, body: Effect.Effect<A, E | Fault>) => {
      const late = Effect.andThen(Effect.sleep(patience), timedOut(operation, "the statement was not answered in time"))
      return wrapped<A, E>(operation, inTime(body, late))
    }

    return { sql, transaction, statement }
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
