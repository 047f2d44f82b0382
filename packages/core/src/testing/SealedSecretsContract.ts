// What every SealedSecrets keeps: what is under a retired key comes under the current one, nothing else changes, and what
// does not open is told and left alone. Sealed values have to be there for that: the test of an adapter puts them there.
import { Effect, Layer, Redacted } from "effect"
import { type Resealed, SealedSecrets, type SecretCursor } from "../port/SealedSecrets.ts"
import { SecretCipher } from "../port/SecretCipher.ts"
import { type Contract, equal, holds, law, Mismatch } from "./Contract.ts"

/** A sealed value: the place that it is sealed for, and its bytes now. */
export interface KeptSecret {
  readonly place: string
  readonly bytes: Effect.Effect<Uint8Array>
  /** Writes other bytes, as the store that keeps it would. */
  readonly replace: (bytes: Uint8Array) => Effect.Effect<void>
}

/** How sealed values come to be where the port looks for them. */
export interface SealedFixture<R> {
  /** Seals under a key that the SecretCipher of the laws opens and does not seal under. */
  readonly retired: Effect.Effect<SecretCipher["Service"], never, R>
  /** Keeps these bytes at a place where there was nothing. */
  readonly keep: (seal: (place: string) => Effect.Effect<Uint8Array>) => Effect.Effect<KeptSecret, never, R>
}

const canary = "a canary that sings 71ab"
const secretOf = (index: number) => Redacted.make(`${canary} ${index}`)

const flipped = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte))

const several = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

/** Looks at everything, with this many values a call, and answers what all calls came to. */
const lookAtAll = Effect.fnUntraced(function* (limit: number) {
  const secrets = yield* SealedSecrets
  const answers: Array<Resealed> = []
  let after: SecretCursor | undefined
  while (answers.length < 10_000) {
    const answer = yield* secrets.reseal({ limit, after })
    answers.push(answer)
    if (answer.next === null) {
      const resealed = answers.reduce((sum, { resealed }) => sum + resealed, 0)
      return { answers, resealed, unreadable: answers.flatMap(({ unreadable }) => unreadable) }
    }
    after = answer.next
  }
  return yield* new Mismatch({ expected: "an end of all values", actual: "there is none after 10,000 calls" })
})

/** Fails unless the value is under the current key and holds this secret. */
const isCurrent = Effect.fnUntraced(function* ({ bytes, place }: KeptSecret, secret: Redacted.Redacted<string>) {
  const cipher = yield* SecretCipher
  const sealed = yield* bytes
  yield* equal("the beginning", sealed.slice(0, 9).join(), cipher.beginning.join())
  yield* equal("the secret", Redacted.value(yield* cipher.open(sealed, place)), Redacted.value(secret))
})

/** Values under the retired key, of {@link secretOf} their index. */
const underRetired = Effect.fnUntraced(function* <R>({ keep, retired }: SealedFixture<R>, count: number) {
  const old = yield* retired
  return yield* Effect.forEach(several(count), (index) => keep((place) => old.seal(secretOf(index), place)))
})

/** A value that is damaged, one of another place, and one under a key that nobody has. */
const unopened = Effect.fnUntraced(function* <R>({ keep, retired }: SealedFixture<R>) {
  const old = yield* retired
  const foreign = yield* Effect.provide(SecretCipher, Layer.fresh(SecretCipher.layerMemory))
  return [
    { kept: yield* keep((place) => Effect.map(old.seal(secretOf(0), place), flipped)), reason: "damaged" as const },
    { kept: yield* keep((place) => old.seal(secretOf(1), `${place}0`)), reason: "damaged" as const },
    { kept: yield* keep(() => Effect.succeed(new Uint8Array(0))), reason: "damaged" as const },
    { kept: yield* keep((place) => foreign.seal(secretOf(2), place)), reason: "unknown-key" as const }
  ]
})

