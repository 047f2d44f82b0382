// Runs the proofs again and again with other cases each time, for as long as it is told, and writes down what was tried:
// `npm run test:soak -- --minutes 30 --seed 7`. A failure ends it, and its seed makes it happen again. When the time is over
// it ends with the file of tests that is running.

import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { soaked } from "./proofFiles.ts"

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "10" }, seed: { type: "string", default: "1" } }
})
const minutes = Number(values.minutes)
const first = Number(values.seed)
const until = Date.now() + minutes * 60_000
const directory = mkdtempSync(join(tmpdir(), "lockkeeper-soak-"))
const report = join(directory, "report")

interface Counted {
  readonly proof: string
  readonly counts: Readonly<Record<string, number>>
}

const isOver = (): boolean => Date.now() >= until

const passes = (seed: number, share: number, files: ReadonlyArray<string>): boolean => {
  const env = {
    ...process.env,
    LOCKKEEPER_SOAK_SEED: String(seed),
    LOCKKEEPER_SOAK_SHARE: String(share),
    LOCKKEEPER_SOAK_REPORT: report,
    FC_SEED: String(seed),
    ...(share > 0 ? { FC_RUNS: String(Math.round(1_000 * share)), SOAK: "1" } : {})
  }
  const args = ["vitest", "run", "--bail", "1", "--testTimeout", "3600000", ...files]
  return spawnSync("npx", args, { env, stdio: "inherit" }).status === 0
}

const counted = (): ReadonlyArray<Counted> =>
  existsSync(report)
    ? readFileSync(report, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line): Counted => JSON.parse(line))
    : []

const sums = (): ReadonlyArray<string> =>
  [...Map.groupBy(counted(), ({ proof }) => proof)].sort().map(([proof, all]) => {
    const names = new Set(all.flatMap(({ counts }) => Object.keys(counts)))
    const sum = (name: string): number => all.reduce((total, { counts }) => total + (counts[name] ?? 0), 0)
    return `| ${proof} | ${[...names].map((name) => `${sum(name)} ${name}`).join(", ")} |`
  })

/** How far it came: with which seeds, and in the last round through how many files. */
interface Progress {
  readonly seed: number
  readonly files: number
  readonly failed: string | undefined
}

const told = ({ failed, files, seed }: Progress): string => {
  const found = failed === undefined ? "nothing was found" : `a failure at seed ${seed} in \`${failed}\``
  const round = seed === first ? "the small round" : `${files} of ${soaked.length} files of the round`
  return `${found}, with seeds ${first} to ${seed}; the last one went through ${round}`
}

const write = (progress: Progress): void => {
  const lines = [
    "# Soak",
    "",
    "The proofs again and again, with other cases each time: one round as small as in `npm test`, then rounds in which a fifth of all failpoints is tried, every order of statements, and more of what has no end.",
    "",
    "```sh",
    `npm run test:soak -- --minutes ${minutes} --seed ${first}`,
    "```",
    "",
    `Last result, ${new Date().toISOString().slice(0, 10)}: ${told(progress)}.`,
    "",
    "| proof | what was tried |",
    "| --- | --- |",
    ...sums(),
    ""
  ]
  writeFileSync("perf/soak.md", lines.join("\n"))
  spawnSync("npx", ["prettier", "--write", "perf/soak.md"])
}

/** The files of the proofs, from another one on each time, so that none is always the last. */
const orderOf = (seed: number): ReadonlyArray<string> => {
  const start = seed % soaked.length
  return [...soaked.slice(start), ...soaked.slice(0, start)]
}

/** A round with more of everything, file by file. */
const wholeRound = (seed: number): boolean => {
  let files = 0
  for (const file of orderOf(seed)) {
    if (isOver()) return true
    const failed = passes(seed, 0.2, [file]) ? undefined : file
    write({ seed, files: ++files, failed })
    if (failed !== undefined) return false
  }
  return true
}

// The first round is as small as in `npm test`, so that a mistake shows at once.
let isGood = passes(first, 0, soaked)
write({ seed: first, files: soaked.length, failed: isGood ? undefined : "the small round" })
for (let seed = first + 1; isGood && !isOver(); seed++) isGood = wholeRound(seed)
rmSync(directory, { recursive: true, force: true })
process.exitCode = isGood ? 0 : 1
