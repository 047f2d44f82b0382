// Brings one commit of a Git repository to a place, in the same steps wherever `git` runs. What it is told is in
// gitCommand.ts, what its complaints mean in gitFailure.ts.
import { Effect, Schema } from "effect"
import { Commit, type GitSource } from "../domain/Source.ts"
import * as Git from "./gitCommand.ts"
import { gitFailure, refusesCommitIds, usesOtherFormat } from "./gitFailure.ts"
import { SourceError } from "./SourceFetcher.ts"

/** How a command ended, and what it printed. `code` is null when a signal ended it. */
export interface GitEnded {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Who runs Git: each command to its end, with the environment of {@link Git.environment}. */
export interface GitRunner {
  readonly places: Git.GitPlaces
  /** Runs Git with these arguments, and answers how it ended. */
  readonly run: (args: ReadonlyArray<string>) => Effect.Effect<GitEnded, SourceError>
  /** Removes the repository, so that it can be made anew. */
  readonly clear: Effect.Effect<void, SourceError>
}

/**
 * Fetches what a Source names and writes its files into the tree; answers the commit. A commit by its id is fetched
 * alone where the server allows that, else with the history of its ref or of all refs.
 */
export const fetchGit = Effect.fnUntraced(function* (
  source: GitSource,
  runner: GitRunner
): Effect.fn.Return<Commit, SourceError> {
  yield* fetchCommit(source, runner)
  const commit = yield* resolved(source, runner, source.commit ?? Git.fetchedRef)
  yield* expectSuccess(runner.run(Git.checkout(runner.places, commit)))
  const head = yield* resolved(source, runner, "HEAD")
  if (source.commit !== undefined && head !== source.commit) {
    return yield* notFound(`${source.commit} is not the id of a commit`)
  }
  yield* runner.clear
  return head
})

const wantedOf = (source: GitSource): string => source.commit ?? source.ref ?? "HEAD"

const notFound = (detail: string): SourceError => new SourceError({ reason: "ref_not_found", detail })

const expectSuccess = (ended: Effect.Effect<GitEnded, SourceError>): Effect.Effect<GitEnded, SourceError> =>
  Effect.filterOrFail(
    ended,
    ({ code }) => code === 0,
    ({ stderr }) => gitFailure(stderr)
  )

const fetchCommit = Effect.fnUntraced(function* (
  source: GitSource,
  { clear, places, run }: GitRunner
): Effect.fn.Return<void, SourceError> {
  const ask = Git.fetch(places, source.url, [`${wantedOf(source)}:${Git.fetchedRef}`], "one")

  yield* expectSuccess(run(Git.init(places, source.commit?.length === 64 ? "sha256" : "sha1")))
  let ended = yield* run(ask)
  if (ended.code !== 0 && usesOtherFormat(ended.stderr) && source.commit === undefined) {
    yield* clear
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

const resolved = Effect.fnUntraced(function* (
  source: GitSource,
  { places, run }: GitRunner,
  name: string
): Effect.fn.Return<Commit, SourceError> {
  const { code, stdout } = yield* run(Git.resolve(places, name))
  const commit = stdout.trim()
  return code === 0 && isCommit(commit) ? commit : yield* notFound(`${wantedOf(source)} leads to no commit`)
})
