// Envs and their changes as sealed bytes. What is sealed for one App and revision opens nowhere else, and what does not
// open or parse is an error that shows nothing of it: an unreadable Env is never an empty one.

import type { AppId } from "@lockkeeper/core/domain/App"
import {
  apply,
  changeFromJson,
  changeToJson,
  empty,
  type Env,
  type EnvChange,
  fromCanonicalJson,
  Revision,
  toCanonicalJson
} from "@lockkeeper/core/domain/Env"
import type { SecretCipher, SecretError } from "@lockkeeper/core/port/SecretCipher"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Effect, Result } from "effect"

/** Sealed bytes of one revision. */
export interface SealedRevision {
  readonly revision: Revision
  readonly sealed: Uint8Array
}

const envPlace = (app: AppId, revision: Revision): string => `env/${app}/${revision}`

const changePlace = (app: AppId, revision: Revision): string => `env/${app}/${revision}/change`

/** The reason why something does not parse would hold what does not parse: it is left out. */
const corrupt = (app: AppId, revision: Revision): StoreError =>
  new StoreError({
    operation: "EnvStore",
    reason: "corrupt",
    cause: new Error(`${envPlace(app, revision)} is not an Env`)
  })

/** Seals and opens Envs. */
export const sealedEnvs = (cipher: typeof SecretCipher.Service) => {
  const seal = (app: AppId, revision: Revision, env: Env) => cipher.seal(toCanonicalJson(env), envPlace(app, revision))

  const sealChange = (app: AppId, revision: Revision, change: EnvChange) =>
    cipher.seal(changeToJson(change), changePlace(app, revision))

  const present = Effect.fnUntraced(function* (
    app: AppId,
    stored: { readonly revision: Revision | null; readonly sealed: Uint8Array | null } | undefined
  ): Effect.fn.Return<{ readonly revision: Revision; readonly env: Env }, SecretError | StoreError> {
    const { revision = null, sealed = null } = stored ?? {}
    if (revision === null || sealed === null) return { revision: Revision.make(0), env: empty }
    const json = yield* cipher.open(sealed, envPlace(app, revision))
    const env = fromCanonicalJson(json)
    return Result.isSuccess(env) ? { revision, env: env.success } : yield* corrupt(app, revision)
  })

  /** The Env at a revision, from the changes up to it: all of them, in order. */
  const replay = Effect.fnUntraced(function* (
    app: AppId,
    revision: Revision,
    changes: ReadonlyArray<SealedRevision>
  ): Effect.fn.Return<Env, SecretError | StoreError> {
    if (changes.length !== revision || changes.some((row, index) => row.revision !== index + 1)) {
      return yield* corrupt(app, revision)
    }
    let env = empty
    for (const row of changes) {
      const json = yield* cipher.open(row.sealed, changePlace(app, row.revision))
      const applied = Result.flatMap(changeFromJson(json), (change) => apply(env, change))
      if (Result.isFailure(applied)) return yield* corrupt(app, row.revision)
      env = applied.success.env
    }
    return env
  })

  return { seal, sealChange, present, replay }
}
