// Trees on this host: a private directory in which each has one of its own, and what a container hands over unpacked there.

import { SourceError } from "@lockkeeper/core/port/SourceFetcher"
import { Effect, Predicate, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import type { Stats } from "node:fs"
import { chmod, mkdir, readdir, rm } from "node:fs/promises"
import * as Path from "node:path"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { extract, type ReadEntry } from "tar"

/** How much a tree may hold. */
export interface UnpackLimits {
  readonly entries: number
  readonly bytes: number
}

class Refused extends Error {}

const problemOf = (cause: unknown): string => {
  if (cause instanceof Refused) return cause.message
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : "an unknown reason"
  return code === "ENOSPC" ? "there is no space left on the disk" : code
}

const attempt = <A>(run: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, SourceError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new SourceError({
        reason: "source_unreachable",
        detail: `the source could not be put on this machine: ${problemOf(cause)}`
      })
  })

const removed = (path: string): Effect.Effect<void> =>
  Effect.catch(
    attempt(() => rm(path, { recursive: true, force: true, maxRetries: 3 })),
    (error) => Effect.logWarning(`${path} could not be removed`, error)
  )

/** Makes a directory for this user alone, and empties it. */
export const prepareDirectory = (path: string): Effect.Effect<void, SourceError> =>
  attempt(async () => {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await chmod(path, 0o700)
    for (const name of await readdir(path)) await rm(Path.join(path, name), { recursive: true, force: true })
  })

/** A new directory below one that was prepared; it is removed when the Scope closes. */
export const ownDirectory = (parent: string): Effect.Effect<string, SourceError, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(async () => {
      const path = Path.join(parent, randomUUID())
      await mkdir(path, { mode: 0o700 })
      return path
    }),
    removed
  )

const kinds = new Set(["File", "OldFile", "ContiguousFile", "Directory", "SymbolicLink"])

/**
 * Unpacks what is below the one directory of a tar stream. Nothing is written outside: paths that lead out, and what would be
 * written through a link, end it. Devices and hard links, which Git never makes, do so too.
 */
export const unpack = (stream: Readable, directory: string, limits: UnpackLimits): Effect.Effect<void, SourceError> =>
  attempt(async (signal) => {
    let entries = 0
    let bytes = 0
    let problem: string | undefined
    const problemWith = (path: string, { size = 0, type }: { readonly size?: number; readonly type?: unknown }) => {
      bytes += size
      if (++entries > limits.entries) return `it has more than ${limits.entries} entries`
      if (bytes > limits.bytes) return `it holds more than ${limits.bytes} bytes`
      return kinds.has(String(type)) ? undefined : `${path} is neither a file nor a directory nor a link`
    }
    const filter = (path: string, entry: ReadEntry | Stats): boolean => {
      problem ??= problemWith(path, entry)
      return problem === undefined
    }
    await pipeline(stream, extract({ cwd: directory, strip: 1, strict: true, filter }), { signal })
    if (problem !== undefined) throw new Refused(problem)
  })
