// What the store sends for one thing that it does, learned from two recordings of it, so that others can send the same: what the
// database answered before is taken from its answer each time, also inside of a document, and what counts up is counted on.

import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Sent } from "../deploy/replay.ts"
import { answeredAt, type Place, placeOf } from "./answers.ts"

/** Where a value comes from. `subject` is what the statements are about, a Tenant or a Job: each sender has its own. */
export type Value =
  | { readonly from: "fixed"; readonly value: unknown }
  | { readonly from: "subject" }
  | { readonly from: "answer"; readonly place: Place }

/** Where a parameter comes from: as a whole, or as a text in pieces that are put together. */
export type Source =
  Value | { readonly from: "count" } | { readonly from: "pieces"; readonly pieces: ReadonlyArray<Value> }

/** A statement and its parameters in order. */
export interface Step {
  readonly text: string
  readonly sources: ReadonlyArray<Source>
  /** The recorded parameters, for whoever asks the server for their types. */
  readonly params: ReadonlyArray<unknown>
}

/** What is sent each time, in order. */
export type Plan = ReadonlyArray<Step>

/** Names and numbers, and what stands between them. */
const tokensOf = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string" ? (value.match(/[\w-]+|[^\w-]+/g) ?? []) : []

const isSame = (a: unknown, b: unknown): boolean =>
  Object.is(a, b) || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b))

const isWritten = (token: string, value: unknown): boolean =>
  ["string", "number", "bigint"].includes(typeof value) && String(value) === token

/** Puts together what is fixed and stands side by side. */
const joined = (pieces: ReadonlyArray<Value>): ReadonlyArray<Value> => {
  const all: Array<Value> = []
  for (const piece of pieces) {
    const last = all.at(-1)
    const isOne = piece.from === "fixed" && last?.from === "fixed"
    if (isOne) all.splice(-1, 1, { from: "fixed", value: `${String(last.value)}${String(piece.value)}` })
    else all.push(piece)
  }
  return all
}

/** Says of one parameter of both recordings where it comes from; undefined when nobody knows. */
const sourceIn = (subject: string, before: ReadonlyArray<Sent>, last: ReadonlyArray<Sent>) => {
  const pieceOf = (earlier: string | undefined, token: string): Value | undefined => {
    if (token === subject) return { from: "subject" }
    if (earlier === undefined || earlier === token) return { from: "fixed", value: token }
    const place = placeOf(before, last, (a, b) => isWritten(earlier, a) && isWritten(token, b))
    return place === undefined ? undefined : { from: "answer", place }
  }

  const piecesOf = (earlier: unknown, value: unknown): Source | undefined => {
    const [old, now] = [tokensOf(earlier), tokensOf(value)]
    if (old.length !== now.length) return undefined
    const pieces = now.flatMap((token, index) => pieceOf(old[index], token) ?? [])
    return pieces.length < now.length || now.length < 2 ? undefined : { from: "pieces", pieces: joined(pieces) }
  }

  return (earlier: unknown, value: unknown): Source | undefined => {
    if (value === subject) return { from: "subject" }
    if (isSame(earlier, value) && !tokensOf(value).includes(subject)) return { from: "fixed", value }
    const place = placeOf(before, last, (a, b) => isSame(a, earlier) && isSame(b, value))
    if (place !== undefined) return { from: "answer", place }
    if (typeof value === "string") return piecesOf(earlier, value)
    return Number(value) - Number(earlier) === 1 ? { from: "count" } : undefined
  }
}

/** Learns from two recordings, in which all that differs from one time to the next has to differ. Dies when they do not send the same. */
export const planOf = Effect.fnUntraced(function* (
  subject: string,
  before: ReadonlyArray<Sent>,
  last: ReadonlyArray<Sent>
): Effect.fn.Return<Plan> {
  const isAlike = before.length === last.length && last.every(({ text }, index) => before[index]?.text === text)
  if (!isAlike || last.length === 0) return yield* Effect.die(new Error("two recordings did not send the same"))
  return yield* Effect.forEach(
    last,
    Effect.fnUntraced(function* ({ params, text }, statement) {
      const sourceOf = sourceIn(subject, before.slice(0, statement), last.slice(0, statement))
      const sources: Array<Source> = []
      for (const [index, value] of params.entries()) {
        const earlier = before[statement]?.params[index]
        const source = sourceOf(earlier, value)
        const unknown = new Error(`nobody knows what comes after ${String(earlier)} and ${String(value)}`)
        sources.push(source ?? (yield* Effect.die(unknown)))
      }
      return { text, sources, params } satisfies Step
    })
  )
})

/** The parameters of a step, for this subject, the so manieth time, after these answers. */
export const paramsOf = (
  { sources }: Step,
  subject: string,
  count: number,
  answers: ReadonlyArray<Sent>
): ReadonlyArray<unknown> => {
  const valueOf = (source: Source): unknown => {
    switch (source.from) {
      case "fixed":
        return source.value
      case "subject":
        return subject
      case "count":
        return count
      case "answer":
        return answeredAt(answers, source.place)
      case "pieces":
        return source.pieces.map((piece) => String(valueOf(piece))).join("")
    }
  }
  return sources.map(valueOf)
}

/** Sends a plan through the driver, again and again for one subject. What counts up begins with 1. */
export const sender = (plan: Plan, subject: string) => {
  let count = 0
  return Effect.gen(function* () {
    const number = ++count
    const connection = yield* (yield* SqlClient.SqlClient).reserve
    const answers: Array<Sent> = []
    for (const step of plan) {
      const params = paramsOf(step, subject, number, answers)
      answers.push({ text: step.text, params, rows: yield* connection.execute(step.text, params, undefined) })
    }
  }).pipe(Effect.scoped)
}
