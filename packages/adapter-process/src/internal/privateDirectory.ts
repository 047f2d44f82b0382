// Directories that belong to this user alone, and directories below them that belong to this process: their names
// carry its pid and start time, so that a later start can tell what a dead process left.

import { failpoint } from "@lockkeeper/core/port/failpoint"
import { Effect, Schedule, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import * as Fs from "node:fs"
import { chmod, readdir, rm } from "node:fs/promises"
import * as Path from "node:path"
import { identityText, isAlive, parseIdentity, thisProcess } from "./processTable.ts"
import { inRealTime } from "./settled.ts"
import { describeSystemError, errorCode, Refused } from "./systemError.ts"

const refuse = (path: string, problem: string): never => {
  throw new Refused(`${path} ${problem}`)
}

const ensurePrivate = (path: string): void => {
  Fs.mkdirSync(path, { recursive: true, mode: 0o700 })
  const stat = Fs.lstatSync(path)
  if (!stat.isDirectory()) refuse(path, "is not a directory")
  const uid = process.getuid?.()
  if (uid !== undefined && stat.uid !== uid) refuse(path, `belongs to user ${stat.uid} instead of ${uid}`)
  if ((stat.mode & 0o777) !== 0o700) Fs.chmodSync(path, 0o700)
}

/** Makes a directory 0700. Refuses a link and a directory of somebody else; fails with a clause for a person. */
export const privateDirectory = (path: string): Effect.Effect<void, string> =>
  Effect.try({ try: () => ensurePrivate(path), catch: describeSystemError })

const openDirectories = async (path: string): Promise<void> => {
  await chmod(path, 0o700)
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await openDirectories(Path.join(path, entry.name))
  }
}

/**
 * Removes a directory with all that is in it, read-only directories included. What fails is tried again a few times, for
 * there may be a key in it, and logged as a warning after that; the next start sweeps it.
 */
export const removeDirectory = (path: string): Effect.Effect<void> =>
  failpoint("disk.remove", removed(path), Effect.fail("a failpoint")).pipe(
    Effect.sandbox,
    Effect.retry({ times: 4, schedule: Schedule.exponential("20 millis") }),
    Effect.catch((cause) => Effect.logWarning(`could not remove ${path}`, cause)),
    inRealTime,
    Effect.uninterruptible
  )

const removed = (path: string): Effect.Effect<void, string> =>
  Effect.tryPromise({
    try: () =>
      rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(async (cause: unknown) => {
        if (errorCode(cause) !== "EACCES") throw cause
        await openDirectories(path)
        await rm(path, { recursive: true, force: true, maxRetries: 3 })
      }),
    catch: describeSystemError
  })

/** A new name for something of this process below a directory: `PID-START-` and something unique or given. */
export const ownName = (suffix: string = randomUUID()): string => `${identityText(thisProcess)}-${suffix}`

/** Makes a 0700 directory of this process below `parent`, removed when the Scope closes. */
export const ownDirectory = (parent: string, suffix?: string): Effect.Effect<string, string, Scope.Scope> =>
  Effect.acquireRelease(
    failpoint("disk.directory", privateDirectory(parent), Effect.fail("a failpoint")).pipe(
      Effect.andThen(
        Effect.try({
          try: () => {
            const path = Path.join(parent, ownName(suffix))
            Fs.mkdirSync(path, { mode: 0o700 })
            return path
          },
          catch: describeSystemError
        })
      )
    ),
    removeDirectory
  )

/** Removes what processes that no longer live left below a directory; answers how much that was. */
export const sweepDirectory = (parent: string): Effect.Effect<number> =>
  Effect.gen(function* () {
    const names = yield* Effect.tryPromise(() => readdir(parent)).pipe(Effect.orElseSucceed(() => []))
    const dead = names.filter((name) => {
      const owner = parseIdentity(name)
      return owner !== undefined && !isAlive(owner)
    })
    yield* Effect.forEach(dead, (name) => removeDirectory(Path.join(parent, name)), { discard: true })
    return dead.length
  })
