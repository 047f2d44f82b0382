// Sends what the store sent, through the bare driver: the statements of one Deployment from its beginning to its end, with the
// parameters of the next one. What the database answered and was sent back to it is taken from its own answers.

import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, type SqlError } from "effect/sql"
import { randomBytes } from "node:crypto"

/** A statement as it was sent, and its answer. */
export interface Sent {
  readonly text: string
  readonly params: ReadonlyArray<unknown>
  readonly rows: ReadonlyArray<unknown>
}

/** What is sent for one Deployment after the other of an App. */
export interface Plan {
  readonly send: Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient>
}

/** A client over the one of the context that keeps what goes through it until it is taken. */
export const makeRecording = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const sent: Array<Sent> = []

  const recorded = (connection: SqlConnection.Connection): SqlConnection.Connection => {
    const keep =
      (text: string, params: ReadonlyArray<unknown>) =>
      <A, E>(answer: Effect.Effect<ReadonlyArray<A>, E>) =>
        Effect.tap(answer, (rows) => Effect.sync(() => void sent.push({ text, params, rows })))
    return {
      execute: (text, params, transform) => keep(text, params)(connection.execute(text, params, transform)),
      executeUnprepared: (text, params, transform) =>
        keep(text, params)(connection.executeUnprepared(text, params, transform)),
      executeRaw: (text, params) =>
        Effect.tap(
          connection.executeRaw(text, params),
          Effect.sync(() => void sent.push({ text, params, rows: [] }))
        ),
      executeValues: (text, params) => keep(text, params)(connection.executeValues(text, params)),
      executeValuesUnprepared: (text, params) => keep(text, params)(connection.executeValuesUnprepared(text, params)),
      executeStream: (text, params, transform) => connection.executeStream(text, params, transform)
    }
  }

  const client = yield* SqlClient.make({
    acquirer: Effect.map(sql.reserve, recorded),
    compiler: PgClient.makeCompiler(),
    driver: "pg",
    spanAttributes: [],
    prepareTransactionControls: true
  })
  return { take: () => sent.splice(0), layer: Layer.succeed(SqlClient.SqlClient, client) }
}).pipe(Effect.provide(Reactivity.layer))

const isId = (value: unknown): value is string => typeof value === "string" && /^[a-z]+_[0-9a-z]{20,}$/.test(value)

const cellsOf = (rows: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  rows.flatMap((row) => (typeof row === "object" && row !== null ? Object.values(row) : []))

const numberOf = (value: unknown): number | undefined =>
  typeof value === "number" || typeof value === "bigint" ? Number(value) : undefined

/** How much a parameter goes up from one Deployment to the next, where it does. */
const stepOf = (before: unknown, last: unknown): number => {
  const [from, to] = [numberOf(before), numberOf(last)]
  return from === undefined || to === undefined ? 0 : to - from
}

const raised = (value: unknown, by: number): unknown =>
  typeof value === "bigint" ? value + BigInt(by) : typeof value === "number" ? value + by : value

/** Learns from two Deployments that were recorded one after the other. Dies when they did not send the same. */
export const planOf = Effect.fnUntraced(function* (
  before: ReadonlyArray<Sent>,
  last: ReadonlyArray<Sent>
): Effect.fn.Return<Plan> {
  const isSame = before.length === last.length && last.every(({ text }, index) => before[index]?.text === text)
  if (!isSame || last.length === 0) return yield* Effect.die(new Error("two Deployments did not send the same"))
  let count = 0

  const paramOf = (known: Map<string, string>, statement: number, index: number): unknown => {
    const value = last[statement]?.params[index]
    if (!isId(value)) return raised(value, count * stepOf(before[statement]?.params[index], value))
    if (before[statement]?.params[index] === value) return value
    const fresh = known.get(value) ?? `${value.slice(0, value.indexOf("_"))}_${randomBytes(16).toString("hex")}`
    known.set(value, fresh)
    return fresh
  }

  const send = Effect.gen(function* () {
    count += 1
    const known = new Map<string, string>()
    const connection = yield* (yield* SqlClient.SqlClient).reserve
    for (const [statement, { params, rows, text }] of last.entries()) {
      const given = params.map((_, index) => paramOf(known, statement, index))
      const answer = cellsOf(yield* connection.execute(text, given, undefined))
      for (const [index, old] of cellsOf(rows).entries()) {
        const now = answer[index]
        if (isId(old) && isId(now)) known.set(old, now)
      }
    }
  }).pipe(Effect.scoped)
  return { send }
})
