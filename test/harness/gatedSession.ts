// A session of PostgreSQL whose statements are sent one by one, each when it is let go. What stands on its client does
// not know of that and is not changed for it. Not here: in which order statements are let go (interleavings.ts).

import { PgClient } from "@effect/sql-pg"
import { Deferred, Effect, Exit, type Redacted, type Scope, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, type SqlError } from "effect/sql"

/** Where the work of a session stands. `Waiting` has a statement that is not sent, `Sent` one that is not answered. */
type SessionState =
  | { readonly _tag: "Idle" }
  | { readonly _tag: "Working" }
  | { readonly _tag: "Waiting"; readonly statement: string; readonly go: Deferred.Deferred<void> }
  | { readonly _tag: "Sent"; readonly statement: string }

/** A session, and the client over its only connection. */
export interface GatedSession {
  readonly sql: SqlClient.SqlClient
  readonly state: () => SessionState
  /** Is done once the state is another one than now. */
  readonly changed: () => Deferred.Deferred<void>
  /** Runs work whose statements wait to be let go. */
  readonly gated: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Lets the statement go that waits. */
  readonly letGo: Effect.Effect<void>
  /** Lets everything go from now on, until the work is over. */
  readonly letAllGo: Effect.Effect<void>
}

/** What is sent in place of a statement. */
export type Rewrite = (statement: string) => string

/** What begins a transaction and bounds it reads no row and takes no lock: when it is sent makes no difference. */
const isPreparation = (statement: string): boolean => /^\s*(?:begin|select set_config)/i.test(statement)

/** Opens a session. A deadlock is noticed soon there, since nobody goes on before. */
export const gatedSession = Effect.fnUntraced(function* (
  url: Redacted.Redacted<string>,
  rewrite: Rewrite = (statement) => statement
): Effect.fn.Return<GatedSession, SqlError.SqlError, Scope.Scope> {
  let state: SessionState = { _tag: "Idle" }
  let changed = Deferred.makeUnsafe<void>()
  let isOpen = true

  const become = (next: SessionState): void => {
    const told = changed
    state = next
    changed = Deferred.makeUnsafe<void>()
    Deferred.doneUnsafe(told, Exit.void)
  }

  const pass = <A, E, R>(statement: string, send: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      if (isOpen || isPreparation(statement)) return send
      const go = Deferred.makeUnsafe<void>()
      become({ _tag: "Waiting", statement, go })
      const answered = Effect.sync(() => become({ _tag: "Working" }))
      return Deferred.await(go).pipe(Effect.andThen(send), Effect.ensuring(answered))
    })

  const reactivity = yield* Reactivity.make
  const client = yield* PgClient.make({
    url,
    prepare: false,
    maxConnections: 1,
    startupParameters: { deadlock_timeout: "20ms" }
  }).pipe(Effect.provideService(Reactivity.Reactivity, reactivity))
  const connections = Effect.map(client.reserve, (connection) => gatedConnection(connection, pass, rewrite))
  const sql = yield* SqlClient.make({
    acquirer: Effect.map(connections, withOwnTransactions),
    transactionAcquirer: connections,
    compiler: PgClient.makeCompiler(),
    driver: "pg",
    spanAttributes: []
  }).pipe(Effect.provideService(Reactivity.Reactivity, reactivity))

  const letGo = Effect.suspend(() => {
    if (state._tag !== "Waiting") return Effect.void
    const { go, statement } = state
    become({ _tag: "Sent", statement })
    return Deferred.succeed(go, undefined)
  })
  const letAllGo = Effect.suspend(() => {
    isOpen = true
    return letGo
  })
  const close = Effect.sync(() => {
    isOpen = false
    become({ _tag: "Working" })
  })
  const end = Effect.sync(() => {
    isOpen = true
    become({ _tag: "Idle" })
  })
  return {
    sql,
    state: () => state,
    changed: () => changed,
    gated: (work) =>
      Effect.acquireUseRelease(
        close,
        () => work,
        () => end
      ),
    letGo: Effect.asVoid(letGo),
    letAllGo: Effect.asVoid(letAllGo)
  }
})

type Pass = <A, E, R>(statement: string, send: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const gatedConnection = (
  connection: SqlConnection.Connection,
  pass: Pass,
  rewrite: Rewrite
): SqlConnection.Connection => ({
  execute: (sql, params, transform) => pass(sql, connection.execute(rewrite(sql), params, transform)),
  executeRaw: (sql, params) => pass(sql, connection.executeRaw(rewrite(sql), params)),
  executeValues: (sql, params) => pass(sql, connection.executeValues(rewrite(sql), params)),
  executeValuesUnprepared: (sql, params) => pass(sql, connection.executeValuesUnprepared(rewrite(sql), params)),
  executeUnprepared: (sql, params, transform) =>
    pass(sql, connection.executeUnprepared(rewrite(sql), params, transform)),
  executeStream: (sql, params, transform) =>
    Stream.unwrap(
      pass(
        sql,
        Effect.sync(() => connection.executeStream(rewrite(sql), params, transform))
      )
    )
})

/** A statement of its own that writes or locks is a transaction: with its COMMIT apart, others can come in between. */
const withOwnTransactions = (connection: SqlConnection.Connection): SqlConnection.Connection => {
  const control = (statement: string) => connection.executeUnprepared(statement, [], undefined)
  return {
    ...connection,
    execute: (sql, params, transform) => {
      const run = connection.execute(sql, params, transform)
      return /\b(?:insert|update|delete|share)\b/i.test(sql)
        ? Effect.acquireUseRelease(
            control("BEGIN"),
            () => run,
            (_, exit) => control(Exit.isSuccess(exit) ? "COMMIT" : "ROLLBACK")
          )
        : run
    }
  }
}
