// Brings one commit of a Git repository into a directory, by the `git` of this machine. What it is told is in
// gitCommand.ts, what its complaints mean in gitFailure.ts.

import { Commit, type GitSource, isSshUrl } from "@lockkeeper/core/domain/Source"
import { SourceError, type SourceTree } from "@lockkeeper/core/port/SourceFetcher"
import { Effect, Schema, type Scope } from "effect"
import { mkdir } from "node:fs/promises"
import * as Path from "node:path"
import * as Git from "./gitCommand.ts"
import { gitFailure, refusesCommitIds, usesOtherFormat } from "./gitFailure.ts"
import { removeDirectory } from "./privateDirectory.ts"
import { type Ended, runToEnd } from "./runToEnd.ts"
import { sshFiles } from "./secretFile.ts"
import { describeSystemError } from "./systemError.ts"

interface GitFetch {
  readonly source: GitSource
  readonly places: Git.GitPlaces
  readonly run: (args: ReadonlyArray<string>) => Effect.Effect<Ended, SourceError>
}

/** Fetches into `place`, an empty directory of this fetch. Keys are written below `keys` and gone when it is over. */
export const fetchGit = (place: string, keys: string, source: GitSource): Effect.Effect<SourceTree, SourceError> =>
  Effect.gen(function* () {
    const fetching = yield* openFetch(place, keys, source)
    yield* fetchCommit(fetching)

    const commit = yield* resolved(fetching, source.commit ?? Git.fetchedRef)
    yield* expectSuccess(fetching.run(Git.checkout(fetching.places, commit)))
    const head = yield* resolved(fetching, "HEAD")
    if (source.commit !== undefined && head !== source.commit) {
      return yield* notFound(`${source.commit} is not the id of a commit`)
    }

    yield* removeDirectory(fetching.places.repository)
    return { directory: fetching.places.tree, commit: head }
  }).pipe(Effect.scoped)

const unusable = (problem: string): SourceError =>
  new SourceError({ reason: "source_unreachable", detail: `the source could not be fetched: ${problem}` })

const wantedOf = (source: GitSource): string => source.commit ?? source.ref ?? "HEAD"

const notFound = (detail: string): SourceError => new SourceError({ reason: "ref_not_found", detail })

const openFetch = Effect.fnUntraced(function* (
  place: string,
  keys: string,
  source: GitSource
): Effect.fn.Return<GitFetch, SourceError, Scope.Scope> {
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
  return { source, places, run }
})

const expectSuccess = (ended: Effect.Effect<Ended, SourceError>): Effect.Effect<Ended, SourceError> =>
  Effect.filterOrFail(
    ended,
    ({ code }) => code === 0,
    ({ stderr }) => gitFailure(stderr)
  )

const fetchCommit = Effect.fnUntraced(function* (fetching: GitFetch): Effect.fn.Return<void, SourceError> {
  const { places, run, source } = fetching
  const ask = Git.fetch(places, source.url, [`${wantedOf(source)}:${Git.fetchedRef}`], "one")

  yield* expectSuccess(run(Git.init(places, source.commit?.length === 64 ? "sha256" : "sha1")))
  let ended = yield* run(ask)
  if (ended.code !== 0 && usesOtherFormat(ended.stderr) && source.commit === undefined) {
    yield* removeDirectory(places.repository)
    yield* expectSuccess(run(Git.init(places, "sha256")))
    ended = yield* run(ask)
  }
  if (ended.code === 0) return
  if (source.commit === undefined || !refusesCommitIds(ended.stderr)) return yield* gitFailure(ended.stderr)

  const refspecs =
    source.ref === undefined
      ? ["+refs/heads/*:refs/lockkeeper/heads/*", "+refs/tags/*:refs/lockkeeper/tags/*"]
      : [`${source.ref}:${Git.fetchedRef}`]
  yield* expectSuccess(run(Git.fetch(places, source.url, refspecs, "all")))
})

const isCommit = Schema.is(Commit)

const resolved = Effect.fnUntraced(function* (fetching: GitFetch, name: string): Effect.fn.Return<Commit, SourceError> {
  const { code, stdout } = yield* fetching.run(Git.resolve(fetching.places, name))
  const commit = stdout.trim()
  return code === 0 && isCommit(commit) ? commit : yield* notFound(`${wantedOf(fetching.source)} leads to no commit`)
})
