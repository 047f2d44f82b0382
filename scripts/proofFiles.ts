// Which test files are proofs: they look for what refutes a promise, in races, crashes and lost answers. `npm test` runs them
// in a small size and says how long they took; the soak runs those again and again that can try other cases.

import type { RunTest } from "./results.ts"

/** Files and folders of the proofs that try other cases in the soak. */
export const soaked: ReadonlyArray<string> = [
  "test/e2e/failpoints.test.ts",
  "test/e2e/kills.test.ts",
  "test/e2e/freezes.test.ts",
  "test/e2e/faultedScenes.test.ts",
  "test/e2e/histories.test.ts",
  "test/e2e/envMerge.test.ts",
  "packages/adapter-postgres/test/deploymentInterleavings.test.ts",
  "packages/adapter-postgres/test/storeInterleavings.test.ts",
  "packages/adapter-postgres/test/commitFaults.test.ts",
  "packages/adapter-postgres/test/restarts.test.ts",
  "packages/adapter-postgres/test/pgbouncer.test.ts",
  "packages/adapter-postgres/test/races.test.ts",
  "packages/adapter-postgres/test/lifecycleRaces.test.ts",
  "packages/adapter-postgres/test/appLife.test.ts",
  "test/e2e/stops.test.ts",
  "test/e2e/slots.test.ts",
  "test/e2e/slotFaults.test.ts",
  "test/e2e/subnets.test.ts",
  "test/e2e/batches.test.ts",
  "packages/adapter-postgres/test/fairness.test.ts",
  "packages/adapter-postgres/test/envReplicas.test.ts",
  "packages/adapter-postgres/test/envTeardown.test.ts",
  "packages/adapter-postgres/test/migrationFaults.test.ts",
  "test/e2e/migrateReplicas.test.ts",
  "packages/adapter-postgres/test/models.test.ts",
  "packages/core/test/models",
  "packages/core/test/testing"
]

/** Those that try the same cases each time. */
const settled: ReadonlyArray<string> = [
  "packages/adapter-docker/test/contracts.test.ts",
  "packages/adapter-postgres/test/contracts.test.ts",
  "packages/adapter-postgres/test/envFaults.test.ts",
  "packages/adapter-postgres/test/faults.test.ts",
  "packages/core/test/brokenAdapters.test.ts",
  "packages/core/test/contracts.test.ts"
]

/** All of them. */
export const proofFiles: ReadonlyArray<string> = [...soaked, ...settled]

/** How many tests of a run were proofs, and how long they took, for each project of the tests. */
export const proofTimes = (run: ReadonlyArray<RunTest>): ReadonlyArray<string> => {
  const isProof = ({ file }: RunTest): boolean =>
    proofFiles.some((path) => file === path || file.startsWith(`${path}/`))
  return [...Map.groupBy(run.filter(isProof), ({ project }) => project)].sort().map(([project, tests]) => {
    const seconds = tests.reduce((sum, test) => sum + test.seconds, 0)
    return `${project}: proofs of ${tests.length} tests took ${seconds.toFixed(0)} s of the workers`
  })
}
