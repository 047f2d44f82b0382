// What a build is sent: the files of a tree without those that its .dockerignore names, as root's and without times, so that
// the same tree is the same context, and its Dockerfile with our label in it.

import dockerignore from "@balena/dockerignore"
import { RuntimeError } from "@lockkeeper/core/port/ContainerRuntime"
import { Effect, type Scope } from "effect"
import { lstatSync } from "node:fs"
import { readFile } from "node:fs/promises"
import * as Path from "node:path"
import { Readable } from "node:stream"
import { pack } from "tar-fs"
import { labelled } from "./dockerfile.ts"

const textOf = (path: string): Effect.Effect<string | undefined, RuntimeError> =>
  Effect.tryPromise({
    try: () =>
      readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) =>
        cause.code === "ENOENT" ? undefined : Promise.reject(cause)
      ),
    catch: (cause) => unreadable(Path.basename(path), cause)
  })

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
  const isKept = dockerignore.default().add(patterns).createFilter()
  const bringsBack = /^\s*!/m.test(patterns)
  return (path) => {
    const name = Path.relative(directory, path)
    if (name === "Dockerfile") return false
    if (name === ".dockerignore" || isKept(name)) return true
    return bringsBack && lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  }
}
