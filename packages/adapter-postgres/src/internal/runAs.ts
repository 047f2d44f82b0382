// How the database's programs are started: as which user, with which environment, and so that they end with this
// process. Pure data; nothing runs here.

import type { Owner } from "./safeFiles.ts"

/** One way to start a program. `owner` is the database's user where it differs from ours. */
export interface RunAs {
  readonly owner: Owner | undefined
  readonly env: Record<string, string | undefined>
  readonly wrap: (
    program: string,
    args: ReadonlyArray<string>,
    deathSignal: "INT" | "TERM"
  ) => readonly [string, ReadonlyArray<string>]
}

/** The user `nobody` of Linux: PostgreSQL refuses root and needs an entry in the user database. */
const nobody: Owner = { uid: 65534, gid: 65534 }

/** Nothing of our own environment, which may hold secrets, except where programs are found. */
const environment = { PATH: process.env.PATH, LC_ALL: "C.UTF-8", TZ: "UTC", HOME: "/" }

const plain: RunAs = { owner: undefined, env: environment, wrap: (program, args) => [program, args] }

/**
 * `setpriv` of util-linux: the kernel signals the program when the thread that started it ends, also on `kill -9`,
 * so call it from the main thread.
 */
const setpriv = (owner: Owner | undefined): RunAs => ({
  owner,
  env: environment,
  wrap: (program, args, deathSignal) => [
    "setpriv",
    [
      ...(owner === undefined ? [] : [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"]),
      "--no-new-privs",
      `--pdeathsig=${deathSignal}`,
      program,
      ...args
    ]
  ]
})

/** The ways to try in this order. Root becomes the owner of the existing database, else `nobody`. */
export const waysToRun = (database: Owner | undefined): ReadonlyArray<RunAs> => {
  if (process.getuid?.() === 0) return [setpriv(database === undefined || database.uid === 0 ? nobody : database)]
  return process.platform === "linux" ? [setpriv(undefined), plain] : [plain]
}

/**
 * What `-D` gets. On Linux the working directory, which the starting user has entered already: so the database's user
 * need not be able to reach it from the root directory (a checkout below /root).
 */
export const directoryArgument = (directory: string): string =>
  process.platform === "linux" ? "/proc/self/cwd" : directory
