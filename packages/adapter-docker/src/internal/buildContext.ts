// What a build is sent: the files of a tree without those that its .dockerignore names, as root's and without times, so that
// the same tree is the same context, and its Dockerfile with our label in it.

import { RuntimeError } from "@lockkeeper/core/port/ContainerRuntime"
import { Effect, type Scope } from "effect"
import { constants, lstatSync } from "node:fs"
import { open } from "node:fs/promises"
import * as Path from "node:path"
import { Readable } from "node:stream"
import { pack } from "tar-fs"
import { ignoredBy } from "./dockerignore.ts"
import { labelled } from "./dockerfile.ts"

/** The longest Dockerfile or .dockerignore that is read. */
const longest = 256 * 1024

/** The text of a file of the tree: never through a link, which could lead anywhere on this host, nor of a device. */
const textOf = (path: string): Effect.Effect<string | undefined, RuntimeError> =>
  Effect.tryPromise({
    try: async () => {
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
        (cause: NodeJS.ErrnoException) => (cause.code === "ENOENT" ? undefined : Promise.reject(cause))
      )
      if (file === undefined) return undefined
      try {
        const { size } = await file.stat().then((stat) => (stat.isFile() ? stat : Promise.reject(new NoFile())))
        if (size > longest) throw new NoFile()
        return await file.readFile("utf8")
      } finally {
        await file.close()
      }
    },
    catch: (cause) => unreadable(Path.basename(path), cause)
  })

class NoFile extends Error {
  readonly code = `it is not a file of at most ${longest / 1024} KiB`
}

const unreadable = (name: string, cause: unknown): RuntimeError => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "an unknown reason"
  return new RuntimeError({ reason: "build_failed", detail: `${name} cannot be read: ${code}` })
}

/** Makes the context of a tree, as a tar stream. It is let go of when the Scope closes. */
export const buildContext = Effect.fnUntraced(function* (
  directory: string,
  label: readonly [string, string]
): Effect.fn.Return<Readable, RuntimeError, Scope.Scope> {
  const text = yield* textOf(Path.join(directory, "Dockerfile"))
  const marked = text === undefined ? undefined : labelled(text, label)
  if (marked === undefined) {
    const problem =
      text === undefined ? "there is no Dockerfile at the root of the source" : "the Dockerfile has no FROM"
    return yield* new RuntimeError({ reason: "no_build_file", detail: problem })
  }
  const keeps = keepsOf(directory, (yield* textOf(Path.join(directory, ".dockerignore"))) ?? "")
  const tar = yield* Effect.acquireRelease(
    Effect.sync(() =>
      Readable.from(
        pack(directory, {
          ignore: (path) => path !== directory && !keeps(path),
          map: (header) => ({ ...header, uid: 0, gid: 0, mtime }),
          finalize: false,
          finish: (packing) => {
            packing.entry({ name: "Dockerfile", mtime }, marked)
            packing.finalize()
          }
        }),
        { objectMode: false }
      )
    ),
    (tar) => Effect.sync(() => tar.destroy())
  )
  tar.on("error", () => undefined)
  return tar
})

const mtime = new Date(0)

/**
 * Whether a path is sent. The Dockerfile is added by itself; .dockerignore is always sent, since the engine reads there
 * whether the two belong into the image. A directory that a later pattern may bring back in parts is looked through.
 */
const keepsOf = (directory: string, patterns: string): ((path: string) => boolean) => {
  const isIgnored = ignoredBy(patterns)
  const bringsBack = /^\s*!/m.test(patterns)
  return (path) => {
    const name = Path.relative(directory, path)
    if (name === "Dockerfile") return false
    if (name === ".dockerignore" || !isIgnored(name)) return true
    return bringsBack && lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  }
}
