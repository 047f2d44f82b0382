// Tries one mutation: whether it compiles, and whether a test fails on it.

import type { Compile } from "./compile.ts"
import { edit } from "./edit.ts"
import type { ErrorWatch } from "./errorWatch.ts"
import type { Mutation } from "./Guard.ts"
import { runTests, type TestRun } from "./testRun.ts"
import type { Workspace } from "./workspace.ts"

/** What became of a mutation. Only `killed` is as it should be; `invalid` is a mistake in the list. */
export type Verdict =
  | { readonly outcome: "killed"; readonly by: string; readonly message: string }
  | { readonly outcome: "survived" }
  | { readonly outcome: "invalid"; readonly problem: string }
  | { readonly outcome: "not tried"; readonly problem: string }

/** What trying needs. */
export interface Bench {
  readonly workspace: Workspace
  readonly compile: Compile
  readonly database: ErrorWatch
  /** How the tests end without any mutation. */
  readonly baseline: TestRun
  /** What the database says of statements without any mutation. */
  readonly usual: ReadonlySet<string>
  readonly signal?: AbortSignal | undefined
}

/** How long the tests of one mutation may take. */
export const limitSeconds = 150

/** Tries a mutation whose file has this text. */
export const attempt = async (bench: Bench, mutation: Mutation, text: string): Promise<Verdict> => {
  const edited = edit(text, mutation)
  if (!edited.ok) return { outcome: "invalid", problem: edited.problem }
  const [problem] = bench.compile(mutation.file, edited.text)
  if (problem !== undefined) return { outcome: "invalid", problem: `it does not compile: ${problem}` }

  const { database, signal, workspace } = bench
  const { named, tests: files } = mutation
  database.take()
  const request = { root: workspace.root, files, named, databaseUrl: database.url, limitSeconds, signal }
  const run = await workspace.during(mutation.file, edited.text, () => runTests(request))
  const senseless = [...database.take()].find((said) => !bench.usual.has(said))
  if (senseless !== undefined) return { outcome: "invalid", problem: `its SQL makes no sense: ${senseless}` }
  return verdictOf(run, bench.baseline, mutation)
}

const verdictOf = (run: TestRun, baseline: TestRun, { tests }: Mutation): Verdict => {
  if (run.timedOut) {
    const usually = tests.reduce((sum, file) => sum + (baseline.seconds.get(file) ?? limitSeconds), 0)
    return usually * 3 < limitSeconds
      ? { outcome: "killed", by: "the time limit", message: `usually ${usually.toFixed(0)} s` }
      : { outcome: "invalid", problem: `no end within ${limitSeconds} s, and usually ${usually.toFixed(0)} s` }
  }
  const { failure } = run
  if (failure === undefined) {
    return run.passed > 0 ? { outcome: "survived" } : { outcome: "invalid", problem: "its tests do not run" }
  }
  return failure.isTest
    ? { outcome: "killed", by: failure.name, message: failure.message }
    : { outcome: "invalid", problem: `${failure.name} cannot be loaded: ${failure.message}` }
}
