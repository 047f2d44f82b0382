// What every SourceFetcher keeps: a tree is complete or not there, it ends with its Scope, and a refusal says why and shows
// no secret. Something has to be fetched for that: the test of an adapter makes it and looks at what is left.
import { Effect, Fiber, Option, Redacted, type Scope } from "effect"
import type { ArchiveSource, Commit, GitSource, Source } from "../domain/Source.ts"
import { type SourceError, SourceFetcher, type SourceTree } from "../port/SourceFetcher.ts"
import { type Contract, equal, holds, law, Mismatch, present, refused } from "./Contract.ts"

/** A Source, and what must come of it: its commit, and the texts of its files by their paths. */
export interface FetchedSource {
  readonly source: Source
  readonly commit: Commit | null
  readonly files: Readonly<Record<string, string>>
}

/** Sources that lead somewhere and Sources that do not, and a way to see what was fetched. */
export interface SourceFixture {
  /** Git Sources of two commits at least: by a ref, and by the id of a commit that is not the newest. */
  readonly fetched: readonly [FetchedSource, FetchedSource, ...ReadonlyArray<FetchedSource>]
  /** Its server is not there. */
  readonly unreachable: Source
  /** Its archive is there and has another sum. */
  readonly otherSum: ArchiveSource
  /** Its repository has no such ref or commit. */
  readonly missing: GitSource
  /** Its server's host key is not among the pinned ones. */
  readonly otherHost: GitSource
  /** Its key opens nothing. */
  readonly locked: GitSource
  /** Its server says nothing; `asked` is over once it was asked. */
  readonly silent: { readonly source: Source; readonly asked: Effect.Effect<void> }
  /** The texts of the files of a directory by their paths; none where there is no directory. */
  readonly filesOf: (directory: string) => Effect.Effect<Readonly<Record<string, string>>>
  /** Everything that exists because of fetches: directories, keys, processes, containers. */
  readonly left: Effect.Effect<ReadonlyArray<string>>
}

const sorted = (files: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(files).sort())

const fetchTree = Effect.fnUntraced(function* (source: Source) {
  const fetcher = yield* SourceFetcher
  const fetched = yield* fetcher.fetch(source)
  if ("image" in fetched) return yield* new Mismatch({ expected: "a tree", actual: "it is an image" })
  return fetched
})

const refusal = Effect.fnUntraced(function* (source: Source, reason: SourceError["reason"]) {
  const fetcher = yield* SourceFetcher
  const error = yield* refused("SourceError", Effect.scoped(fetcher.fetch(source)))
  yield* equal("the reason", error.reason, reason)
  yield* holds("one sentence", error.detail !== "" && !error.detail.includes("\n"), error.detail)
  return error
})

/** The lines of a key that would give it away. */
const secretsOf = ({ deployKey }: GitSource): ReadonlyArray<string> =>
  deployKey === undefined
    ? []
    : Redacted.value(deployKey)
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("-----"))

