// The check that holds documents against the last test run.
import { assert, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import { proofFiles, proofTimes, soaked } from "../../scripts/proofFiles.ts"
import { guaranteeProblems, requirementProblems } from "../../scripts/proofs.ts"
import type { RunTest } from "../../scripts/results.ts"

const ran = (name: string, state: RunTest["state"] = "passed", file = "a.test.ts"): RunTest => ({
  project: "main",
  file,
  name,
  state,
  began: 100,
  seconds: 1.5
})

const guarantees = (cell: string, note: string): string =>
  `# What\n\n| what | holds |\n| --- | --- |\n| a | b |\n\n## Shown by\n\n| what | kill |\n| --- | --- |\n| Env | ${cell} |\n\n${note}\n`

const note = "[^e1]: `a.test.ts`: E1 keeps every change"

describe("proofs", () => {
  it("K14 are as the documents say when the named tests have passed", () => {
    const run = [ran("envs > E1 keeps every change"), ran("E1 keeps every change", "skipped", "b.test.ts")]
    assert.deepStrictEqual(guaranteeProblems(guarantees("kept[^e1]", note), run, true), [])
    assert.deepStrictEqual(requirementProblems("| E1 | a rule | met | `a.test.ts` |", run, true), [])
  })

  it("K14 are not when a named test is not there, has failed or, where all are required, was skipped", () => {
    const text = guarantees("kept[^e1]", note)
    const what = "[^e1] a.test.ts: E1 keeps every change"
    assert.deepStrictEqual(guaranteeProblems(text, [ran("E1 keeps", "passed")], false), [`${what} does not exist`])
    assert.deepStrictEqual(guaranteeProblems(text, [ran("E1 keeps every change", "failed")], false), [
      `${what} did not pass: failed`
    ])
    const skipped = [ran("E1 keeps every change", "skipped")]
    assert.deepStrictEqual(guaranteeProblems(text, skipped, false), [])
    assert.deepStrictEqual(guaranteeProblems(text, skipped, true), [`${what} did not pass: skipped`])
  })

  it("K14 need a test or a reason in each cell, and each note once explained and used", () => {
    const run = [ran("E1 keeps every change")]
    assert.deepStrictEqual(guaranteeProblems(guarantees("", note), run, true), [
      'a cell names no test: ""',
      "[^e1] is not used"
    ])
    assert.deepStrictEqual(guaranteeProblems(guarantees("kept[^e2]", ""), run, true), ["[^e2] is not explained"])
    assert.deepStrictEqual(guaranteeProblems(guarantees("no: there is nothing to be killed", ""), run, true), [])
    assert.deepStrictEqual(guaranteeProblems("# What\n", run, true), [
      "there is no table of what is shown by which test"
    ])
  })

  it("K14 need a test that has passed for each requirement that is said to be met, in each file that is named", () => {
    const row = "| E1 | a rule | partly | `a.test.ts`, `packages/core/src/testing/EnvStoreContract.ts` |"
    assert.deepStrictEqual(requirementProblems(row, [ran("E10 is another one")], false), [
      "a test of E1 does not exist",
      "a test of E1 in a.test.ts does not exist"
    ])
    assert.deepStrictEqual(requirementProblems(row, [ran("E1 here", "passed", "b.test.ts")], false), [
      "a test of E1 in a.test.ts does not exist"
    ])
  })

  it("K14 are counted with the time that they took on each runtime, and nothing else is", () => {
    const [file = ""] = soaked
    const models = "packages/core/test/models/models.test.ts"
    const run = [
      ran("a", "passed", file),
      { ...ran("at the same time", "passed", file), began: 100.5 },
      { ...ran("b", "passed", models), began: 101, seconds: 3 },
      { ...ran("c", "passed", "a.test.ts"), seconds: 100 },
      { ...ran("a", "passed", file), project: "docker", began: 200 },
      { ...ran("one size", "passed", "packages/core/test/contracts.test.ts"), began: 300, seconds: 4 },
      { ...ran("skipped", "skipped", models), began: 0, seconds: 0 }
    ]
    assert.deepStrictEqual(proofTimes(run), [
      "docker: proofs of 1 tests took 2 s of the workers",
      "main: proofs of 4 tests took 9 s of the workers",
      "proofs of two sizes were going on for 6 s, all proofs for 10 s"
    ])
    assert.deepStrictEqual(proofTimes([ran("c")]), [])
  })

  it("K14 are in files that there are", () => {
    assert.deepStrictEqual(
      proofFiles.filter((path) => !existsSync(path)),
      []
    )
  })
})
