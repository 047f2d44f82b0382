// Reads a JUnit XML file, as most test runners write one. It is data of a stranger: a document type, and with it every entity
// of its own, is refused, the parser is strict, and nothing of the file is executed, fetched or shown.
import { type ResultReader, ResultUnreadable } from "@lockkeeper/core/domain/StepResult"
import type { Metrics } from "@lockkeeper/core/domain/Verdict"
import { Result } from "effect"
import { SaxesParser } from "saxes"

/**
 * Counts the test cases of a JUnit file: `tests`, and of them `passed`, `failures`, `errors` and `skipped`, each case once;
 * `seconds` is how long all took, where each of them says it. The cases count, not what a suite says of itself. Of a file
 * without a case there is `tests` alone, so that a Threshold for failures is inconclusive.
 */
export const junitMetrics: ResultReader = (bytes) =>
  Result.try({
    try: () => metricsOf(counted(new TextDecoder("utf-8", { fatal: true }).decode(bytes))),
    catch: (cause) => new ResultUnreadable({ detail: cause instanceof Refused ? cause.message : "is not XML in UTF-8" })
  })

class Refused extends Error {}

const maxDepth = 64

type Outcome = "passed" | "skipped" | "failures" | "errors"

interface Counted extends Record<Outcome, number> {
  seconds: number
}

const outcomes: Readonly<Record<string, Outcome>> = { error: "errors", failure: "failures", skipped: "skipped" }
const ranks: ReadonlyArray<Outcome> = ["passed", "skipped", "failures", "errors"]

const counted = (text: string): Counted => {
  const counts: Counted = { passed: 0, failures: 0, errors: 0, skipped: 0, seconds: 0 }
  const path: Array<string> = []
  let outcome: Outcome = "passed"

  const parser = new SaxesParser({ xmlns: false })
  parser.on("error", (error) => {
    throw error
  })
  parser.on("doctype", () => {
    throw new Refused("has a document type, which is not read")
  })
  parser.on("opentag", ({ attributes, name }) => {
    if (path.length === 0 && name !== "testsuites" && name !== "testsuite") throw new Refused("is not a JUnit file")
    if (path.length === maxDepth) throw new Refused(`has elements in one another, more than ${maxDepth} deep`)
    if (path.at(-1) === "testcase") outcome = worse(outcome, outcomeOf(name))
    if (name === "testcase") {
      if (path.includes(name)) throw new Refused("has a test case in another")
      outcome = "passed"
      counts.seconds += secondsOf(attributes["time"])
    }
    path.push(name)
  })
  parser.on("closetag", () => {
    if (path.pop() === "testcase") counts[outcome]++
  })
  parser.write(text).close()
  return counts
}

const outcomeOf = (name: string): Outcome => (Object.hasOwn(outcomes, name) ? (outcomes[name] ?? "passed") : "passed")

const worse = (one: Outcome, other: Outcome): Outcome => (ranks.indexOf(one) < ranks.indexOf(other) ? other : one)

/** NaN where it is not said, which makes the sum NaN too. Some write thousands with commas. */
const secondsOf = (time: string = ""): number => {
  const text = time.replaceAll(",", "")
  return /^\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : NaN
}

const metricsOf = ({ seconds, ...counts }: Counted): Metrics => {
  const tests = counts.passed + counts.failures + counts.errors + counts.skipped
  if (tests === 0) return { tests }
  return { tests, ...counts, ...(Number.isFinite(seconds) ? { seconds } : {}) }
}
