// Fetches Sources with the `git` of this machine and over plain HTTP, into directories of this process. Not for images:
// processes are not made from them.

import { type ArchiveSource, type Source } from "@lockkeeper/core/domain/Source"
import { type ArtifactError, fetchArtifact } from "@lockkeeper/core/port/artifactFetch"
import { SourceError, SourceFetcher, type SourceTree } from "@lockkeeper/core/port/SourceFetcher"
import { Duration, Effect, Layer, type Scope } from "effect"
import { mkdir, rm } from "node:fs/promises"
import * as Path from "node:path"
import { unpack } from "./internal/archive.ts"
import { fetchGit } from "./internal/git.ts"
import { ownDirectory, removeDirectory, sweepDirectory } from "./internal/privateDirectory.ts"
import { inRealTime } from "./internal/settled.ts"
import { describeSystemError } from "./internal/systemError.ts"
import { processArtifactRunner } from "./ProcessArtifactRunner.ts"

/**
 * Says where Sources are fetched to and how long and how large that may be.
 *
 * `directory` belongs to this user alone: `keys/` and `sources/` are made in it, 0700. One directory per host, not
 * shared between containers. `deadline` bounds a whole fetch (10 minutes). `archiveBytes` bounds an archive as it is
 * sent (512 MiB), `unpacked` what it holds (2 GiB in 200,000 entries).
 */
export interface ProcessSourceFetcherOptions {
  readonly directory: string
  readonly deadline?: Duration.Input | undefined
  readonly archiveBytes?: number | undefined
  readonly unpacked?: { readonly entries: number; readonly bytes: number } | undefined
}

const keysOf = (directory: string): string => Path.join(directory, "keys")
const sourcesOf = (directory: string): string => Path.join(directory, "sources")

/** Removes the keys and trees below `directory` that processes left which no longer live; answers how many. */
export const sweepLeftovers = (directory: string): Effect.Effect<number> =>
  Effect.map(
    Effect.all([sweepDirectory(keysOf(directory)), sweepDirectory(sourcesOf(directory))]),
    ([keys, sources]) => keys + sources
  )

/**
 * Sweeps what dead processes left, then fetches into `directory`.
 *
 * An archive that matches its sum and still cannot be used (damaged, unsafe paths or links, too large) is
 * `no_build_file`, as an image is; one that ends early after three tries is `checksum_mismatch`. A name that is both
 * a tag and a branch is the tag, as for Git.
 */
export const make = (options: ProcessSourceFetcherOptions): Effect.Effect<SourceFetcher["Service"]> =>
  Effect.gen(function* () {
    const deadline = Duration.fromInputUnsafe(options.deadline ?? "10 minutes")
    const tooLate = new SourceError({
      reason: "source_unreachable",
      detail: `the source could not be fetched within ${Duration.format(deadline)}`
    })
    yield* sweepLeftovers(options.directory)

    const fetch = Effect.fn("ProcessSourceFetcher.fetch")(function* (
      source: Source
    ): Effect.fn.Return<SourceTree, SourceError, Scope.Scope> {
      const place = yield* Effect.mapError(ownDirectory(sourcesOf(options.directory)), unusable)
      return yield* fetchInto(options, place, source).pipe(
        Effect.timeoutOrElse({ duration: deadline, orElse: () => Effect.fail(tooLate) }),
        Effect.onError(() => removeDirectory(place)),
        inRealTime
      )
    })
    return SourceFetcher.of({ fetch })
  })

/** Provides {@link make}. */
export const layer = (options: ProcessSourceFetcherOptions): Layer.Layer<SourceFetcher> =>
  Layer.effect(SourceFetcher, make(options))

const unusable = (problem: string): SourceError =>
  new SourceError({ reason: "source_unreachable", detail: `the source could not be fetched: ${problem}` })

const fetchInto = (
  options: ProcessSourceFetcherOptions,
  place: string,
  source: Source
): Effect.Effect<SourceTree, SourceError> => {
  switch (source.type) {
    case "git":
      return fetchGit(place, keysOf(options.directory), source)
    case "archive":
      return fetchArchive(options, place, source)
    case "image":
      return Effect.fail(
        new SourceError({ reason: "no_build_file", detail: "an image cannot be run as a process: it needs Docker" })
      )
  }
}

const reasons: Readonly<Record<ArtifactError["reason"], SourceError["reason"]>> = {
  unreachable: "source_unreachable",
  unavailable: "source_unreachable",
  ended_early: "checksum_mismatch",
  denied: "auth_failed",
  refused: "source_unreachable",
  wrong_sum: "checksum_mismatch",
  too_large: "no_build_file",
  not_written: "source_unreachable",
  too_late: "source_unreachable"
}

const notDownloaded = ({ detail, reason }: ArtifactError): SourceError =>
  new SourceError({ reason: reasons[reason], detail: `the archive could not be downloaded: ${detail}` })

const fetchArchive = Effect.fnUntraced(function* (
  options: ProcessSourceFetcherOptions,
  place: string,
  source: ArchiveSource
): Effect.fn.Return<SourceTree, SourceError> {
  const file = Path.join(place, "download")
  const tree = Path.join(place, "tree")
  const onDisk = <A>(run: () => Promise<A>): Effect.Effect<A, SourceError> =>
    Effect.tryPromise({ try: run, catch: (cause) => unusable(describeSystemError(cause)) })

  const limitBytes = options.archiveBytes ?? 512 * 1024 ** 2
  const deadline = options.deadline ?? "10 minutes"
  yield* Effect.mapError(
    fetchArtifact({ url: source.url, sha256: source.sha256, file, limitBytes, deadline }, processArtifactRunner),
    notDownloaded
  )

  yield* onDisk(() => mkdir(tree))
  const root = yield* unpack(file, tree, options.unpacked ?? { entries: 200_000, bytes: 2 * 1024 ** 3 })
  yield* onDisk(() => rm(file))
  return { directory: root, commit: null }
})
