// What one merge sends, learned from merges that were recorded one after the other: what stays, what counts up, what is
// drawn anew each time. With that it can be sent again and again by others, as the merge after the last one.

import { randomBytes, randomUUID } from "node:crypto"
import type { Sent } from "./recording.ts"

/** A value, by how it goes on: the same, one more each time, or random of the same kind and size. */
export type Leaf =
  | { readonly goes: "on"; readonly value: unknown }
  | { readonly goes: "up"; readonly last: number; readonly as: "number" | "bigint" | "string" }
  | {
      readonly goes: "random"
      readonly as: "uuid" | "text" | "bytes"
      readonly prefix: string
      readonly length: number
    }

/** A parameter: one value, or an array of them. */
export type Param = Leaf | { readonly goes: "each"; readonly items: ReadonlyArray<Leaf> }

/** A statement with its parameters in order. */
export interface Statement {
  readonly text: string
  readonly params: ReadonlyArray<Param>
}

/** What a merge of one App sends, in order. */
export interface Plan {
  readonly app: string
  readonly statements: ReadonlyArray<Statement>
}

/** What differs and is longer than this is taken for sealed: its bytes matter to nobody but its reader. */
const longestId = 32

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const commonPrefix = (texts: ReadonlyArray<string>): string => {
  const [first = ""] = texts
  let length = 0
  while (length < first.length && texts.every((text) => text[length] === first[length])) length++
  return first.slice(0, length)
}

const isSame = (a: unknown, b: unknown): boolean =>
  a instanceof Uint8Array && b instanceof Uint8Array
    ? Buffer.compare(a, b) === 0
    : Object.is(a, b) || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b))

const kindOfNumber = (value: unknown): "number" | "bigint" | "string" | undefined => {
  if (typeof value === "bigint") return "bigint"
  if (typeof value === "number") return Number.isInteger(value) ? "number" : undefined
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? "string" : undefined
}

const leafOf = (values: ReadonlyArray<unknown>): Leaf => {
  const last = values.at(-1)
  if (values.every((value) => isSame(value, last))) return { goes: "on", value: last }
  const as = kindOfNumber(last)
  const numbers = values.map(Number)
  if (as !== undefined && numbers.every((number, index) => index === 0 || number - (numbers[index - 1] ?? 0) === 1)) {
    return { goes: "up", last: Number(last), as }
  }
  if (last instanceof Uint8Array && last.length <= longestId) {
    return { goes: "random", as: "bytes", prefix: "", length: last.length }
  }
  if (typeof last === "string" && last.length <= longestId * 2) {
    const texts = values.map(String)
    return texts.every((text) => uuid.test(text))
      ? { goes: "random", as: "uuid", prefix: "", length: 36 }
      : { goes: "random", as: "text", prefix: commonPrefix(texts), length: last.length }
  }
  return { goes: "on", value: last }
}

const paramOf = (values: ReadonlyArray<unknown>): Param => {
  const last = values.at(-1)
  if (!Array.isArray(last)) return leafOf(values)
  const items = last.map((_, index) => leafOf(values.map((value) => (Array.isArray(value) ? value[index] : undefined))))
  return { goes: "each", items }
}

const textsOf = (merge: ReadonlyArray<Sent>): string => merge.map(({ text }) => text).join("\n;\n")

/** Learns from the last merges of an App, or undefined while they did not send the same texts. */
export const planOf = (app: string, merges: ReadonlyArray<ReadonlyArray<Sent>>): Plan | undefined => {
  const last = merges.at(-1)
  if (last === undefined || last.length === 0) return undefined
  if (merges.some((merge) => textsOf(merge) !== textsOf(last))) return undefined
  const statements = last.map(({ params, text }, statement) => ({
    text,
    params: params.map((_, param) => paramOf(merges.map((merge) => merge[statement]?.params[param])))
  }))
  return { app, statements }
}

const valueOf = (leaf: Leaf, count: number): unknown => {
  switch (leaf.goes) {
    case "on":
      return leaf.value
    case "up": {
      const value = leaf.last + count
      return leaf.as === "number" ? value : leaf.as === "bigint" ? BigInt(value) : String(value)
    }
    case "random": {
      if (leaf.as === "uuid") return randomUUID()
      if (leaf.as === "bytes") return randomBytes(leaf.length)
      const missing = leaf.length - leaf.prefix.length
      return leaf.prefix + randomBytes(missing).toString("hex").slice(0, missing)
    }
  }
}

/** The parameters of a statement when it is sent for the `count`th time after the recorded ones. */
export const paramsOf = ({ params }: Statement, count: number): ReadonlyArray<unknown> =>
  params.map((param) =>
    param.goes === "each" ? param.items.map((item) => valueOf(item, count)) : valueOf(param, count)
  )
