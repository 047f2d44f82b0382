// Brings a Source onto this machine, for as long as a Scope lasts.
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { Commit, type Source } from "../domain/Source.ts"
import type { ImageDigest } from "../domain/Workload.ts"
import { MemoryState } from "./MemoryState.ts"

/** A Source could not be fetched. `detail` is one sentence for a person and holds no secret. */
export class SourceError extends Schema.TaggedError<SourceError>()("SourceError", {
  reason: Schema.Literals([
    "source_unreachable",
    "host_key_mismatch",
    "auth_failed",
    "ref_not_found",
    "checksum_mismatch",
    "no_build_file"
  ]),
  detail: Schema.String
}) {
  override readonly message = this.detail
}

/** Files in a directory of their own, and the commit they are of (null where there is none). */
export interface SourceTree {
  readonly directory: string
  readonly commit: Commit | null
}

/** An image that was brought here as it is, pinned by its digest: there is nothing to build, and it is of no commit. */
export interface SourceImage {
  readonly image: ImageDigest
  readonly commit: null
}

/** Fetches Sources. */
export class SourceFetcher extends Context.Service<
  SourceFetcher,
  {
    /**
     * The files of a Source, complete and checked, in a directory of their own, or its image. The files, and every key
     * that was needed, are gone when the Scope closes; of a fetch that fails or is interrupted nothing is left.
     */
    readonly fetch: (source: Source) => Effect.Effect<SourceTree | SourceImage, SourceError, Scope.Scope>
  }
>()("@lockkeeper/core/port/SourceFetcher") {
  /** A tree for every Source but those that the state says are refused, without fetching anything. */
  static readonly layerMemory: Layer.Layer<SourceFetcher, never, MemoryState> = Layer.effect(
    SourceFetcher,
    Effect.map(MemoryState, (state) => {
      const fetch = Effect.fnUntraced(function* (source: Source) {
        const from = source.type === "image" ? source.reference : source.url
        const refusal = state.refusals.get(from)
        if (refusal !== undefined && refusal !== "silence") {
          return yield* new SourceError({ reason: refusal, detail: `${from} could not be fetched` })
        }
        const commit = source.type === "git" ? (source.commit ?? Commit.make("0".repeat(40))) : null
        const directory = `/memory/${++state.sequence}`
        yield* Effect.acquireRelease(
          Effect.sync(() => state.trees.set(directory, `${from} ${commit}`)),
          () => Effect.sync(() => state.trees.delete(directory))
        )
        return refusal === "silence" ? yield* Effect.never : { directory, commit }
      })

      return SourceFetcher.of({ fetch })
    })
  )
}
