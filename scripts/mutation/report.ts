// docs/mutation.md: of each mutation what became of it, and when it was last tried.

import type { Verdict } from "./attempt.ts"
import type { LeftOut, Mutation } from "./Guard.ts"

/** A mutation and what became of it. */
export interface Tried {
  readonly mutation: Mutation
  readonly verdict: Verdict
}

/** What became of a mutation when it was last tried, as the page says it. */
export interface Result {
  readonly said: string
  /** `YYYY-MM-DD`. */
  readonly on: string
}

/** What the page says of mutations, by {@link rowOf}. */
export type Results = ReadonlyMap<string, Result>

const outcomes = ["killed", "survived", "invalid", "not tried"] as const

/** How many mutations came to each outcome, in words. */
export const countsOf = (of: ReadonlyArray<Verdict["outcome"]>): string =>
  outcomes.map((outcome) => `${of.filter((one) => one === outcome).length} ${outcome}`).join(", ")

/** What says which mutation a row of the page is about. */
export const rowOf = (mutation: Mutation): string => row([...cellsOf(mutation), mutation.says])

/** What a verdict comes to on the page. */
export const resultOf = ({ verdict }: Tried, on: string): Result => ({ said: cell(saidOf(verdict)), on })

/** What an earlier page says. */
export const resultsIn = (page: string): Results =>
  new Map(
    page.split("\n").flatMap((line) => {
      const { about, on, said } =
        /^(?<about>\| .* \|) (?<said>.*) \| (?<on>\d{4}-\d\d-\d\d) \|$/.exec(line)?.groups ?? {}
      return about === undefined || said === undefined || on === undefined ? [] : [[about, { said, on }] as const]
    })
  )

const untried: Result = { said: "not tried", on: "never" }

/** The document: what is known of all mutations. */
export const reportOf = (
  mutations: ReadonlyArray<Mutation>,
  results: Results,
  leftOut: ReadonlyArray<LeftOut>
): string => {
  const guards = new Set([...mutations, ...leftOut].flatMap(({ file, guards }) => guards.map((it) => `${file} ${it}`)))
  const known = mutations.map((mutation) => [mutation, results.get(rowOf(mutation)) ?? untried] as const)
  const rows = known.map(([mutation, { on, said }]) => `${rowOf(mutation)} ${said} | ${on} |`)
  const reasons = leftOut.map((entry) => row([...cellsOf(entry), entry.reason]))
  return [
    "# Guards and the tests that notice when one is gone",
    "",
    "Each guard of the sources is taken away alone, and a test has to fail. Written by `npm run test:mutation`: " +
      `${guards.size} guards, ${mutations.length} mutations (${countsOf(known.map(([, { said }]) => outcomeOf(said)))}), ` +
      `${leftOut.length} reasons to leave guards out.`,
    "",
    "`npm run test:mutation` tries all of them; `-- --only PostgresJournal` tries those whose file, guard or description says so, `-- --rest` those that this page says nothing of, `-- --sample 10 --seed 3` some at random, `-- --list` none. What is tried is written here with its day. A mutation that does not compile, or whose SQL makes no sense, does not count as noticed; tests that do not end in time count only when they usually take less than a third of it. `scripts/mutation/lists` holds the mutations and the reasons; `npm run lint` fails on a guard that is in neither.",
    "",
    "## Mutations",
    "",
    row(["file", "guard", "mutation", "noticed by", "tried on"]),
    row(["---", "---", "---", "---", "---"]),
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

/** The other way round from what {@link saidOf} says. */
const outcomeOf = (said: string): Verdict["outcome"] => {
  if (said === survived) return "survived"
  return outcomes.find((outcome) => said === outcome || said.startsWith(`${outcome}: `)) ?? "killed"
}

const cellsOf = ({ file, guards }: { readonly file: string; readonly guards: ReadonlyArray<string> }) => [
  file.replace(/^packages\//, "").replace("/src/", "/"),
  guards.map((guard) => `\`${guard}\``).join(", ")
]

const cell = (text: string): string => text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|")

const row = (cells: ReadonlyArray<string>): string => `| ${cells.map(cell).join(" | ")} |`

const survived = "**nothing**"

const saidOf = (verdict: Verdict): string => {
  switch (verdict.outcome) {
    case "killed":
      return verdict.by
    case "survived":
      return survived
    case "invalid":
    case "not tried":
      return `${verdict.outcome}: ${verdict.problem}`
  }
}
