// A plan as a script for pgbench. Each client has a subject of its own; what it sends each time the same it reads once, so that
// it goes over the wire as parameters, as from the store.

import { Effect } from "effect"
import { typesOf } from "../env/script.ts"
import type { Plan, Source, Step } from "./plan.ts"

const quoted = (value: unknown): string =>
  `'${(typeof value === "object" ? JSON.stringify(value) : String(value)).replaceAll("'", "''")}'`

const referenceTo = (source: Source, own: string): string => {
  switch (source.from) {
    case "fixed":
      return source.value === null ? "null" : `:${own}`
    case "subject":
      return ":subject"
    case "answer":
      return `:a${source.statement}_${source.column}`
    case "count":
      throw new Error("what counts up is not sent by pgbench")
  }
}

const nameOf = (statement: number, param: number): string => `v${statement}_${param}`

const rendered = Effect.fnUntraced(function* (plan: Plan, step: Step, statement: number) {
  const types = yield* typesOf(step)
  const text = step.text.replaceAll(/\$(\d+)/g, (_, digits: string) => {
    const param = Number(digits) - 1
    const source = step.sources[param]
    return source === undefined ? "null" : `${referenceTo(source, nameOf(statement, param))}::${types[param]}`
  })
  const isUsed = plan.some(({ sources }) => sources.some((one) => one.from === "answer" && one.statement === statement))
  return `${text.trim().replace(/;$/, "")}${isUsed ? ` \\gset a${statement}_` : ";"}`
})

/** The script; `subject` is an expression over `:client_id`. */
export const scriptOf = Effect.fnUntraced(function* (plan: Plan, subject: string) {
  const fixed = plan.flatMap(({ sources }, statement) =>
    sources.flatMap((source, param) =>
      source.from === "fixed" && source.value !== null ? [`${quoted(source.value)} as ${nameOf(statement, param)}`] : []
    )
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
