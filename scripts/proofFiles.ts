// Which test files are proofs: they look for what refutes a promise, in races, crashes and lost answers. `npm test` runs them
// in a small size and says how long they took; the soak runs those again and again that can try other cases.

import type { RunTest } from "./results.ts"

/** Files and folders of the proofs that try other cases in the soak, those first that take long. */
export const soaked: ReadonlyArray<string> = [
  "test/e2e/failpoints.test.ts",
  "test/e2e/kills.test.ts",
  "test/e2e/freezes.test.ts",
  "test/e2e/faultedScenes.test.ts",
  "test/e2e/runKills.test.ts",
  "test/e2e/runFailpoints.test.ts",
  "packages/adapter-postgres/test/deploymentInterleavings.test.ts",
  "packages/adapter-postgres/test/models.test.ts",
  "packages/adapter-postgres/test/pgbouncer.test.ts",
  "test/e2e/stops.test.ts",
  "packages/adapter-postgres/test/migrationFaults.test.ts",
  "packages/adapter-postgres/test/restarts.test.ts",
  "test/e2e/slotFaults.test.ts",
  "packages/adapter-postgres/test/storeInterleavings.test.ts",
  "test/e2e/migrateReplicas.test.ts",
  "test/e2e/envMerge.test.ts",
  "test/e2e/subnets.test.ts",
  "test/e2e/histories.test.ts",
  "packages/core/test/models",
  "packages/core/test/testing",
  "packages/adapter-postgres/test/lifecycleRaces.test.ts",
  "test/e2e/batches.test.ts",
  "packages/adapter-postgres/test/fairness.test.ts",
  "packages/adapter-postgres/test/envReplicas.test.ts",
  "packages/adapter-postgres/test/commitFaults.test.ts",
  "test/e2e/slots.test.ts",
  "packages/adapter-postgres/test/envTeardown.test.ts",
  "packages/adapter-postgres/test/appLife.test.ts",
  "packages/adapter-postgres/test/races.test.ts"
]

/** Those of one size: they try the same cases each time. */
const settled: ReadonlyArray<string> = [
  "packages/adapter-postgres/test/contracts.test.ts",
  "packages/adapter-docker/test/contracts.test.ts",
  "packages/core/test/brokenAdapters.test.ts",
  "packages/adapter-postgres/test/faults.test.ts",
  "packages/adapter-postgres/test/envFaults.test.ts",
  "packages/core/test/contracts.test.ts"
]

/** All of them, in the order in which they run: what takes long is not begun when the others are through. */
export const proofFiles: ReadonlyArray<string> = [...soaked, ...settled]

/** Where a test file stands among the proofs, in their order; undefined where it is none. */
export const proofOrder = (file: string): number | undefined => {
  const found = proofFiles.findIndex((path) => file === path || file.startsWith(`${path}/`))
  return found === -1 ? undefined : found
}

/** A time from its begin to its end, in seconds. */
type Span = readonly [begin: number, end: number]

/** From the begin of the first of some tests to the end of the last one. */
const spanOf = (tests: ReadonlyArray<RunTest>): Span => [
  Math.min(...tests.map(({ began }) => began)),
  Math.max(...tests.map(({ began, seconds }) => began + seconds))
]

const secondsOf = (spans: ReadonlyArray<Span>): number => spans.reduce((sum, [begin, end]) => sum + end - begin, 0)

/** The times in which any of some spans was going on. */
const merged = (spans: ReadonlyArray<Span>): ReadonlyArray<Span> =>
  spans
    .toSorted(([one], [other]) => one - other)
    .reduce<ReadonlyArray<Span>>((before, span) => {
      const last = before.at(-1)
      return last === undefined || span[0] > last[1]
        ? [...before, span]
        : [...before.slice(0, -1), [last[0], Math.max(last[1], span[1])]]
    }, [])

const isSoaked = ({ file }: RunTest): boolean => (proofOrder(file) ?? soaked.length) < soaked.length

/**
 * How many tests of a run were proofs, for each project of the tests how long they kept a worker, and how long any of them
 * was going on, which is what somebody waits for: those that have two sizes, and all of them.
 */
export const proofTimes = (run: ReadonlyArray<RunTest>): ReadonlyArray<string> => {
  const proofs = run.filter(({ file, state }) => state !== "skipped" && proofOrder(file) !== undefined)
  const spansOf = (tests: ReadonlyArray<RunTest>): ReadonlyArray<Span> =>
    [...Map.groupBy(tests, ({ file, project }) => `${project} ${file}`).values()].map(spanOf)
  const shown = (spans: ReadonlyArray<Span>): string => secondsOf(spans).toFixed(0)
  return [
    ...[...Map.groupBy(proofs, ({ project }) => project)]
      .sort()
      .map(
        ([project, tests]) =>
          `${project}: proofs of ${tests.length} tests took ${shown(spansOf(tests))} s of the workers`
      ),
    ...(proofs.length === 0
      ? []
      : [
          `proofs of two sizes were going on for ${shown(merged(spansOf(proofs.filter(isSoaked))))} s, ` +
            `all proofs for ${shown(merged(spansOf(proofs)))} s`
        ])
  ]
}
