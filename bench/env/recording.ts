// A client that keeps what is sent through it: texts and parameters as the driver gets them. So a peer is measured with the
// statements of the store, whatever they are today.

import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection } from "effect/sql"

/** A statement as it was sent. */
export interface Sent {
  readonly text: string
  readonly params: ReadonlyArray<unknown>
}

/** What was sent since it was last taken. */
interface Recording {
  readonly take: () => ReadonlyArray<Sent>
}

/** A client over the one of the context, and its recording. */
export const makeRecording = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const sent: Array<Sent> = []

  const recorded = (connection: SqlConnection.Connection): SqlConnection.Connection => {
    const keep = (text: string, params: ReadonlyArray<unknown>) => void sent.push({ text, params })
    return {
      execute: (text, params, transform) =>
        Effect.suspend(() => (keep(text, params), connection.execute(text, params, transform))),
      executeRaw: (text, params) => Effect.suspend(() => (keep(text, params), connection.executeRaw(text, params))),
      executeValues: (text, params) =>
        Effect.suspend(() => (keep(text, params), connection.executeValues(text, params))),
      executeValuesUnprepared: (text, params) =>
        Effect.suspend(() => (keep(text, params), connection.executeValuesUnprepared(text, params))),
      executeUnprepared: (text, params, transform) =>
        Effect.suspend(() => (keep(text, params), connection.executeUnprepared(text, params, transform))),
      executeStream: connection.executeStream
    }
  }

  const client = yield* SqlClient.make({
    acquirer: Effect.map(sql.reserve, recorded),
    compiler: PgClient.makeCompiler(),
    driver: "pg",
    spanAttributes: [],
    prepareTransactionControls: true
  })
  const recording: Recording = { take: () => sent.splice(0) }
  return { recording, layer: Layer.succeed(SqlClient.SqlClient, client) }
}).pipe(Effect.provide(Reactivity.layer))
