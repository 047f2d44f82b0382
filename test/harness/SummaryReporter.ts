// Closes a test run with one line that machines read, and fails a run in which no test was executed.

import type { Reporter, TestModule } from "vitest/node"

/** Prints `N passed, N failed, N skipped`; a file that could not be loaded counts as one failed test. */
export class SummaryReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state))
    const count = (state: string): number => states.filter((each) => each === state).length
    const broken = modules.filter((module) => module.errors().length > 0).length + errors.length
    const passed = count("passed")
    const failed = count("failed") + broken
    if (passed + failed === 0) process.exitCode = 1
    process.once("exit", () => {
      console.log(`${passed} passed, ${failed} failed, ${states.length - count("passed") - count("failed")} skipped`)
    })
  }
}
