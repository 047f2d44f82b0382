// A plan as a script for pgbench. Each client has a subject of its own; what it sends each time the same it reads once, so that
// it goes over the wire as parameters, as from the store.

import { Effect } from "effect"
import { typesOf } from "../env/script.ts"
import type { Plan, Source, Step, Value } from "./plan.ts"

/** A text for the server in which pgbench sees no variable. */
const quoted = (value: unknown): string => {
  const text = typeof value === "object" ? JSON.stringify(value) : String(value)
  return `e'${text.replaceAll("\\", "\\\\").replaceAll("'", "''").replaceAll(":", "\\x3a")}'`
}

const referenceTo = (source: Source, own: string): string => {
  switch (source.from) {
    case "fixed":
      return source.value === null ? "null" : `:${own}`
    case "subject":
      return ":subject"
    case "answer": {
      const { column, isFirst, statement } = source.place
      const cell = `:a${statement}_${column}`
      return isFirst ? `split_part(btrim(${cell}::text, '{}'), ',', 1)` : cell
    }
    case "pieces":
      return `concat(${source.pieces.map((piece, index) => `${referenceTo(piece, `${own}_${index}`)}::text`).join(", ")})`
    case "count":
      throw new Error("what counts up is not sent by pgbench")
  }
}

const nameOf = (statement: number, param: number): string => `v${statement}_${param}`

/** What of a parameter is the same each time, each with the name of its variable. */
const fixedIn = (source: Source, own: string): ReadonlyArray<string> => {
  if (source.from === "pieces") return source.pieces.flatMap((piece, index) => fixedIn(piece, `${own}_${index}`))
  return source.from === "fixed" && source.value !== null ? [`${quoted(source.value)} as ${own}`] : []
}

const isOf =
  (statement: number) =>
  (value: Value): boolean =>
    value.from === "answer" && value.place.statement === statement

const usesAnswer = (plan: Plan, statement: number): boolean =>
  plan.some(({ sources }) =>
    sources.some((source) =>
      source.from === "pieces"
        ? source.pieces.some(isOf(statement))
        : source.from !== "count" && isOf(statement)(source)
    )
  )

const rendered = Effect.fnUntraced(function* (plan: Plan, step: Step, statement: number) {
  const types = yield* typesOf(step)
  const text = step.text.replaceAll(/\$(\d+)/g, (_, digits: string) => {
    const param = Number(digits) - 1
    const source = step.sources[param]
    return source === undefined ? "null" : `${referenceTo(source, nameOf(statement, param))}::${types[param]}`
  })
  return `${text.trim().replace(/;$/, "")}${usesAnswer(plan, statement) ? ` \\gset a${statement}_` : ";"}`
})

/** The script; `subject` is an expression over `:client_id`. */
export const scriptOf = Effect.fnUntraced(function* (plan: Plan, subject: string) {
  const fixed = plan.flatMap(({ sources }, statement) =>
    sources.flatMap((source, param) => fixedIn(source, nameOf(statement, param)))
  )
  const statements = yield* Effect.forEach(plan, (step, statement) => rendered(plan, step, statement))
  return [
    "\\if :ready = 0",
    `select ${[`${subject} as subject`, ...fixed].join(", ")} \\gset`,
    "\\set ready 1",
    "\\endif",
    ...statements,
    ""
  ].join("\n")
})
