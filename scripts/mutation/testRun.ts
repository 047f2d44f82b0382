// Runs test files in a copy of the sources, and tells how that ended and which test failed first.

import { spawn } from "node:child_process"
import { readFileSync, rmSync } from "node:fs"
import { join, relative } from "node:path"

/** What to run, and for how long at most. */
export interface TestRequest {
  readonly root: string
  readonly files: ReadonlyArray<string>
  readonly named?: string | undefined
  readonly databaseUrl: string
  readonly limitSeconds: number
  /** Ends the run early. */
  readonly signal?: AbortSignal | undefined
}

/** How it ended. `failure` is the first test that failed, or a file whose tests could not be started at all. */
export interface TestRun {
  readonly passed: number
  readonly seconds: ReadonlyMap<string, number>
  readonly timedOut: boolean
  readonly failure?: { readonly name: string; readonly message: string; readonly isTest: boolean } | undefined
}

interface Report {
  readonly success: boolean
  readonly numPassedTests: number
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message: string
    readonly startTime: number
    readonly endTime: number
    readonly assertionResults: ReadonlyArray<{
      readonly fullName: string
      readonly status: string
      readonly failureMessages: ReadonlyArray<string>
    }>
  }>
}

/** Runs the files in one run that ends with the first failure. */
export const runTests = async (request: TestRequest): Promise<TestRun> => {
  const { files, named, root } = request
  const output = join(root, "mutation-report.json")
  const some = named === undefined ? [] : [`--testNamePattern=${named}`]
  const args = ["run", "--project=main", "--bail=1", ...some, "--reporter=json", `--outputFile=${output}`, ...files]
  rmSync(output, { force: true })
  const { timedOut, said } = await untilClosed(request, args)
  const none = { passed: 0, seconds: new Map<string, number>() }
  if (timedOut) return { ...none, timedOut }
  try {
    const report: Report = JSON.parse(readFileSync(output, "utf8"))
    return { ...summaryOf(report, root), timedOut: false }
  } catch (error) {
    const message = `no report was written (${String(error)}): ${said.slice(-2_000)}`
    return { ...none, timedOut: false, failure: { name: files.join(" "), message, isTest: false } }
  }
}

const summaryOf = (report: Report, root: string): Omit<TestRun, "timedOut"> => {
  const seconds = new Map(
    report.testResults.map(({ name, startTime, endTime }) => [relative(root, name), (endTime - startTime) / 1000])
  )
  const tests = report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map((test) => ({ ...test, file: relative(root, name) }))
  )
  const failed = tests.find(({ status }) => status === "failed")
  const broken = report.testResults.find(({ status }) => status === "failed")
  const failure =
    failed !== undefined
      ? { name: failed.fullName, message: failed.failureMessages.join("\n"), isTest: true }
      : broken !== undefined || !report.success
        ? { name: broken?.name ?? "the run", message: broken?.message ?? "an error outside of any test", isTest: false }
        : undefined
  return { passed: report.numPassedTests, seconds, failure }
}

const untilClosed = ({ databaseUrl, limitSeconds, root, signal }: TestRequest, args: ReadonlyArray<string>) =>
  new Promise<{ readonly timedOut: boolean; readonly said: string }>((done) => {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST") && name !== "NODE_ENV")
    const child = spawn(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), ...args], {
      cwd: root,
      detached: true,
      env: { ...Object.fromEntries(inherited), TEST_DATABASE_URL: databaseUrl, LOCKKEEPER_TEST_REQUIRE: "" },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let said = ""
    let timedOut = false
    const collect = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-20_000)
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    const end = () => {
      timedOut = true
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    }
    const timer = setTimeout(end, limitSeconds * 1000)
    signal?.addEventListener("abort", end)
    child.on("close", () => {
      clearTimeout(timer)
      signal?.removeEventListener("abort", end)
      done({ timedOut, said })
    })
  })
