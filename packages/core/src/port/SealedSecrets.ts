// All secrets that the stores keep sealed, looked at from the side of their key: which are not under the current one, and
// sealing them again. What they are secrets of is the business of the stores.
import { Context, Effect, Layer, Result, Schema } from "effect"
import { MemoryState } from "./MemoryState.ts"
import { SecretCipher, type SecretError } from "./SecretCipher.ts"
import type { StoreError } from "./StoreError.ts"

/** Where a call came to; opaque to callers. */
export const SecretCursor = Schema.NonEmptyString.pipe(Schema.brand("SecretCursor"))

/** The type of {@link SecretCursor}. */
export type SecretCursor = typeof SecretCursor.Type

/** How many values to look at, and behind which: from the beginning without `after`. */
export interface ResealRequest {
  readonly limit: number
  readonly after?: SecretCursor | undefined
}

/** A sealed value that does not open: the place that it should be sealed for, and why. Nothing of what it holds. */
export interface UnreadableSecret {
  readonly place: string
  readonly reason: SecretError["reason"]
}

/** What a call sealed again, what it could not read, and where the next one goes on: null when all were looked at. */
export interface Resealed {
  readonly resealed: number
  readonly unreadable: ReadonlyArray<UnreadableSecret>
  readonly next: SecretCursor | null
}

/** Seals again what is not under the current key. */
export class SealedSecrets extends Context.Service<
  SealedSecrets,
  {
    /**
     * Looks at up to `limit` sealed values and seals those again that are not under the current key. A value is replaced
     * only as long as it is the one that was read: what its store, or another replica, writes meanwhile stays. What
     * somebody has locked is passed over, and what does not open is told and stays as it is, to the byte.
     */
    readonly reseal: (request: ResealRequest) => Effect.Effect<Resealed, StoreError>
    /** How many values are not under the current key, those included that do not open. */
    readonly left: Effect.Effect<number, StoreError>
  }
>()("@lockkeeper/core/port/SealedSecrets") {
  /** Seals again what the state holds as sealed. */
  static readonly layerMemory: Layer.Layer<SealedSecrets, never, MemoryState | SecretCipher> = Layer.effect(
    SealedSecrets,
    Effect.gen(function* () {
      const { sealed } = yield* MemoryState
      const cipher = yield* SecretCipher

      const isCurrent = (bytes: Uint8Array): boolean => cipher.beginning.every((byte, index) => bytes[index] === byte)

      const replace = Effect.fnUntraced(function* (place: string, before: Uint8Array) {
        const after = yield* cipher.reseal(before, place)
        const isSame = sealed.get(place) === before
        if (isSame) sealed.set(place, after)
        return isSame ? 1 : 0
      })

      const reseal = Effect.fnUntraced(function* ({ after = SecretCursor.make(" "), limit }: ResealRequest) {
        const places = [...sealed.keys()].filter((place) => place > after).sort()
        const unreadable: Array<UnreadableSecret> = []
        let resealed = 0
        for (const place of places.slice(0, limit)) {
          const before = sealed.get(place)
          if (before === undefined || isCurrent(before)) continue
          const replaced = yield* Effect.result(replace(place, before))
          if (Result.isSuccess(replaced)) resealed += replaced.success
          else unreadable.push({ place, reason: replaced.failure.reason })
        }
        const last = places.length > limit ? places[limit - 1] : undefined
        return { resealed, unreadable, next: last === undefined ? null : SecretCursor.make(last) }
      })

      const left = Effect.sync(() => [...sealed.values()].filter((bytes) => !isCurrent(bytes)).length)
      return SealedSecrets.of({ reseal, left })
    })
  )
}