/** The laws of {@link SourceFetcher}, with Sources to fetch. */
export const makeSourceFetcherContract = <R>(
  fixture: Effect.Effect<SourceFixture, never, R | Scope.Scope>
): Contract<SourceFetcher | R> => {
  const about = <E>(check: (fixture: SourceFixture) => Effect.Effect<void, E, SourceFetcher>) =>
    Effect.scoped(Effect.flatMap(fixture, check))

  const nothingLeft = Effect.fnUntraced(function* ({ left }: SourceFixture) {
    yield* equal("what is left", [...(yield* left)], [])
  })

  const isWhole = Effect.fnUntraced(function* (
    { filesOf }: SourceFixture,
    { commit, files }: FetchedSource,
    tree: SourceTree
  ) {
    yield* equal("its commit", tree.commit, commit)
    yield* equal("its files", sorted(yield* filesOf(tree.directory)), sorted(files))
  })

  const isRefused = (pick: (fixture: SourceFixture) => Source, reason: SourceError["reason"]) =>
    about((given) => Effect.andThen(refusal(pick(given), reason), nothingLeft(given)))

  return [
    law(
      "B14",
      "a Source is fetched complete, with its commit",
      about((given) =>
        Effect.forEach(
          given.fetched,
          (each) => Effect.scoped(Effect.flatMap(fetchTree(each.source), (tree) => isWhole(given, each, tree))),
          { discard: true }
        )
      )
    ),

    law(
      "U2",
      "its files are there for as long as the Scope lasts, and nothing is left afterwards",
      about(
        Effect.fnUntraced(function* (given) {
          const [first] = given.fetched
          const directory = yield* Effect.scoped(
            Effect.gen(function* () {
              const tree = yield* fetchTree(first.source)
              yield* holds("files", Object.keys(yield* given.filesOf(tree.directory)).length > 0)
              return tree.directory
            })
          )
          yield* equal("the files afterwards", yield* given.filesOf(directory), {})
          yield* nothingLeft(given)
        })
      )
    ),

    law(
      "H30",
      "what is fetched at the same time has directories of its own, and the end of one leaves the others",
      about(
        Effect.fnUntraced(function* (given) {
          const [first, second] = given.fetched
          const short = Effect.scoped(fetchTree(first.source))
          const long = Effect.scoped(
            Effect.gen(function* () {
              const all = [first, second, first]
              const trees = yield* Effect.forEach(all, ({ source }) => fetchTree(source), { concurrency: "unbounded" })
              yield* short
              const directories = new Set(trees.map(({ directory }) => directory))
              yield* equal("how many directories there are", directories.size, 3)
              for (const [index, each] of all.entries()) {
                yield* isWhole(given, each, yield* present("a tree", trees[index]))
              }
            })
          )
          yield* long
          yield* nothingLeft(given)
        })
      )
    ),

    law(
      "SourceFetcher-1",
      "what cannot be reached is refused as source_unreachable, and nothing is left",
      isRefused(({ unreachable }) => unreachable, "source_unreachable")
    ),

    law(
      "H6",
      "an archive with another SHA-256 is refused as checksum_mismatch, and nothing is left",
      isRefused(({ otherSum }) => otherSum, "checksum_mismatch")
    ),

    law(
      "SourceFetcher-2",
      "a ref or commit that is not there is refused as ref_not_found, and nothing is left",
      isRefused(({ missing }) => missing, "ref_not_found")
    ),

    law(
      "INV-12",
      "a server whose host key is not pinned is refused as host_key_mismatch, and nothing is left",
      isRefused(({ otherHost }) => otherHost, "host_key_mismatch")
    ),

    law(
      "INV-12",
      "a key that opens nothing is refused as auth_failed, and neither it nor anything else is left",
      isRefused(({ locked }) => locked, "auth_failed")
    ),

    law(
      "INV-11",
      "no refusal shows anything of a key",
      about(
        Effect.fnUntraced(function* ({ locked, missing, otherHost }) {
          for (const source of [locked, missing, otherHost]) {
            const fetcher = yield* SourceFetcher
            const error = yield* refused("SourceError", Effect.scoped(fetcher.fetch(source)))
            const shown = `${error.message} ${JSON.stringify(error)} ${String(error.cause)} ${error.stack}`
            yield* holds("an error without the key", !secretsOf(source).some((line) => shown.includes(line)))
          }
        })
      )
    ),

    law(
      "H5",
      "a fetch that is interrupted while its server says nothing is over at once, and leaves nothing",
      about(
        Effect.fnUntraced(function* (given) {
          const fetching = yield* Effect.forkChild(Effect.scoped(fetchTree(given.silent.source)))
          yield* given.silent.asked
          const over = yield* Effect.timeoutOption(Fiber.interrupt(fetching), "5 seconds")
          yield* holds("its end within five seconds", Option.isSome(over))
          yield* nothingLeft(given)
        })
      )
    ),

    law(
      "INV-7",
      "a fetch that is interrupted, early or late, leaves nothing",
      about(
        Effect.fnUntraced(function* (given) {
          const [{ source }] = given.fetched
          for (const steps of [0, 1, 2, 4, 8, 64]) {
            const fetching = yield* Effect.forkChild(Effect.scoped(fetchTree(source)))
            yield* Effect.repeat(Effect.yieldNow, { times: steps })
            yield* Fiber.interrupt(fetching)
            yield* equal(`what is left after ${steps} steps`, [...(yield* given.left)], [])
          }
        })
      )
    )
  ]
}
