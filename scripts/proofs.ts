// Holds the documents against the last test run: a test that docs/guarantees.md names exists and has passed, every cell of
// its table names one or says why there is none, and every requirement that is said to be met is carried by a test that has
// passed. Run it after `npm test`. With LOCKKEEPER_TEST_REQUIRE=all, a test that was skipped has not passed.

import { readFileSync } from "node:fs"
import { proofTimes } from "./proofFiles.ts"
import { lastRun, type RunTest } from "./results.ts"

const notePattern = /^\[\^(?<note>[a-z0-9-]+)\]: `(?<file>[^`]+)`: (?<title>.+)$/
const rowPattern = /^\| (?<id>INV-\d+|[UKERHBX]\d+) \| .* \| (?<state>met|partly) \| (?<files>.*) ?\|$/

/** What a set of tests came to: the best of them counts. */
const stateOf = (tests: ReadonlyArray<RunTest>): RunTest["state"] | "missing" => {
  if (tests.length === 0) return "missing"
  if (tests.some(({ state }) => state === "failed")) return "failed"
  return tests.some(({ state }) => state === "passed") ? "passed" : "skipped"
}

const problemOf = (what: string, tests: ReadonlyArray<RunTest>, isStrict: boolean): ReadonlyArray<string> => {
  const state = stateOf(tests)
  if (state === "passed" || (state === "skipped" && !isStrict)) return []
  return [state === "missing" ? `${what} does not exist` : `${what} did not pass: ${state}`]
}

/** Cells of the table of what is shown by which test: all but the first of each row. */
const cellsOf = (text: string): ReadonlyArray<string> =>
  (text.split(/^## Shown by$/m)[1] ?? "")
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"))
    .slice(1)
    .flatMap((line) => line.split("|").slice(2, -1))
    .map((cell) => cell.trim())

/** What is wrong with docs/guarantees.md. */
export const guaranteeProblems = (
  text: string,
  run: ReadonlyArray<RunTest>,
  isStrict: boolean
): ReadonlyArray<string> => {
  const notes = text.split("\n").flatMap((line) => {
    const { file, note, title } = notePattern.exec(line)?.groups ?? {}
    return file === undefined || note === undefined || title === undefined ? [] : [{ file, note, title }]
  })
  const known = new Set(notes.map(({ note }) => note))
  const cells = cellsOf(text)
  const used = new Set(cells.flatMap((cell) => [...cell.matchAll(/\[\^([a-z0-9-]+)\]/g)].map(([, note = ""]) => note)))
  return [
    ...(cells.length === 0 ? ["there is no table of what is shown by which test"] : []),
    ...cells
      .filter((cell) => !cell.includes("[^") && !/^no: .{10,}/.test(cell))
      .map((cell) => `a cell names no test: "${cell}"`),
    ...[...used].filter((note) => !known.has(note)).map((note) => `[^${note}] is not explained`),
    ...[...known].filter((note) => !used.has(note)).map((note) => `[^${note}] is not used`),
    ...notes.flatMap(({ file, note, title }) =>
      problemOf(
        `[^${note}] ${file}: ${title}`,
        run.filter((test) => test.file === file && test.name.includes(title)),
        isStrict
      )
    )
  ]
}

/** What is wrong with docs/requirements.md. */
export const requirementProblems = (
  text: string,
  run: ReadonlyArray<RunTest>,
  isStrict: boolean
): ReadonlyArray<string> =>
  text.split("\n").flatMap((line) => {
    const { files = "", id } = rowPattern.exec(line)?.groups ?? {}
    if (id === undefined) return []
    const carried = run.filter(({ name }) => name.match(/\b(?:INV-\d+|[UKERHBX]\d+)\b/g)?.includes(id))
    const named = [...files.matchAll(/`([^`]+\.test\.ts)`/g)].map(([, file = ""]) => file)
    return [
      ...problemOf(`a test of ${id}`, carried, isStrict),
      ...named.flatMap((file) =>
        problemOf(
          `a test of ${id} in ${file}`,
          carried.filter((test) => test.file === file),
          isStrict
        )
      )
    ]
  })

const main = (): void => {
  const run = lastRun()
  if (run === undefined) {
    console.log("no test has run: npm test comes first")
    process.exitCode = 1
    return
  }
  const isStrict = process.env["LOCKKEEPER_TEST_REQUIRE"] === "all"
  const problems = [
    ...guaranteeProblems(readFileSync("docs/guarantees.md", "utf8"), run, isStrict),
    ...requirementProblems(readFileSync("docs/requirements.md", "utf8"), run, isStrict)
  ]
  for (const line of [...problems, ...proofTimes(run)]) console.log(line)
  console.log(`documents held against ${run.length} tests, ${problems.length} problems`)
  process.exitCode = problems.length > 0 ? 1 : 0
}

if (import.meta.main) main()
