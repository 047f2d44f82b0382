// Writes what a run over all mutations came to as docs/mutation.md.

import type { Verdict } from "./attempt.ts"
import type { LeftOut, Mutation } from "./Guard.ts"

/** A mutation and what became of it. */
export interface Tried {
  readonly mutation: Mutation
  readonly verdict: Verdict
}

/** How many mutations came to each outcome, in words. */
export const countsOf = (tried: ReadonlyArray<Tried>): string =>
  (["killed", "survived", "invalid", "not tried"] as const)
    .map((outcome) => `${tried.filter(({ verdict }) => verdict.outcome === outcome).length} ${outcome}`)
    .join(", ")

/** The document. */
export const reportOf = (tried: ReadonlyArray<Tried>, leftOut: ReadonlyArray<LeftOut>, date: string): string => {
  const entries = [...tried.map(({ mutation }) => mutation), ...leftOut]
  const guards = new Set(entries.flatMap(({ file, guards }) => guards.map((guard) => `${file} ${guard}`)))
  const rows = tried.map(({ mutation, verdict }) => row([...cellsOf(mutation), mutation.says, resultOf(verdict)]))
  const reasons = leftOut.map((entry) => row([...cellsOf(entry), entry.reason]))
  return [
    "# Guards and the tests that notice when one is gone",
    "",
    `Each guard of the sources is taken away alone, and a test has to fail. Written by \`npm run test:mutation\` on ${date}: ` +
      `${guards.size} guards, ${tried.length} mutations (${countsOf(tried)}), ${leftOut.length} reasons to leave guards out.`,
    "",
    "`npm run test:mutation` tries all of them and writes this page; `-- --only PostgresJournal` tries those whose file, guard or description says so, `-- --sample 10 --seed 3` some at random, `-- --list` none. A mutation that does not compile, or whose SQL makes no sense, does not count as noticed; tests that do not end in time count only when they usually take less than a third of it. `scripts/mutation/lists` holds the mutations and the reasons; `npm run lint` fails on a guard that is in neither.",
    "",
    "## Mutations",
    "",
    row(["file", "guard", "mutation", "noticed by"]),
    row(["---", "---", "---", "---"]),
    ...rows,
    "",
    "## Left out",
    "",
    row(["file", "guard", "reason"]),
    row(["---", "---", "---"]),
    ...reasons,
    ""
  ].join("\n")
}

const cellsOf = ({ file, guards }: { readonly file: string; readonly guards: ReadonlyArray<string> }) => [
  file.replace(/^packages\//, "").replace("/src/", "/"),
  guards.map((guard) => `\`${guard}\``).join(", ")
]

const row = (cells: ReadonlyArray<string>): string =>
  `| ${cells.map((cell) => cell.replaceAll(/\s+/g, " ").replaceAll("|", "\\|")).join(" | ")} |`

const resultOf = (verdict: Verdict): string => {
  switch (verdict.outcome) {
    case "killed":
      return verdict.by
    case "survived":
      return "**nothing**"
    case "invalid":
    case "not tried":
      return `${verdict.outcome}: ${verdict.problem}`
  }
}
