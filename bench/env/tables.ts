// What people read in the end: each goal with its ratio, and everybody who was measured.

import type { Measured, Verdict } from "./compare.ts"

const lines = (rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  rows.map(([name = "", ...cells]) => name.padEnd(56) + cells.map((cell) => cell.padStart(13)).join("")).join("\n")

const outcomeOf = ({ goal, reached }: Verdict): string => (goal === "none" ? "" : reached ? "reached" : "MISSED")

/** The goals. */
export const goalsTable = (verdicts: ReadonlyArray<Verdict>): string =>
  lines([
    ["goal", "of", "ours", "peer", "ratio", "min–max", "goal", ""],
    ...verdicts.map((verdict) => {
      const { goal, name, of, ours, peer, ratio, spread } = verdict
      return [
        name,
        of,
        String(ours),
        peer === null ? "" : String(peer),
        ratio === null ? "" : ratio.toFixed(2),
        spread.map((value) => String(Number(value.toPrecision(3)))).join("–"),
        goal === "none" ? "" : goal,
        outcomeOf(verdict)
      ]
    })
  ])

const columns = [
  ["per second", "perSecond"],
  ["p50 ms", "p50"],
  ["p99 ms", "p99"],
  ["changes/tx", "changesPerTransaction"],
  ["tx ms", "transactionMillis"],
  ["WAL flush ms", "walFlushMillis"],
  ["client CPUs", "clientCpus"],
  ["server CPUs", "serverCpus"],
  ["above cap", "aboveCap"],
  ["most at once", "mostAtOnce"],
  ["MB before", "megabytesBefore"],
  ["MB after", "megabytesAfter"]
] as const

/** Everybody who was measured, with their connections. */
export const measuredTable = (measured: ReadonlyArray<Measured>): string =>
  lines([
    ["who", "connections", ...columns.map(([title]) => title)],
    ...measured.map(({ connections, facts, name }) => [
      name,
      String(connections),
      ...columns.map(([, fact]) => (facts[fact] === undefined ? "" : String(facts[fact])))
    ])
  ])
