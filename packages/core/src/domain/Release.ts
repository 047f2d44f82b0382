// The immutable record of what a healthy Deployment runs.
import { Schema } from "effect"
import { AppId, ReleaseId } from "./App.ts"
import { Revision } from "./Env.ts"
import { Commit } from "./Source.ts"
import { ImageDigest } from "./Workload.ts"

/** What a healthy Deployment runs: image digest, Env revision and source commit. `current` is the one that serves. */
export const Release = Schema.Struct({
  id: ReleaseId,
  app: AppId,
  number: Schema.Int,
  image: ImageDigest,
  envRevision: Revision,
  commit: Schema.NullOr(Commit),
  createdAt: Schema.DateTimeUtc,
  current: Schema.Boolean
})

/** The type of {@link Release}. */
export interface Release extends Schema.Schema.Type<typeof Release> {}
