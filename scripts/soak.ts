// Runs the proofs again and again with other cases each time, for as long as it is told, and writes down what was tried:
// `npm run test:soak -- --minutes 30 --seed 7`. A failure ends it, and its seed makes it happen again.

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
const until = Date.now() + minutes * 60_000
const directory = mkdtempSync(join(tmpdir(), "lockkeeper-soak-"))
const report = join(directory, "report")

interface Counted {
  readonly proof: string
  readonly counts: Readonly<Record<string, number>>
}

const round = (seed: number, share: number): boolean => {
  const env = {
    ...process.env,
    LOCKKEEPER_SOAK_SEED: String(seed),
    LOCKKEEPER_SOAK_SHARE: String(share),
    LOCKKEEPER_SOAK_REPORT: report,
    FC_SEED: String(seed),
    ...(share > 0 ? { FC_RUNS: String(Math.round(1_000 * share)), SOAK: "1" } : {})
  }
  const args = ["vitest", "run", "--bail", "1", "--testTimeout", "3600000", ...soaked]
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

const write = (seed: number, rounds: number, isGood: boolean): void => {
  const lines = [
    "# Soak",
    "",
    "The proofs again and again, with other cases each time: one round as small as in `npm test`, then rounds in which a fifth of all failpoints is tried, every order of statements, and three times as much of what has no end.",
    "",
    "```sh",
    `npm run test:soak -- --minutes ${minutes} --seed ${values.seed}`,
    "```",
    "",
    `Last result, ${new Date().toISOString().slice(0, 10)}: ${isGood ? "nothing was found" : `a failure at seed ${seed}`} in ${rounds} ${rounds === 1 ? "round" : "rounds"}, seeds ${values.seed} to ${seed}.`,
    "",
    "| proof | what was tried |",
    "| --- | --- |",
    ...sums(),
    ""
  ]
  writeFileSync("perf/soak.md", lines.join("\n"))
  spawnSync("npx", ["prettier", "--write", "perf/soak.md"])
}

let seed = Number(values.seed)
let rounds = 0
let isGood = true
do {
  // The first round is as small as in `npm test`, so that a mistake shows at once.
  isGood = round(seed, rounds === 0 ? 0 : 0.2)
  rounds++
  write(seed, rounds, isGood)
  seed++
} while (isGood && Date.now() < until)
rmSync(directory, { recursive: true, force: true })
process.exitCode = isGood ? 0 : 1
