// The last step but one of replacing a key: all that is sealed under a retired key comes under the current one. Any number of
// replicas may run it, at any time, as often as they like; what was done before an end of any kind stays done.
import { Effect } from "effect"
import { SealedSecrets, type SecretCursor, type UnreadableSecret } from "../port/SealedSecrets.ts"
import type { StoreError } from "../port/StoreError.ts"
import { backoff } from "./backoff.ts"

/**
 * What a run came to. With `left` at 0, nothing needs a retired key as long as nobody seals under it any more. What is
 * `unreadable` is left too: no key that is there opens it. `examples` are the first hundred of those.
 */
export interface RotatedSecrets {
  readonly resealed: number
  readonly unreadable: number
  readonly examples: ReadonlyArray<UnreadableSecret>
  readonly left: number
}

/** How many values one call looks at. */
const batch = 200

/** How many are named of what does not open. */
const named = 100

/** How often everything is looked at before a run ends with something left that could have been sealed again: half a minute. */
const passes = 10

/**
 * Seals again, under the current key, what is sealed under a retired one, batch by batch, and answers what is left. What
 * somebody has locked, or sealed meanwhile under a key that is retired here, is tried again for about half a minute.
 */
export const rotateSecrets = Effect.fn("rotateSecrets")(function* (): Effect.fn.Return<
  RotatedSecrets,
  StoreError,
  SealedSecrets
> {
  const secrets = yield* SealedSecrets
  let before = 0
  const pass = Effect.gen(function* () {
    const { resealed, ...seen } = yield* lookAtAll
    before += resealed
    return { ...seen, resealed: before, left: yield* secrets.left }
  })
  return yield* Effect.repeat(pass, {
    schedule: backoff("200 millis", "5 seconds"),
    times: passes - 1,
    until: ({ left, unreadable }) => left <= unreadable
  })
})

const lookAtAll = Effect.gen(function* () {
  const secrets = yield* SealedSecrets
  const examples: Array<UnreadableSecret> = []
  let [resealed, unreadable] = [0, 0]
  let after: SecretCursor | undefined
  do {
    const answer = yield* secrets.reseal({ limit: batch, after })
    resealed += answer.resealed
    unreadable += answer.unreadable.length
    examples.push(...answer.unreadable.slice(0, named - examples.length))
    after = answer.next ?? undefined
  } while (after !== undefined)
  return { resealed, unreadable, examples }
})
