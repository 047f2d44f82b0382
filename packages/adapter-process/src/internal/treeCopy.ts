// Copies a tree read-only and takes its digest from the very bytes that were written. Nothing but files, directories and
// links that stay inside is copied.

import { Effect } from "effect"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import { chmod, mkdir, open, readdir, readlink, symlink } from "node:fs/promises"
import * as Path from "node:path"
import { readChunks } from "./readChunks.ts"
import { settled } from "./settled.ts"
import { describeSystemError, Refused } from "./systemError.ts"
import { strayLink, type TreeEntry } from "./treeLinks.ts"

/** What a copy came to. `digest` is the SHA-256 in hexadecimal over paths, executable bits, link targets and contents. */
export interface TreeCopy {
  readonly digest: string
  readonly files: number
  readonly bytes: number
}

interface FileCopy {
  readonly path: string
  readonly executable: boolean
  readonly bytes: number
  readonly sha256: string
}

/** Copies `from` into the empty directory `to`. Fails with a clause for a person; what was written stays. */
export const copyTree = Effect.fnUntraced(function* (from: string, to: string): Effect.fn.Return<TreeCopy, string> {
  const entries = yield* settled((signal) => list(from, signal), describeSystemError)
  const stray = strayLink(entries)
  if (stray !== undefined) return yield* Effect.fail(`the link ${stray} does not lead to a place inside the source`)

  yield* settled((signal) => prepare(to, entries, signal), describeSystemError)
  const files = yield* Effect.forEach(
    [...entries].filter(([, { kind }]) => kind === "file"),
    ([path]) => settled((signal) => copyFile(Path.join(from, path), to, path, signal), describeSystemError),
    { concurrency: 8 }
  )
  yield* settled((signal) => lockDirectories(to, entries, signal), describeSystemError)

  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return { digest: digestOf(entries, files), files: files.length, bytes }
})

const kindOf = (entry: Fs.Dirent): TreeEntry["kind"] | undefined =>
  entry.isFile() ? "file" : entry.isDirectory() ? "directory" : entry.isSymbolicLink() ? "link" : undefined

// Parents come before what is in them.
const list = async (root: string, signal: AbortSignal): Promise<ReadonlyMap<string, TreeEntry>> => {
  const entries = new Map<string, TreeEntry>()
  const pending = [""]
  for (let directory = pending.shift(); directory !== undefined; directory = pending.shift()) {
    signal.throwIfAborted()
    for (const entry of await readdir(Path.join(root, directory), { withFileTypes: true })) {
      const path = directory === "" ? entry.name : `${directory}/${entry.name}`
      const kind = kindOf(entry)
      if (kind === undefined) throw new Refused(`${path} is neither a file nor a directory nor a link`)
      if (kind === "directory") pending.push(path)
      entries.set(path, kind === "link" ? { kind, target: await readlink(Path.join(root, path)) } : { kind })
    }
  }
  return entries
}

const prepare = async (to: string, entries: ReadonlyMap<string, TreeEntry>, signal: AbortSignal): Promise<void> => {
  for (const [path, entry] of entries) {
    signal.throwIfAborted()
    if (entry.kind === "directory") await mkdir(Path.join(to, path), { mode: 0o700 })
    if (entry.kind === "link") await symlink(entry.target, Path.join(to, path))
  }
}

const copyFile = async (from: string, to: string, path: string, signal: AbortSignal): Promise<FileCopy> => {
  const source = await open(from, Fs.constants.O_RDONLY | Fs.constants.O_NOFOLLOW | Fs.constants.O_NONBLOCK)
  try {
    const stat = await source.stat()
    if (!stat.isFile()) throw new Refused(`${path} is no longer a file`)
    const executable = (stat.mode & 0o100) !== 0
    const target = await open(Path.join(to, path), "wx", 0o600)
    try {
      const hash = createHash("sha256")
      let bytes = 0
      for await (const chunk of readChunks(source, signal)) {
        hash.update(chunk)
        bytes += chunk.length
        await target.writeFile(chunk)
      }
      await target.chmod(executable ? 0o555 : 0o444)
      return { path, executable, bytes, sha256: hash.digest("hex") }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

const lockDirectories = async (
  to: string,
  entries: ReadonlyMap<string, TreeEntry>,
  signal: AbortSignal
): Promise<void> => {
  for (const [path, { kind }] of [...entries].reverse()) {
    signal.throwIfAborted()
    if (kind === "directory") await chmod(Path.join(to, path), 0o555)
  }
  await chmod(to, 0o555)
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

const digestOf = (entries: ReadonlyMap<string, TreeEntry>, files: ReadonlyArray<FileCopy>): string => {
  const contents = new Map(files.map((file) => [file.path, file]))
  const hash = createHash("sha256")
  for (const path of [...entries.keys()].sort(byBytes)) {
    const entry = entries.get(path)
    const file = contents.get(path)
    const line =
      file !== undefined
        ? ["file", path, file.executable, file.bytes, file.sha256]
        : entry?.kind === "link"
          ? ["link", path, entry.target]
          : ["directory", path]
    hash.update(`${JSON.stringify(line)}\n`)
  }
  return hash.digest("hex")
}