/** The laws of {@link SealedSecrets}. */
export const makeSealedSecretsContract = <R>(fixture: SealedFixture<R>): Contract<SealedSecrets | SecretCipher | R> => [
  law(
    "X8",
    "what is sealed under a retired key is sealed again under the current one, and holds the same secret",
    Effect.gen(function* () {
      const kept = yield* underRetired(fixture, 5)
      const { resealed } = yield* lookAtAll(100)
      yield* equal("how many were sealed again", resealed, 5)
      for (const [index, value] of kept.entries()) yield* isCurrent(value, secretOf(index))
      yield* equal("how many are sealed again by a second run", (yield* lookAtAll(100)).resealed, 0)
    })
  ),

  law(
    "X8",
    "what is sealed under the current key stays as it is, to the byte",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const kept = yield* fixture.keep((place) => cipher.seal(secretOf(0), place))
      const before = (yield* kept.bytes).join()
      yield* lookAtAll(100)
      yield* equal("the bytes", (yield* kept.bytes).join(), before)
    })
  ),

  law(
    "B12",
    "what does not open is told with its place and the reason, stays as it is, to the byte, and holds up nothing else",
    Effect.gen(function* () {
      const [first] = yield* underRetired(fixture, 1)
      const values = yield* unopened(fixture)
      const [last] = yield* underRetired(fixture, 1)
      const before = yield* Effect.forEach(values, ({ kept }) => kept.bytes)
      const { unreadable } = yield* lookAtAll(3)
      for (const [index, { kept, reason }] of values.entries()) {
        const told = unreadable.filter(({ place }) => place === kept.place)
        yield* equal("what is told of it", told, [{ place: kept.place, reason }])
        yield* equal("its bytes", (yield* kept.bytes).join(), before[index]?.join())
      }
      for (const value of [first, last]) if (value !== undefined) yield* isCurrent(value, secretOf(0))
    })
  ),

  law(
    "X8",
    "a call looks at no more values than its limit, and the calls behind its cursor at all others",
    Effect.gen(function* () {
      const kept = yield* underRetired(fixture, 7)
      const { answers } = yield* lookAtAll(2)
      const most = Math.max(...answers.map(({ resealed, unreadable }) => resealed + unreadable.length))
      yield* holds("at most two values a call", most <= 2, most)
      for (const [index, value] of kept.entries()) yield* isCurrent(value, secretOf(index))
    })
  ),

  law(
    "X8",
    "of several who seal again at the same time one seals each value again",
    Effect.gen(function* () {
      const kept = yield* underRetired(fixture, 12)
      const runs = yield* Effect.all([3, 4, 5, 100].map(lookAtAll), { concurrency: "unbounded" })
      const rest = yield* lookAtAll(100)
      yield* equal(
        "how many were sealed again by all of them",
        [...runs, rest].reduce((sum, { resealed }) => sum + resealed, 0),
        12
      )
      for (const [index, value] of kept.entries()) yield* isCurrent(value, secretOf(index))
    })
  ),

  law(
    "X8",
    "what is replaced while it is sealed again stays as it was replaced",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const kept = yield* underRetired(fixture, 8)
      const replacements = yield* Effect.forEach(kept, ({ place }) => cipher.seal(secretOf(100), place))
      const replacing = kept.map(({ replace }, index) => replace(replacements[index] ?? new Uint8Array(0)))
      yield* Effect.all([Effect.asVoid(lookAtAll(100)), ...replacing], { concurrency: "unbounded" })
      for (const [index, { bytes }] of kept.entries()) {
        yield* equal("the bytes", (yield* bytes).join(), replacements[index]?.join())
      }
    })
  ),

  law(
    "X8",
    "left is how many are not under the current key, with those that do not open",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const { left } = yield* SealedSecrets
      yield* lookAtAll(100)
      const before = yield* left
      yield* fixture.keep((place) => cipher.seal(secretOf(0), place))
      yield* underRetired(fixture, 3)
      const values = yield* unopened(fixture)
      yield* equal("how many are left before", (yield* left) - before, 3 + values.length)
      yield* lookAtAll(100)
      yield* equal("how many are left after", (yield* left) - before, values.length)
    })
  ),

  law(
    "INV-11",
    "no answer shows anything of a secret",
    Effect.gen(function* () {
      yield* underRetired(fixture, 2)
      yield* unopened(fixture)
      yield* holds("an answer without the secret", !JSON.stringify((yield* lookAtAll(100)).answers).includes(canary))
    })
  )
]
