// Runs every check that a change has to pass. What only reads the sources shares the machine; the tests run last and alone,
// because they start servers. `npm run ready -- quick` leaves out the documentation, the build and the tests.

import { runAll, type Task } from "./run.ts"

const npm = (name: string): Task => ({ name, command: `npm run --silent ${name}` })

const quick = ["diagnostics", "typecheck", "lint", "format:check", "knip", "requirements", "retention"].map(npm)
const start = performance.now()
const isQuick = process.argv.includes("quick")

const passed = isQuick
  ? await runAll(quick, 2)
  : (await runAll([...quick, npm("docs")], 2)) &&
    (await runAll(["build", "check:packages", "test", "proofs"].map(npm), 1))

console.log(`${passed ? "ready" : "not ready"} after ${((performance.now() - start) / 1000).toFixed(0)} s`)
process.exitCode = passed ? 0 : 1
