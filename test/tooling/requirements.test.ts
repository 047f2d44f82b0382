// The check that holds docs/requirements.md against the tests.
import { assert, describe, it } from "@effect/vitest"
import { idsIn, update } from "../../scripts/requirements.ts"

const row = (state: string, tests: string): string => `| E1 | one change after the other | ${state} | ${tests} |`

describe("requirements", () => {
  it("finds the ids in names of tests, suites and laws, and nowhere else", () => {
    const text = [
      'it.effect("E1 keeps every change (INV-5)", () => run("K1"))',
      'describe("U4: releases", () => {})',
      'it.live(\n  "R9 refuses", () => {})',
      'law(\n  "H22",\n  "…")',
      'live("X13 answers", () => {})',
      'it.effect.each([\n  "K2",\n])(\n  "U3 X5: is cancelled while %s", () => {})',
      'const serial = "INV-7: leaves nothing"\nit.live(serial, () => {})',
      'describeWith("pgbouncer")("K11: behind PgBouncer", () => {})',
      "live(`K12 of ${what}`, () => {})",
      'const other = "H1 is no name of a test"',
      "// B15 is only mentioned"
    ].join("\n")
    const expected = ["E1", "H22", "INV-5", "INV-7", "K11", "K12", "R9", "U3", "U4", "X13", "X5"]
    assert.deepStrictEqual([...idsIn({ path: "a.test.ts", text })].sort(), expected)
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
