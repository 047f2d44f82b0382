// What the last test run came to: written by the reporter of the tests, read by the checks of documents.

import { readFileSync } from "node:fs"

/** Where the last run wrote what it ran. */
export const resultsFile = "node_modules/.cache/lockkeeper/tests.json"

/** One test of a run. `name` is that of its suites and its own, with ` > ` between them. */
export interface RunTest {
  /** The runtime that it was on: `main` or `docker`. */
  readonly project: string
  readonly file: string
  readonly name: string
  readonly state: "passed" | "failed" | "skipped" | "pending"
  /** When it began, in seconds since 1970. */
  readonly began: number
  readonly seconds: number
}

/** Reads it; undefined where no test has run. */
export const lastRun = (): ReadonlyArray<RunTest> | undefined => {
  try {
    return JSON.parse(readFileSync(resultsFile, "utf8"))
  } catch {
    return undefined
  }
}
