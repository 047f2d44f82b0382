// What the benchmark of Env merges learns from recorded merges, and sends on in their place.

import { assert, describe, it } from "@effect/vitest"
import { paramsOf, planOf } from "../../bench/env/statements.ts"

const text = "update t set revision = $1, sealed = $2 where app = any($3) and revision = $4"

const merge = (revision: number, sealed: Uint8Array, ...more: ReadonlyArray<unknown>) => [
  { text, params: [revision, sealed, ["app_a"], [revision - 1], ...more] }
]

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill)

describe("statements of the benchmark", () => {
  it("counts on what counted up, also in arrays, and keeps what is sealed", () => {
    const plan = planOf("app_a", [merge(5, bytes(60, 1)), merge(6, bytes(60, 2)), merge(7, bytes(60, 3))])
    const [statement] = plan?.statements ?? []
    assert.isDefined(statement)
    assert.deepStrictEqual(paramsOf(statement, 1), [8, bytes(60, 3), ["app_a"], [7]])
    assert.deepStrictEqual(paramsOf(statement, 3), [10, bytes(60, 3), ["app_a"], [9]])
  })

  it("draws a new identifier of the same kind and size each time", () => {
    const ids = [1, 2, 3].map((digit) => `0000000${digit}-0000-4000-8000-000000000000`)
    const plan = planOf(
      "app_a",
      ids.map((id, index) => merge(5 + index, bytes(60, 1), id, `op_${index}abc`, bytes(16, index)))
    )
    const [statement] = plan?.statements ?? []
    assert.isDefined(statement)
    const [first, second] = [paramsOf(statement, 1).slice(4), paramsOf(statement, 2).slice(4)]
    const [id, name, binary] = first
    assert.match(String(id), /^[0-9a-f-]{36}$/)
    assert.match(String(name), /^op_[0-9a-f]{4}$/)
    assert.strictEqual(binary instanceof Uint8Array && binary.length, 16)
    assert.notDeepEqual(first, second)
  })

  it("learns nothing while merges send different statements", () => {
    const [sent] = merge(6, bytes(60, 1))
    assert.isDefined(sent)
    assert.isUndefined(planOf("app_a", [merge(5, bytes(60, 1)), [sent, { text: "select 1", params: [] }]]))
    assert.isUndefined(planOf("app_a", [[], []]))
  })
})
