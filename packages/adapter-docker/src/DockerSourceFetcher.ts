// Fetches Git repositories in locked-down containers, and images from their registries. Archives, which need neither Git nor
// a key, are left to the SourceFetcher beneath.

import type { ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { GitSource, ImageReference, Source } from "@lockkeeper/core/domain/Source"
import { SourceError, SourceFetcher, type SourceImage, type SourceTree } from "@lockkeeper/core/port/SourceFetcher"
import { Duration, Effect, Layer, type Scope } from "effect"
import type { DockerEngineOptions } from "./DockerEngine.ts"
import type { InstallationId } from "./InstallationId.ts"
import { inBackground } from "./internal/background.ts"
import { clone } from "./internal/clone.ts"
import { connect } from "./internal/connect.ts"
import type { EngineError, EngineReason } from "./internal/EngineError.ts"
import { sweep } from "./internal/helpers.ts"
import * as Images from "./internal/images.ts"
import * as KeptImages from "./internal/keptImages.ts"
import { newOwner } from "./internal/labels.ts"
import { ownDirectory, prepareDirectory, unpack } from "./internal/trees.ts"

/**
 * Says where trees are put and by whom they are fetched.
 *
 * `directory` belongs to this fetcher alone: what is in it when it is made is removed. `gitImage` is an image with `git`,
 * `ssh`, `ssh-agent` and a shell. `deadline` bounds a whole fetch (10 minutes), `unpacked` what a tree may hold (2 GiB in
 * 200,000 entries).
 */
export interface DockerSourceFetcherOptions extends DockerEngineOptions {
  readonly installation: InstallationId
  readonly replica: ReplicaId
  readonly gitImage: ImageReference
  readonly directory: string
  readonly deadline?: Duration.Input | undefined
  readonly unpacked?: { readonly entries: number; readonly bytes: number } | undefined
}

const sweepEvery = Duration.minutes(5)

/**
 * Makes the fetcher. What an earlier process of the replica left is removed in the background, and what nobody needs any more
 * now and then. A source whose address is on the loopback interface is one of this host: its container shares the host's
 * network for that.
 */
export const make = (
  options: DockerSourceFetcherOptions
): Effect.Effect<SourceFetcher["Service"], SourceError, SourceFetcher | Scope.Scope> =>
  Effect.gen(function* () {
    const beneath = yield* SourceFetcher
    const docker = connect(options)
    const owner = newOwner(options.installation, options.replica)
    const deadline = Duration.fromInputUnsafe(options.deadline ?? "10 minutes")
    const limits = options.unpacked ?? { entries: 200_000, bytes: 2 * 1024 ** 3 }
    yield* prepareDirectory(options.directory)
    yield* inBackground("sweeping helpers", sweep(docker, owner), sweepEvery)

    const fetchGit = Effect.fnUntraced(function* (
      source: GitSource
    ): Effect.fn.Return<SourceTree, SourceError, Scope.Scope> {
      const { id: image } = yield* Images.ensure(docker, options.gitImage, () => Effect.void).pipe(
        Effect.mapError(({ detail }) =>
          failed("source_unreachable", `the clone image ${options.gitImage} is not there: ${detail}`)
        )
      )
      const directory = yield* ownDirectory(options.directory)
      const lifetimeSeconds = Math.ceil(Duration.toSeconds(deadline)) + 10
      const fetched = Effect.gen(function* () {
        const { commit, files } = yield* clone({ docker, owner, image, lifetimeSeconds }, source)
        yield* unpack(files, directory, limits)
        return { directory, commit }
      })
      return yield* Effect.scoped(fetched)
    })

    const fetchImage = Effect.fnUntraced(function* (
      reference: ImageReference
    ): Effect.fn.Return<SourceImage, SourceError> {
      const { id } = yield* Images.resolve(docker, reference).pipe(
        Effect.tap(({ id }) => KeptImages.keep(docker, owner.installation, id)),
        Effect.retry({ times: 1, while: ({ operation, reason }) => operation === "tag" && reason !== "timed_out" }),
        Effect.mapError((error) => imageFailure(reference, error))
      )
      return { image: id, commit: null }
    })

    const fetch = Effect.fn("DockerSourceFetcher.fetch")(function* (
      source: Source
    ): Effect.fn.Return<SourceTree | SourceImage, SourceError, Scope.Scope> {
      if (source.type === "archive") return yield* beneath.fetch(source)
      const fetched: Effect.Effect<SourceTree | SourceImage, SourceError, Scope.Scope> =
        source.type === "git" ? fetchGit(source) : fetchImage(source.reference)
      return yield* Effect.timeoutOrElse(fetched, {
        duration: deadline,
        orElse: () =>
          Effect.fail(failed("source_unreachable", `it could not be fetched within ${Duration.format(deadline)}`))
      })
    })

    return SourceFetcher.of({ fetch })
  })

/** Provides {@link make}, over the fetcher that it leaves archives to. */
export const layer = (options: DockerSourceFetcherOptions): Layer.Layer<SourceFetcher, SourceError, SourceFetcher> =>
  Layer.effect(SourceFetcher, make(options))

const failed = (reason: SourceError["reason"], detail: string): SourceError => new SourceError({ reason, detail })

const imageReasons: Partial<Record<EngineReason, SourceError["reason"]>> = {
  image_not_found: "ref_not_found",
  not_found: "ref_not_found",
  denied: "auth_failed"
}

const imageFailure = (reference: ImageReference, error: EngineError): SourceError =>
  failed(
    imageReasons[error.reason] ?? "source_unreachable",
    `the image ${reference} could not be fetched: ${error.detail}`
  )
