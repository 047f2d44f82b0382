// The statements of a merge as a script for pgbench. Each client has an App of its own; what it sends for it stands in a
// table, is read once and sent as parameters, so that as many bytes go over the wire as from the store.

import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Leaf, Param, Plan, Statement } from "./statements.ts"

/** A script, the table that it begins with, and which columns of it count up. */
export interface Script {
  readonly text: string
  readonly table: string
  readonly plans: ReadonlyArray<Plan>
}

interface Variable {
  readonly name: string
  readonly leaf: Leaf
}

const literalOf = (value: unknown): string =>
  value instanceof Uint8Array
    ? `\\x${Buffer.from(value).toString("hex")}`
    : value instanceof Date
      ? value.toISOString()
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value)

const isKept = ({ leaf }: Variable): boolean => leaf.goes === "up" || (leaf.goes === "on" && leaf.value !== null)

const variablesOf = (params: ReadonlyArray<Param>, statement: number): ReadonlyArray<ReadonlyArray<Variable>> =>
  params.map((param, index) =>
    (param.goes === "each" ? param.items : [param]).map((leaf, item) => ({
      name: `v${statement}_${index}_${item}`,
      leaf
    }))
  )

const random = "replace(gen_random_uuid()::text, '-', '')"

const referenceTo = ({ leaf, name }: Variable): string => {
  if (leaf.goes === "on" && leaf.value === null) return "null"
  if (leaf.goes !== "random") return `:${name}`
  const { as, length, prefix } = leaf
  if (as === "uuid") return "gen_random_uuid()"
  if (as === "bytes") return `decode(left(${random} || ${random}, ${length * 2}), 'hex')`
  return `('${prefix.replaceAll("'", "''")}' || left(${random} || ${random}, ${length - prefix.length}))`
}

const rendered = (statement: Statement, index: number, types: ReadonlyArray<string>): string => {
  const variables = variablesOf(statement.params, index)
  if (/(?<!:):\w/.test(statement.text)) {
    throw new Error(`pgbench would take a part of this for a variable: ${statement.text}`)
  }
  const text = statement.text.replaceAll(/\$(\d+)/g, (_, digits: string) => {
    const position = Number(digits) - 1
    const [type = "text", all = []] = [types[position], variables[position]]
    const isList = statement.params[position]?.goes === "each"
    const references = all.map(referenceTo)
    return isList ? `array[${references.join(", ")}]::${type}` : `${references[0] ?? "null"}::${type}`
  })
  return `${text.trim().replace(/;$/, "")};`
}

/** What the server takes the parameters of a statement for. */
export const typesOf = Effect.fnUntraced(function* ({
  params,
  text
}: {
  params: ReadonlyArray<unknown>
  text: string
}) {
  if (params.length === 0) return []
  const sql = yield* SqlClient.SqlClient
  const connection = yield* sql.reserve
  yield* connection.executeUnprepared(`prepare bench_types as ${text}`, [], undefined)
  const rows = yield* connection.executeValuesUnprepared(
    "select unnest(parameter_types)::text from pg_prepared_statements where name = 'bench_types'",
    []
  )
  yield* connection.executeUnprepared("deallocate bench_types", [], undefined)
  return rows.map(([type]) => String(type))
}, Effect.scoped)

/** Writes down what the clients send, one App for each, and answers the script. */
export const makeScript = Effect.fnUntraced(function* (table: string, plans: ReadonlyArray<Plan>) {
  const sql = yield* SqlClient.SqlClient
  const [plan] = plans
  if (plan === undefined) return yield* Effect.die(new Error("there is nothing to replay"))
  const flat = (of: Plan) =>
    of.statements.flatMap(({ params }, index) => variablesOf(params, index).flat()).filter(isKept)
  const variables = flat(plan)
  const columns = variables.map(({ leaf, name }) => `${name} ${leaf.goes === "up" ? "bigint" : "text"}`)
  yield* sql.unsafe(`create table ${table} (client integer primary key, ${columns.join(", ")})`)
  for (const [client, each] of plans.entries()) {
    const values = flat(each).map(({ leaf }) =>
      leaf.goes === "up" ? leaf.last : leaf.goes === "on" ? literalOf(leaf.value) : null
    )
    yield* sql.unsafe(`insert into ${table} values (${[client, ...values].map((_, at) => `$${at + 1}`).join(", ")})`, [
      client,
      ...values
    ])
  }

  const statements: Array<string> = []
  for (const [index, statement] of plan.statements.entries()) {
    statements.push(rendered(statement, index, yield* typesOf(statement)))
  }
  const names = variables.map(({ name }) => name)
  const text = [
    "\\if :ready = 0",
    `select ${names.join(", ")} from ${table} where client = :client_id \\gset`,
    "\\set ready 1",
    "\\endif",
    ...variables.filter(({ leaf }) => leaf.goes === "up").map(({ name }) => `\\set ${name} :${name} + 1`),
    ...statements,
    ""
  ].join("\n")
  const script: Script = { text, table, plans }
  return script
})

/** Lets the next start of a script go on where the Apps are by now: `done` merges further, in the order of the clients. */
export const advance = Effect.fnUntraced(function* ({ plans, table }: Script, done: ReadonlyArray<number>) {
  const sql = yield* SqlClient.SqlClient
  const [plan] = plans
  const counting = (plan?.statements ?? [])
    .flatMap(({ params }, index) => variablesOf(params, index).flat())
    .filter(({ leaf }) => leaf.goes === "up")
    .map(({ name }) => `${name} = ${name} + $2`)
  for (const [client, count] of done.entries()) {
    yield* sql.unsafe(`update ${table} set ${counting.join(", ")} where client = $1`, [client, count])
  }
})
