// What the store sends for one thing that it does, learned from two recordings of it, so that others can send the same: a
// parameter that the database answered before is taken from its answer each time, and what counts up is counted on.

import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Sent } from "../deploy/replay.ts"

/** Where a parameter comes from. `subject` is what the statements are about, a Tenant or a Job: each sender has its own. */
export type Source =
  | { readonly from: "fixed"; readonly value: unknown }
  | { readonly from: "subject" }
  | { readonly from: "answer"; readonly statement: number; readonly column: string }
  | { readonly from: "count" }

/** A statement and its parameters in order. */
export interface Step {
  readonly text: string
  readonly sources: ReadonlyArray<Source>
  /** The recorded parameters, for whoever asks the server for their types. */
  readonly params: ReadonlyArray<unknown>
}

/** What is sent each time, in order. */
export type Plan = ReadonlyArray<Step>

const cell = ({ rows }: Sent, column: string): unknown => {
  const [row] = rows
  return typeof row === "object" && row !== null ? new Map<string, unknown>(Object.entries(row)).get(column) : undefined
}

const columnsOf = ({ rows: [row] }: Sent): ReadonlyArray<string> =>
  typeof row === "object" && row !== null ? Object.keys(row) : []

const isSame = (a: unknown, b: unknown): boolean =>
  Object.is(a, b) || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b))

/** The last answer that held these values in both recordings. */
const answered = (before: ReadonlyArray<Sent>, last: ReadonlyArray<Sent>, values: readonly [unknown, unknown]) => {
  for (let statement = last.length - 1; statement >= 0; statement--) {
    const [a, b] = [before[statement], last[statement]]
    if (a === undefined || b === undefined) continue
    const column = columnsOf(b).find((name) => isSame(cell(a, name), values[0]) && isSame(cell(b, name), values[1]))
    if (column !== undefined) return { statement, column }
  }
  return undefined
}

/** Learns from two recordings, in which all that differs from one time to the next has to differ. Dies when they do not send the same. */
export const planOf = Effect.fnUntraced(function* (
  subject: string,
  before: ReadonlyArray<Sent>,
  last: ReadonlyArray<Sent>
): Effect.fn.Return<Plan> {
  const isAlike = before.length === last.length && last.every(({ text }, index) => before[index]?.text === text)
  if (!isAlike || last.length === 0) return yield* Effect.die(new Error("two recordings did not send the same"))
  const sourceOf = Effect.fnUntraced(function* (statement: number, param: number, value: unknown) {
    const earlier = before[statement]?.params[param]
    if (value === subject) return { from: "subject" } satisfies Source
    if (isSame(earlier, value)) return { from: "fixed", value } satisfies Source
    const found = answered(before.slice(0, statement), last.slice(0, statement), [earlier, value])
    if (found !== undefined) return { from: "answer", ...found } satisfies Source
    if (Number(value) - Number(earlier) === 1) return { from: "count" } satisfies Source
    return yield* Effect.die(new Error(`nobody knows what comes after ${String(earlier)} and ${String(value)}`))
  })
  return yield* Effect.forEach(last, ({ params, text }, statement) =>
    Effect.map(
      Effect.forEach(params, (value, param): Effect.Effect<Source> => sourceOf(statement, param, value)),
      (sources): Step => ({ text, sources, params })
    )
  )
})

/** Sends a plan through the driver, again and again for one subject. What counts up begins with 1. */
export const sender = (plan: Plan, subject: string) => {
  let count = 0
  return Effect.gen(function* () {
    const number = ++count
    const connection = yield* (yield* SqlClient.SqlClient).reserve
    const answers: Array<Sent> = []
    const valueOf = (source: Source): unknown => {
      switch (source.from) {
        case "fixed":
          return source.value
        case "subject":
          return subject
        case "count":
          return number
        case "answer": {
          const answer = answers[source.statement]
          return answer === undefined ? undefined : cell(answer, source.column)
        }
      }
    }
    for (const { sources, text } of plan) {
      const params = sources.map(valueOf)
      answers.push({ text, params, rows: yield* connection.execute(text, params, undefined) })
    }
  }).pipe(Effect.scoped)
}
