// Unpacks a tar or tar.gz file. The whole archive is read and checked before the first file is written; links are made
// last, so that nothing is ever written through one.

import { SourceError } from "@lockkeeper/core/port/SourceFetcher"
import type { Effect } from "effect"
import { once } from "node:events"
import { link, mkdir, open, symlink } from "node:fs/promises"
import * as Path from "node:path"
import { Parser, type ReadEntry } from "tar"
import { type ArchiveLimits, type ArchivePlan, innerPath, makeArchiveCheck } from "./archiveEntries.ts"
import { readChunks } from "./readChunks.ts"
import { settled } from "./settled.ts"
import { describeSystemError, errorCode, Refused } from "./systemError.ts"

/**
 * Unpacks into `directory`, which must be empty, and answers the root of the tree: the only directory of the archive
 * where there is no Procfile beside it, as in the archives that code hosts make.
 */
export const unpack = (file: string, directory: string, limits: ArchiveLimits): Effect.Effect<string, SourceError> =>
  settled(
    async (signal) => {
      const plan = await inspect(file, limits, signal)
      await writeFiles(file, directory, signal)
      await writeLinks(directory, plan)
      return rootOf(directory, plan)
    },
    (cause) => new SourceError({ reason: "no_build_file", detail: `the archive cannot be used: ${describe(cause)}` })
  )

const describe = (cause: unknown): string =>
  errorCode(cause)?.startsWith("TAR_") === true || errorCode(cause)?.startsWith("Z_") === true
    ? "it is damaged or not a tar archive"
    : describeSystemError(cause)

const inspect = async (file: string, limits: ArchiveLimits, signal: AbortSignal): Promise<ArchivePlan> => {
  const check = makeArchiveCheck(limits)
  await forEachEntry(file, signal, async (entry) => {
    const problem = check.add(entry)
    if (problem !== undefined) throw new Refused(problem)
    entry.resume()
  })
  const plan = check.plan()
  if (typeof plan === "string") throw new Refused(plan)
  return plan
}

const writeFiles = (file: string, directory: string, signal: AbortSignal): Promise<void> =>
  forEachEntry(file, signal, async (entry) => {
    const path = Path.join(directory, innerPath(entry.path) ?? "")
    if (entry.type === "Directory") {
      await mkdir(path, { recursive: true })
    } else if (entry.type !== "SymbolicLink" && entry.type !== "Link") {
      await mkdir(Path.dirname(path), { recursive: true })
      await writeFile(path, entry)
      return
    }
    entry.resume()
  })

const writeFile = async (path: string, entry: ReadEntry): Promise<void> => {
  const file = await open(path, "w", ((entry.mode ?? 0) & 0o100) === 0 ? 0o644 : 0o755)
  try {
    for await (const chunk of entry) await file.writeFile(chunk)
  } finally {
    await file.close()
  }
}

const writeLinks = async (directory: string, plan: ArchivePlan): Promise<void> => {
  for (const [path, original] of plan.copies) {
    await mkdir(Path.dirname(Path.join(directory, path)), { recursive: true })
    await link(Path.join(directory, original), Path.join(directory, path))
  }
  for (const [path, target] of plan.links) {
    await mkdir(Path.dirname(Path.join(directory, path)), { recursive: true })
    await symlink(target, Path.join(directory, path))
  }
}

const rootOf = (directory: string, { topLevel }: ArchivePlan): string => {
  const [only] = [...topLevel]
  return topLevel.size === 1 && only?.[1] === "directory" ? Path.join(directory, only[0]) : directory
}

// Visits the entries in their order. A failed visit, a damaged archive and an abort all end it, after the visit in
// progress has ended.
const forEachEntry = async (
  file: string,
  signal: AbortSignal,
  visit: (entry: ReadEntry) => Promise<void>
): Promise<void> => {
  const failed = new AbortController()
  const parser = new Parser({ strict: true })
  let current: ReadEntry | undefined
  let visits = Promise.resolve()

  const stop = (cause: unknown): void => failed.abort(cause)
  const onAbort = (): void => stop(signal.reason)
  signal.addEventListener("abort", onAbort)
  parser.on("error", stop)
  parser.on("ignoredEntry", ({ path }: ReadEntry) => stop(new Refused(`${path} is of an unknown kind`)))
  parser.on("entry", (entry: ReadEntry) => {
    current = entry
    entry.on("error", stop)
    visits = visits.then(() => visit(entry)).catch(stop)
  })

  const ended = once(parser, "end", { signal: failed.signal })
  try {
    signal.throwIfAborted()
    await Promise.all([ended, feed(parser, file, failed.signal)])
    await visits
    failed.signal.throwIfAborted()
  } catch (cause) {
    throw failed.signal.aborted ? failed.signal.reason : cause
  } finally {
    signal.removeEventListener("abort", onAbort)
    current?.destroy(new Refused("it was not read to its end"))
    await visits
  }
}

const feed = async (parser: Parser, path: string, signal: AbortSignal): Promise<void> => {
  const file = await open(path, "r")
  try {
    for await (const chunk of readChunks(file, signal)) {
      if (!parser.write(chunk)) await once(parser, "drain", { signal })
    }
    parser.end()
  } finally {
    await file.close()
  }
}
