// Brings a Source onto this machine, for as long as a Scope lasts.
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { Commit, type Source } from "../domain/Source.ts"
import type { ImageDigest } from "../domain/Workload.ts"

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
     * The files of a Source, complete and checked, or its image. The files, and every key that was needed, are gone when
     * the Scope closes.
     */
    readonly fetch: (source: Source) => Effect.Effect<SourceTree | SourceImage, SourceError, Scope.Scope>
  }
>()("@lockkeeper/core/port/SourceFetcher") {
  /** Answers a tree for every Source without fetching anything. */
  static readonly layerMemory: Layer.Layer<SourceFetcher> = Layer.succeed(SourceFetcher, {
    fetch: (source) =>
      Effect.succeed({
        directory: "/memory",
        commit: source.type === "git" ? (source.commit ?? Commit.make("0".repeat(40))) : null
      })
  })
}
