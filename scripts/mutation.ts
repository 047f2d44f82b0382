// Takes each guard away, alone and in a copy of the sources, and demands that a test fails. `npm run test:mutation`.
// The list is in scripts/mutation/lists; docs/mutation.md says what became of each.

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { capability } from "../test/harness/capability.ts"
import { attempt, type Bench, limitSeconds } from "./mutation/attempt.ts"
import { compiler } from "./mutation/compile.ts"
import { watchErrors } from "./mutation/errorWatch.ts"
import type { Mutation } from "./mutation/Guard.ts"
import { listed } from "./mutation/listed.ts"
import { chosen, optionsOf } from "./mutation/options.ts"
import { countsOf, reportOf, resultOf, resultsIn, rowOf, type Tried } from "./mutation/report.ts"
import { startServer } from "./mutation/server.ts"
import { runTests } from "./mutation/testRun.ts"
import { copyOf } from "./mutation/workspace.ts"

const options = optionsOf(process.argv.slice(2))
const page = "docs/mutation.md"
const results = new Map(resultsIn(readFileSync(page, "utf8")))
const mutations = chosen(listed.mutations, options, (mutation) => results.has(rowOf(mutation)))

/** Tells what became of a mutation, and writes it down at once: a run takes long, and may be stopped. */
const keep = (tried: Tried): void => {
  line(tried.verdict.outcome, tried.mutation, detailOf(tried.verdict))
  if (tried.verdict.outcome === "not tried") return
  results.set(rowOf(tried.mutation), resultOf(tried, new Date().toISOString().slice(0, 10)))
  writeFileSync(page, reportOf(listed.mutations, results, listed.leftOut))
}

const stop = new AbortController()
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())

const line = (outcome: string, { file, says }: Mutation, detail: string): void =>
  console.log(
    `${outcome.padEnd(9)} ${file.replace(/^packages\//, "")}: ${says}${detail === "" ? "" : `\n          ${detail}`}`
  )

/** The tests of all mutations have to pass without any, or nothing that follows would mean anything. */
const benchOf = async (own: ReadonlyArray<Mutation>, bench: Omit<Bench, "baseline" | "usual">): Promise<Bench> => {
  const files = [...new Set(own.flatMap(({ tests }) => tests))]
  const { database, workspace } = bench
  console.log(`running ${files.length} files of tests without any mutation`)
  const request = { root: workspace.root, files, databaseUrl: database.url, limitSeconds: 1_200, signal: stop.signal }
  const baseline = await runTests(request)
  if (baseline.timedOut || baseline.failure !== undefined || baseline.passed === 0) {
    throw new Error(`the tests do not pass without a mutation: ${baseline.failure?.name}: ${baseline.failure?.message}`)
  }
  return { ...bench, baseline, usual: database.take(), signal: stop.signal }
}

const tryAll = async (own: ReadonlyArray<Mutation>): Promise<ReadonlyArray<Tried>> => {
  const isMissing = ({ needs }: Mutation): boolean => needs !== undefined && !capability(needs)
  const workspace = copyOf(process.cwd())
  const server = await startServer()
  const database = await watchErrors(server.url)
  try {
    const possible = own.filter((mutation) => !isMissing(mutation))
    const bench = await benchOf(possible, { workspace, compile: compiler(process.cwd()), database })
    const tried: Array<Tried> = []
    for (const mutation of own) {
      const text = readFileSync(join(workspace.root, mutation.file), "utf8")
      const verdict = isMissing(mutation)
        ? ({ outcome: "not tried", problem: `this machine has no ${mutation.needs}` } as const)
        : await attempt(bench, mutation, text)
      if (stop.signal.aborted) throw new Error("stopped")
      tried.push({ mutation, verdict })
      keep({ mutation, verdict })
    }
    return tried
  } finally {
    database.close()
    await server.stop()
    workspace.remove()
  }
}

const detailOf = (verdict: Tried["verdict"]): string => {
  if (verdict.outcome === "survived") return ""
  if (verdict.outcome !== "killed") return verdict.problem
  return `${verdict.by}\n          ${verdict.message.split("\n")[0]}`
}

if (options.list) {
  for (const mutation of mutations) line("", mutation, mutation.guards.join("; "))
  console.log(`${mutations.length} mutations of ${listed.mutations.length}, at most ${limitSeconds} s each`)
} else {
  const tried = await tryAll(mutations)
  console.log(`${tried.length} mutations: ${countsOf(tried.map(({ verdict }) => verdict.outcome))}`)
  const isGood = tried.every(({ verdict }) => verdict.outcome === "killed" || verdict.outcome === "not tried")
  process.exitCode = isGood && tried.length > 0 ? 0 : 1
}
