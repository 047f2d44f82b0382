// Envs and their changes as sealed bytes. What is sealed for one App and Revision opens nowhere else, and what does not
// open or parse is an error that shows nothing of it: an unreadable Env is never an empty one.

import type { AppId } from "@lockkeeper/core/domain/App"
import { apply, Env, type EnvChange, Revision } from "@lockkeeper/core/domain/Env"
import { changesFromJson, changesToJson, fromCanonicalJson, toCanonicalJson } from "@lockkeeper/core/domain/EnvJson"
import type { SecretCipher, SecretError } from "@lockkeeper/core/port/SecretCipher"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Effect, Result } from "effect"

/** What is stored of an Env: first (0) perhaps the whole of it at the Revision `last`, then changes that follow each other. */
export interface SealedPart {
  readonly first: number
  readonly last: number
  readonly sealed: Uint8Array
}

/** An Env at a Revision. */
export interface Present {
  readonly revision: Revision
  readonly env: Env
}

/** An Env with what it takes to read it: the bytes of the newest whole one, and of the changes after it. */
export interface Loaded extends Present {
  readonly wholeBytes: number
  readonly changeBytes: number
  readonly changeCount: number
}

/** An Env of which nothing is stored. */
const unwritten: Loaded = {
  revision: Revision.make(0),
  env: Env.empty,
  wholeBytes: 0,
  changeBytes: 0,
  changeCount: 0
}

const envPlace = (app: AppId, revision: number): string => `env/${app}/${revision}`

const changesPlace = (app: AppId, last: number): string => `env/${app}/${last}/change`

/** The reason why something does not parse would hold what does not parse: it is left out. */
const corrupt = (app: AppId, revision: number): StoreError =>
  new StoreError({
    operation: "EnvStore",
    reason: "corrupt",
    cause: new Error(`${envPlace(app, revision)} is not an Env`)
  })

/** Seals and opens Envs. */
export const sealedEnvs = (cipher: typeof SecretCipher.Service) => {
  const sealWhole = (app: AppId, { env, revision }: Present) =>
    cipher.seal(toCanonicalJson(env), envPlace(app, revision))

  const sealChanges = (app: AppId, last: Revision, changes: ReadonlyArray<EnvChange>) =>
    cipher.seal(changesToJson(changes), changesPlace(app, last))

  const openWhole = Effect.fnUntraced(function* (app: AppId, { last, sealed }: SealedPart) {
    const env = fromCanonicalJson(yield* cipher.open(sealed, envPlace(app, last)))
    return Result.isSuccess(env) ? env.success : yield* corrupt(app, last)
  })

  const openChanges = Effect.fnUntraced(function* (app: AppId, { first, last, sealed }: SealedPart) {
    const changes = changesFromJson(yield* cipher.open(sealed, changesPlace(app, last)))
    return Result.isSuccess(changes) && changes.success.length === last - first + 1
      ? changes.success
      : yield* corrupt(app, last)
  })

  /**
   * The Env at a Revision, from an earlier one and the parts after it, in order: nothing may be missing between them, and
   * they must reach it.
   */
  const replay = Effect.fnUntraced(function* (
    app: AppId,
    revision: Revision,
    parts: ReadonlyArray<SealedPart>,
    earlier: Loaded = unwritten
  ): Effect.fn.Return<Loaded, SecretError | StoreError> {
    let { changeBytes, changeCount, env, wholeBytes } = earlier
    let reached: number = earlier.revision
    for (const part of parts) {
      if (part.first === 0) {
        env = yield* openWhole(app, part)
        wholeBytes = part.sealed.byteLength
      } else {
        if (part.first !== reached + 1) return yield* corrupt(app, part.first)
        const changes = yield* openChanges(app, part)
        for (const change of changes.slice(0, revision - reached)) {
          const applied = apply(env, change)
          if (Result.isFailure(applied)) return yield* corrupt(app, part.last)
          env = applied.success.env
        }
        changeBytes += part.sealed.byteLength
        changeCount += 1
      }
      reached = part.last
    }
    if (reached < revision) return yield* corrupt(app, revision)
    return { revision, env, wholeBytes, changeBytes, changeCount }
  })

  return { sealWhole, sealChanges, replay }
}
