// Looks at this machine from outside: which processes mention or belong to something, and which files are left.

import { Effect, Schedule } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"

const readOrEmpty = (path: string): string => {
  try {
    return Fs.readFileSync(path, "latin1")
  } catch {
    return ""
  }
}

/** The pids of other processes whose arguments or environment hold this text. Linux only. */
export const processesWith = (text: string): ReadonlyArray<number> =>
  Fs.readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => ["cmdline", "environ"].some((file) => readOrEmpty(`/proc/${pid}/${file}`).includes(text)))
    .map(Number)

/** The names of the files and directories below a directory, deeply; none where it does not exist. */
export const filesBelow = (directory: string): ReadonlyArray<string> =>
  Fs.existsSync(directory) ? Fs.readdirSync(directory, { recursive: true }).map(String).sort() : []

/** The texts of all files below a directory. */
export const textsBelow = (directory: string): string =>
  filesBelow(directory)
    .map((name) => Path.join(directory, name))
    .filter((path) => Fs.lstatSync(path).isFile())
    .map(readOrEmpty)
    .join("\n")

/** Waits until the condition holds, at most for five seconds. */
export const until = (condition: () => boolean): Effect.Effect<boolean> =>
  Effect.sync(condition).pipe(
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced("10 millis"), times: 500 })
  )
