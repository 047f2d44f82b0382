// Brings one commit of a Git repository into a directory, by the `git` of this machine. The steps are those of gitFetch.

import { type GitSource, isSshUrl } from "@lockkeeper/core/domain/Source"
import * as Git from "@lockkeeper/core/port/gitCommand"
import { fetchGit as fetchedBy, type GitRunner } from "@lockkeeper/core/port/gitFetch"
import { SourceError, type SourceTree } from "@lockkeeper/core/port/SourceFetcher"
import { Effect, type Scope } from "effect"
import { mkdir } from "node:fs/promises"
import * as Path from "node:path"
import { removeDirectory } from "./privateDirectory.ts"
import { runToEnd } from "./runToEnd.ts"
import { sshFiles } from "./secretFile.ts"
import { describeSystemError } from "./systemError.ts"

/** Fetches into `place`, an empty directory of this fetch. Keys are written below `keys` and gone when it is over. */
export const fetchGit = (place: string, keys: string, source: GitSource): Effect.Effect<SourceTree, SourceError> =>
  Effect.gen(function* () {
    const runner = yield* openRunner(place, keys, source)
    const commit = yield* fetchedBy(source, runner)
    return { directory: runner.places.tree, commit }
  }).pipe(Effect.scoped)

const unusable = (problem: string): SourceError =>
  new SourceError({ reason: "source_unreachable", detail: `the source could not be fetched: ${problem}` })

const openRunner = Effect.fnUntraced(function* (
  place: string,
  keys: string,
  source: GitSource
): Effect.fn.Return<GitRunner, SourceError, Scope.Scope> {
  const at = (name: string): string => Path.join(place, name)
  const places = { repository: at("repository"), tree: at("tree"), home: at("home") }
  yield* Effect.tryPromise({
    try: () => Promise.all([mkdir(places.tree), mkdir(places.home)]),
    catch: (cause) => unusable(describeSystemError(cause))
  })
  const ssh = isSshUrl(source.url)
    ? yield* Effect.mapError(sshFiles(keys, source.deployKey, source.knownHosts ?? ""), unusable)
    : undefined

  const env = Git.environment(places, process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin", ssh)
  const run = (args: ReadonlyArray<string>) =>
    runToEnd({ argv: ["git", ...args], cwd: places.home, env }).pipe(
      Effect.mapError(unusable),
      Effect.filterOrFail(
        ({ code }) => code !== 127,
        () => unusable("git is not installed on this machine")
      )
    )
  return { places, run, clear: removeDirectory(places.repository) }
})
