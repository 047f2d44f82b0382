// Tells whether a process is the one that was meant: by start time, command line and working directory, so that a
// reused process id is never mistaken for it. Looks only; signals are sent by the callers.

import { Effect, Option, Predicate } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import * as Fs from "node:fs"

/** A living process (a zombie is none). `start` tells two users of one process id apart. */
export interface ProcessEntry {
  readonly pid: number
  readonly start: string
  readonly command: string
  readonly worksIn: (directory: string) => boolean
}

export interface ProcessTable {
  readonly find: (pid: number) => Effect.Effect<Option.Option<ProcessEntry>>
}

/** Names this process for others: `pid@start`, without blanks. */
export const identityOf = (entry: ProcessEntry): string => `${entry.pid}@${entry.start}`

/** Finds the living process that an identity names. */
export const findIdentity = (table: ProcessTable, identity: string): Effect.Effect<Option.Option<ProcessEntry>> =>
  table.find(Number.parseInt(identity, 10)).pipe(Effect.map(Option.filter((entry) => identityOf(entry) === identity)))

const readOrUndefined = (path: string): string | undefined => {
  try {
    return Fs.readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

const sameDirectory = (left: string, right: string): boolean => {
  try {
    const [a, b] = [Fs.statSync(left), Fs.statSync(right)]
    return a.dev === b.dev && a.ino === b.ino
  } catch {
    return false
  }
}

/** Reads `/proc` (Linux). */
export const procfs: ProcessTable = {
  find: (pid) =>
    Effect.sync(() => {
      const stat = readOrUndefined(`/proc/${pid}/stat`)
      if (stat === undefined) return Option.none()
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      const [state, start] = [fields[0], fields[19]]
      if (start === undefined || state === "Z" || state === "X") return Option.none()
      const command = (readOrUndefined(`/proc/${pid}/cmdline`) ?? "").split("\0").join(" ").trim()
      return Option.some({ pid, start, command, worksIn: (directory) => sameDirectory(`/proc/${pid}/cwd`, directory) })
    })
}

const psLine = /^\s*(\S+)\s+(\S+ +\S+ +\d+ +[\d:]+ +\d+)\s+(.*)$/s

/** Asks `ps` (macOS); a server is known there by the `-D` of its command line. */
export const ps = (spawner: ChildProcessSpawner.ChildProcessSpawner["Service"]): ProcessTable => ({
  find: (pid) =>
    spawner
      .string(
        ChildProcess.make("ps", ["-ww", "-o", "stat=", "-o", "lstart=", "-o", "args=", "-p", String(pid)], {
          env: { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" },
          stdin: "ignore"
        })
      )
      .pipe(
        Effect.orDie,
        Effect.map((output) => {
          const [, state, started, command] = psLine.exec(output.trimEnd()) ?? []
          if (state === undefined || started === undefined || command === undefined || state.startsWith("Z")) {
            return Option.none()
          }
          const start = started.replaceAll(/[ :]+/g, "-")
          return Option.some({ pid, start, command, worksIn: (directory) => command.includes(` -D ${directory} `) })
        })
      )
})

/** The table of this platform. */
export const processTable: Effect.Effect<ProcessTable, never, ChildProcessSpawner.ChildProcessSpawner> =
  ChildProcessSpawner.ChildProcessSpawner.pipe(
    Effect.map((spawner) => (process.platform === "linux" ? procfs : ps(spawner)))
  )

/** Sends a signal (0: none, a mere look); false when the process id is not in use. */
export const signal = (pid: number, name: NodeJS.Signals | 0): Effect.Effect<boolean> =>
  Effect.sync(() => {
    try {
      return process.kill(pid, name)
    } catch (error) {
      return !(Predicate.hasProperty(error, "code") && error.code === "ESRCH")
    }
  })
