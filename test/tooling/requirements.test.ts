// The check that holds docs/requirements.md against the tests.
import { assert, describe, it } from "@effect/vitest"
import { idsIn, update } from "../../scripts/requirements.ts"

const row = (state: string, tests: string): string => `| E1 | one change after the other | ${state} | ${tests} |`

describe("requirements", () => {
  it("finds the ids in names of tests, suites and laws, and nowhere else", () => {
    const source = [
      'it.effect("E1 keeps every change (INV-5)", () => run("K1"))',
      'describe("U4: releases", () => {})',
      'it.live(\n  "R9 refuses", () => {})',
      'law(\n  "H22",\n  "…")',
      'live("X13 answers", () => {})',
      "// B15 is only mentioned"
    ].join("\n")
    assert.deepStrictEqual([...idsIn(source)].sort(), ["E1", "H22", "INV-5", "R9", "U4", "X13"])
  })

  it("K14 writes the files of a row and says nothing when all is as it should be", () => {
    const { text, problems } = update(row("met", ""), new Map([["E1", ["a.test.ts"]]]))
    assert.deepStrictEqual(problems, [])
    assert.strictEqual(text, row("met", "`a.test.ts`"))
  })

  it("K14 names a row that claims to be met without a test, and a tested id without a row", () => {
    const { problems } = update(row("partly", ""), new Map([["K1", ["a.test.ts"]]]))
    assert.deepStrictEqual(problems, ["E1 is said to be partly, and no test carries it", "K1 is tested and has no row"])
  })
})
