// Sources as rows keep them: what is open as JSON, the deploy key sealed for its place. Not here: what a Source means.

import type { AppId, DeploymentId } from "@lockkeeper/core/domain/App"
import { open, type OpenSource, type Source } from "@lockkeeper/core/domain/Source"
import type { SecretCipher, SecretError } from "@lockkeeper/core/port/SecretCipher"
import { Effect } from "effect"

/** The two columns of a Source. */
export interface StoredSource {
  readonly source: OpenSource
  readonly sealed: Uint8Array | null
}

/** Where the deploy key of an App or of a Deployment is sealed for. */
const sourcePlace = (owner: AppId | DeploymentId): string =>
  `${owner.startsWith("app_") ? "app" : "deployment"}/${owner}/source`

/** Seals the deploy key of a Source for its owner. */
export const store = (
  cipher: typeof SecretCipher.Service,
  owner: AppId | DeploymentId,
  source: Source
): Effect.Effect<StoredSource> =>
  source.type === "git" && source.deployKey !== undefined
    ? Effect.map(cipher.seal(source.deployKey, sourcePlace(owner)), (sealed) => ({ source: open(source), sealed }))
    : Effect.succeed({ source: open(source), sealed: null })

/** Opens what {@link store} made for this owner. */
export const restore = (
  cipher: typeof SecretCipher.Service,
  owner: AppId | DeploymentId,
  { sealed, source }: StoredSource
): Effect.Effect<Source, SecretError> =>
  source.type === "git" && sealed !== null
    ? Effect.map(cipher.open(sealed, sourcePlace(owner)), (deployKey) => ({ ...source, deployKey }))
    : Effect.succeed(withoutKey(source))

const withoutKey = (source: OpenSource): Source => source
