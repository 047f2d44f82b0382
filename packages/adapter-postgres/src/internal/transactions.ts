// Transactions whose BEGIN, COMMIT and ROLLBACK are answered in time or given up. The client's own wait for them as long as
// the connection seems to be there: one whose other end is gone would keep its place in the pool until the kernel notices,
// which takes a quarter of an hour. A connection on which one of them was given up is replaced.

import { type Duration, Effect, Predicate } from "effect"
import { SqlClient, type SqlConnection, SqlError } from "effect/sql"

/** Runs statements as one transaction. */
export type InTransaction = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError.SqlError, R>

/** Makes transactions over a client. Nothing but these limits ends their own statements before they are answered. */
export const transactions = (
  sql: SqlClient.SqlClient,
  limits: { readonly begin: Duration.Input; readonly end: Duration.Input }
): InTransaction => {
  const control = (connection: SqlConnection.Connection, statement: string, limit: Duration.Input) =>
    Effect.raceFirst(
      Effect.interruptible(connection.executeRaw(statement, [])),
      Effect.andThen(Effect.interruptible(Effect.sleep(limit)), failed(`${statement} was not answered in time`))
    )

  const commit = (connection: SqlConnection.Connection) =>
    Effect.flatMap(control(connection, "COMMIT", limits.end), (answer) =>
      isRolledBack(answer) ? failed("COMMIT rolled back a transaction that had failed") : Effect.void
    )

  return SqlClient.makeWithTransaction({
    transactionService: sql.transactionService,
    spanAttributes: [["db.system.name", "postgresql"]],
    acquireConnection: (restore) => restore(sql.reserve),
    begin: (connection) => Effect.asVoid(control(connection, "BEGIN", limits.begin)),
    commit,
    rollback: (connection) => Effect.asVoid(control(connection, "ROLLBACK", limits.end)),
    savepoint: (connection, id) => Effect.asVoid(control(connection, `SAVEPOINT level_${id}`, limits.begin)),
    rollbackSavepoint: (connection, id) =>
      Effect.asVoid(control(connection, `ROLLBACK TO SAVEPOINT level_${id}`, limits.end))
  })
}

/** The server answers so to the COMMIT of a transaction in which a statement had failed. */
const isRolledBack = (answer: unknown): boolean =>
  Predicate.hasProperty(answer, "command") && answer.command === "ROLLBACK"

/** Made when it happens: errors that nobody needs would cost more than the statements. */
const failed = (message: string): Effect.Effect<never, SqlError.SqlError> =>
  Effect.suspend(() =>
    Effect.fail(new SqlError.SqlError({ reason: new SqlError.ConnectionError({ cause: new Error(message), message }) }))
  )
