// Images as read-only directories, named by the digest of what they hold: the same tree is stored once. There is no
// install step; what is in the tree is what runs.

import { ImageDigest, type KeptImage } from "@lockkeeper/core/domain/Workload"
import { RuntimeError } from "@lockkeeper/core/port/ContainerRuntime"
import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import { failpoint } from "@lockkeeper/core/port/failpoint"
import { Effect } from "effect"
import * as Fs from "node:fs"
import { open } from "node:fs/promises"
import * as Path from "node:path"
import { ownDirectory } from "./privateDirectory.ts"
import { limitBytes, webCommand } from "./procfile.ts"
import { describeSystemError, errorCode, Refused } from "./systemError.ts"
import { copyTree } from "./treeCopy.ts"

const failed = (problem: string): RuntimeError =>
  new RuntimeError({ reason: "build_failed", detail: `the source could not be copied: ${problem}` })

/** Where the files of an image are. */
export const imageDirectory = (builds: string, image: ImageDigest): string =>
  Path.join(builds, image.slice("sha256:".length))

/** Stores a tree and answers its image. Interrupted or failed, nothing new is left below `builds`. */
export const store = (
  builds: string,
  tree: string,
  say: (entry: LogEntry) => Effect.Effect<void>
): Effect.Effect<ImageDigest, RuntimeError> =>
  Effect.gen(function* () {
    const tell = (line: string) => say({ stream: "build", line })
    const command = yield* readWebCommand(tree)
    yield* tell(`Procfile: web: ${command}`)

    const copy = yield* Effect.mapError(ownDirectory(builds), failed)
    const { bytes, digest, files } = yield* Effect.mapError(copyTree(tree, copy), failed)
    const image = ImageDigest.make(`sha256:${digest}`)
    yield* failpoint("disk.publish", Effect.void, Effect.fail(failed("a failpoint")))
    const isNew = yield* publish(copy, imageDirectory(builds, image))
    yield* tell(`${isNew ? "stored" : "found"} ${image}: ${files} files, ${bytes} bytes`)
    return image
  }).pipe(Effect.scoped)

// The copy becomes the image at once or not at all; an earlier copy of the same tree is as good, and is kept anew. Like the
// removal below, this is synchronous: only this process keeps images here, so that none goes in between.
const publish = (copy: string, image: string): Effect.Effect<boolean, RuntimeError> =>
  Effect.try({
    try: () => {
      const isNew = !Fs.existsSync(image)
      if (isNew) Fs.renameSync(copy, image)
      touch(image)
      return isNew
    },
    catch: (cause) => failed(describeSystemError(cause))
  })

const imageName = /^[0-9a-f]{64}$/

/** Keeps an image anew. */
export const keep = (builds: string, image: ImageDigest): Effect.Effect<void, RuntimeError> =>
  Effect.try({
    try: () => touch(imageDirectory(builds, image)),
    catch: (cause) =>
      errorCode(cause) === "ENOENT"
        ? imageGone(image)
        : engineFailed(`${image} is not kept`)(describeSystemError(cause))
  })

/** Gives a directory a time that it did not have: that is its mark. */
const touch = (directory: string): void => {
  const before = Fs.statSync(directory).mtimeMs
  const now = Math.max(Date.now(), Math.floor(before) + 1) / 1_000
  Fs.utimesSync(directory, now, now)
}

/** The images that are kept. */
export const listKept = (builds: string): Effect.Effect<ReadonlyArray<KeptImage>, RuntimeError> =>
  Effect.try({
    try: () =>
      Fs.existsSync(builds)
        ? Fs.readdirSync(builds)
            .filter((name) => imageName.test(name))
            .flatMap((name) => {
              const image = ImageDigest.make(`sha256:${name}`)
              const mark = markOf(imageDirectory(builds, image))
              return mark === undefined ? [] : [{ image, mark }]
            })
        : [],
    catch: (cause) => engineFailed("the images cannot be listed")(describeSystemError(cause))
  })

/** Removes an image unless it was stored again since it was listed. */
export const removeKept = (builds: string, { image, mark }: KeptImage): Effect.Effect<void, RuntimeError> =>
  Effect.gen(function* () {
    const removed = yield* ownDirectory(builds)
    yield* Effect.try({
      try: () => {
        const directory = imageDirectory(builds, image)
        if (markOf(directory) === mark) Fs.renameSync(directory, removed)
      },
      catch: describeSystemError
    })
  }).pipe(Effect.scoped, Effect.mapError(engineFailed(`${image} was not removed`)))

const markOf = (directory: string): string | undefined =>
  Fs.statSync(directory, { bigint: true, throwIfNoEntry: false })?.mtimeNs.toString()

const engineFailed = (what: string) => (problem: string) =>
  new RuntimeError({ reason: "engine_unavailable", detail: `${what}: ${problem}` })

/** The command of an image; `image_gone` when it is no longer there. */
export const imageCommand = (builds: string, image: ImageDigest): Effect.Effect<string, RuntimeError> =>
  Effect.mapError(readWebCommand(imageDirectory(builds, image)), () => imageGone(image))

const imageGone = (image: ImageDigest): RuntimeError =>
  new RuntimeError({ reason: "image_gone", detail: `the image ${image} is no longer stored` })

const noBuildFile = (detail: string): RuntimeError => new RuntimeError({ reason: "no_build_file", detail })

const readWebCommand = Effect.fnUntraced(function* (tree: string): Effect.fn.Return<string, RuntimeError> {
  const text = yield* Effect.tryPromise({
    try: () => readProcfile(Path.join(tree, "Procfile")),
    catch: (cause) => noBuildFile(problemOf(tree, cause))
  })
  const command = webCommand(text)
  return command ?? (yield* noBuildFile("the Procfile has no line `web: COMMAND`"))
})

const problemOf = (tree: string, cause: unknown): string => {
  if (errorCode(cause) === "ELOOP") return "the Procfile is a link: it must be a file"
  if (errorCode(cause) !== "ENOENT") return `the Procfile cannot be read: ${describeSystemError(cause)}`
  return Fs.existsSync(Path.join(tree, "Dockerfile"))
    ? "the source has a Dockerfile and no Procfile: processes run the web line of a Procfile, a Dockerfile needs Docker"
    : "the source has no Procfile with a line `web: COMMAND` at its root"
}

const readProcfile = async (path: string): Promise<string> => {
  const file = await open(path, Fs.constants.O_RDONLY | Fs.constants.O_NOFOLLOW | Fs.constants.O_NONBLOCK)
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new Refused("it is not a file")
    if (stat.size > limitBytes) throw new Refused(`it is larger than ${limitBytes} bytes`)
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.readFile())
    if (text.includes("\0")) throw new Refused("it is not a text")
    return text
  } catch (cause) {
    throw cause instanceof TypeError ? new Refused("it is not UTF-8") : cause
  } finally {
    await file.close()
  }
}
