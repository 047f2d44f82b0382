// Runs commands side by side: one line per command with its duration, and the output of those that failed.

import { spawn } from "node:child_process"
import { delimiter, resolve } from "node:path"

/** A command line to run. */
export interface Task {
  readonly name: string
  readonly command: string
  readonly cwd?: string
}

/** How a task ended. */
export interface Outcome {
  readonly passed: boolean
  readonly output: string
  readonly seconds: number
}

const path = `${resolve("node_modules/.bin")}${delimiter}${process.env["PATH"] ?? ""}`

/** Runs one task to its end. */
export const run = ({ command, cwd }: Task): Promise<Outcome> =>
  new Promise((done) => {
    const start = performance.now()
    let output = ""
    const child = spawn(command, {
      cwd,
      shell: true,
      env: { ...process.env, PATH: path },
      stdio: ["ignore", "pipe", "pipe"]
    })
    const collect = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    child.on("close", (code) => done({ passed: code === 0, output, seconds: (performance.now() - start) / 1000 }))
  })

/** Runs tasks, at most `width` at a time, starting none after a failure; tells whether all passed. */
export const runAll = async (tasks: ReadonlyArray<Task>, width: number): Promise<boolean> => {
  const waiting = [...tasks]
  let passed = true
  const work = async () => {
    for (let task = waiting.shift(); task !== undefined && passed; task = waiting.shift()) {
      const outcome = await run(task)
      console.log(`${outcome.passed ? "ok  " : "FAIL"} ${outcome.seconds.toFixed(1).padStart(6)} s  ${task.name}`)
      if (!outcome.passed) {
        passed = false
        console.log(outcome.output)
      }
    }
  }
  await Promise.all(Array.from({ length: width }, work))
  return passed
}
