// What runs on this machine, seen from outside of every server. Linux only.

import { readdirSync, readFileSync } from "node:fs"

/** A process and what it was started with. */
export interface SeenProcess {
  readonly pid: number
  readonly environment: ReadonlyArray<string>
}

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

const pids = (): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)

/** The processes whose environment holds a variable that begins with this text, such as `HOME=/data/`. */
export const processesWith = (prefix: string): ReadonlyArray<SeenProcess> =>
  pids()
    .map((pid) => ({ pid, environment: read(`/proc/${pid}/environ`).split("\0") }))
    .filter(({ environment }) => environment.some((variable) => variable.startsWith(prefix)))

/** The command lines of all processes. */
export const commandLines = (): ReadonlyArray<string> => pids().map((pid) => read(`/proc/${pid}/cmdline`))

/** Whether a process has this pid. */
export const isRunning = (pid: number): boolean => !["", "Z"].includes(stateOf(pid))

const stateOf = (pid: number): string => /^\d+ \(.*\) (\S)/s.exec(read(`/proc/${pid}/stat`))?.[1] ?? ""
