// File operations on places that others might prepare: every directory and file is checked for owner, kind and mode
// before it is trusted, and content appears whole or not at all. Knows nothing about PostgreSQL.

import { Effect, Predicate } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { DataDirectoryUnusable } from "../EmbeddedPostgresError.ts"

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Runs file operations; what they throw names the path. A thrown `DataDirectoryUnusable` keeps its own words. */
export const attempt = <A>(path: string, run: () => A): Effect.Effect<A, DataDirectoryUnusable> =>
  Effect.try({
    try: run,
    catch: (cause) =>
      cause instanceof DataDirectoryUnusable
        ? cause
        : new DataDirectoryUnusable({ path, problem: describe(cause), cause })
  })

const describe = (cause: unknown): string =>
  errorCode(cause) === "EACCES" || errorCode(cause) === "EPERM"
    ? "not accessible for this user: start as the user that started here before, or use another data directory"
    : cause instanceof Error
      ? cause.message
      : String(cause)

/** The `code` of a system error. */
export const errorCode = (cause: unknown): unknown => (Predicate.hasProperty(cause, "code") ? cause.code : undefined)

/** The file's status without following a link, undefined when it does not exist. */
export const statOf = (path: string): Fs.Stats | undefined => Fs.lstatSync(path, { throwIfNoEntry: false })

/** The text of a file, undefined when it does not exist. */
export const textOf = (path: string): string | undefined => {
  try {
    return Fs.readFileSync(path, "utf8")
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined
    throw error
  }
}

const ourUid = (): number | undefined => process.getuid?.()

const refuse = (path: string, problem: string): never => {
  throw new DataDirectoryUnusable({ path, problem })
}

/**
 * Makes the data directory 0711, also when it exists and is empty; one in use keeps its mode, as it may be shared.
 * Refuses one in which everybody may exchange files.
 */
export const ensureDataDirectory = (path: string): void => {
  const created = Fs.mkdirSync(path, { recursive: true, mode: 0o711 }) !== undefined
  const stat = Fs.statSync(path)
  if (created || (stat.uid === ourUid() && (stat.mode & 0o1000) === 0 && Fs.readdirSync(path).length === 0)) {
    Fs.chmodSync(path, 0o711)
  } else if ((stat.mode & 0o1002) === 0o002) {
    refuse(path, "everybody may write here: chmod 0711 it or use another data directory")
  }
}

/** Makes a directory 0700 that only `owner` (default: this user) can enter. Refuses links and foreign directories. */
export const ensurePrivateDirectory = (path: string, owner?: Owner): void => {
  const created = Fs.mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined
  if (created && owner !== undefined) Fs.chownSync(path, owner.uid, owner.gid)
  const stat = Fs.lstatSync(path)
  if (!stat.isDirectory()) refuse(path, "is not a directory")
  const uid = owner?.uid ?? ourUid()
  if (uid !== undefined && stat.uid !== uid) refuse(path, `belongs to user ${stat.uid} instead of ${uid}`)
  if ((stat.mode & 0o777) !== 0o700) Fs.chmodSync(path, 0o700)
}

const writeNew = (path: string, text: string, owner?: Owner): void => {
  Fs.rmSync(path, { force: true })
  const file = Fs.openSync(path, "wx", 0o600)
  try {
    Fs.fchmodSync(file, 0o600)
    if (owner !== undefined) Fs.fchownSync(file, owner.uid, owner.gid)
    Fs.writeSync(file, text)
    Fs.fsyncSync(file)
  } finally {
    Fs.closeSync(file)
  }
}

/** Makes a directory entry durable. */
export const syncDirectory = (path: string): void => {
  const directory = Fs.openSync(path, "r")
  try {
    Fs.fsyncSync(directory)
  } finally {
    Fs.closeSync(directory)
  }
}

/** Writes a 0600 file that did not exist. */
export const writeSecret = writeNew

/** Writes or replaces a 0600 file at once, by way of `path + suffix`. */
export const replaceSecret = (path: string, suffix: string, text: string): void => {
  writeNew(path + suffix, text)
  Fs.renameSync(path + suffix, path)
}

/** Returns the text of a 0600 file; the first of several processes decides it, and it is durable when returned. */
export const secretOnce = (path: string, suffix: string, make: () => string): string => {
  const existing = readSecret(path)
  if (existing !== undefined) return existing
  const temporary = path + suffix
  writeNew(temporary, make())
  try {
    Fs.linkSync(temporary, path)
    syncDirectory(Path.dirname(path))
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error
  } finally {
    Fs.rmSync(temporary, { force: true })
  }
  return readSecret(path) ?? refuse(path, "vanished while it was read")
}

/** The text of a secret file, undefined when it does not exist. Refuses links and files that others own. */
export const readSecret = (path: string): string | undefined => {
  const stat = statOf(path)
  if (stat === undefined) return undefined
  if (!stat.isFile()) refuse(path, "is not a file")
  const uid = ourUid()
  if (uid !== undefined && stat.uid !== uid) refuse(path, `belongs to user ${stat.uid} instead of ${uid}`)
  if ((stat.mode & 0o777) !== 0o600) Fs.chmodSync(path, 0o600)
  return Fs.readFileSync(path, "utf8").trim()
}

/** Whether only root can change what a path leads to: every directory on the way is root's, or sticky. */
export const isRootOnly = (path: string): boolean => {
  const stat = statOf(path)
  if (stat === undefined || !stat.isDirectory() || stat.uid !== 0 || (stat.mode & 0o022) !== 0) return false
  const safe = (directory: string): boolean => {
    const { mode, uid } = Fs.statSync(directory)
    const own = uid === 0 && ((mode & 0o022) === 0 || (mode & 0o1000) !== 0)
    return own && (directory === "/" || safe(Path.dirname(directory)))
  }
  return safe(Path.dirname(Fs.realpathSync(path)))
}
