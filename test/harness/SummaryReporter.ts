// Closes a test run with one line that machines read, fails a run in which no test was executed, and writes down which
// tests ran, for the check that documents name only tests that do.

import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import type { Reporter, TestModule } from "vitest/node"
import { type RunTest, resultsFile } from "../../scripts/results.ts"

/** Prints `N passed, N failed, N skipped`; a file that could not be loaded counts as one failed test. */
export class SummaryReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): void {
    const tests = modules.flatMap((module) =>
      [...module.children.allTests()].map((test): RunTest => ({
        project: module.project.name,
        file: module.relativeModuleId,
        name: test.fullName,
        state: test.result().state,
        began: (test.diagnostic()?.startTime ?? 0) / 1000,
        seconds: (test.diagnostic()?.duration ?? 0) / 1000
      }))
    )
    mkdirSync(dirname(resultsFile), { recursive: true })
    writeFileSync(resultsFile, JSON.stringify(tests))

    const count = (state: string): number => tests.filter((test) => test.state === state).length
    const broken = modules.filter((module) => module.errors().length > 0).length + errors.length
    const passed = count("passed")
    const failed = count("failed") + broken
    if (passed + failed === 0) process.exitCode = 1
    process.once("exit", () => {
      console.log(`${passed} passed, ${failed} failed, ${tests.length - count("passed") - count("failed")} skipped`)
    })
  }
}
