// One key seals, any of them opens: what a SecretCipher of several keys does with what each of them sealed.

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { SecretCipher } from "../src/port/SecretCipher.ts"
import { SecretCipherContract } from "../src/testing/SecretCipherContract.ts"

const keyOf = (byte: number) => Redacted.make(new Uint8Array(32).fill(byte))
const keys = { oldest: keyOf(1), older: keyOf(2), newer: keyOf(3) }

const of = (layer: ReturnType<typeof SecretCipher.layer>) => Effect.provide(SecretCipher, Layer.fresh(layer))

const secret = Redacted.make("a canary that sings 3f9c")
const place = "env/app_1/1"

const invalid = (layer: ReturnType<typeof SecretCipher.layer>) =>
  Effect.map(Effect.flip(of(layer)), ({ reason }) => assert.strictEqual(reason, "invalid-key"))

describe("a SecretCipher under a random key", () => {
  it.live.each(SecretCipherContract.map(({ id, law, run }) => ({ id, law, run })))("keeps $id $law", ({ run }) =>
    Effect.provide(run, SecretCipher.layerMemory)
  )
})

describe("a SecretCipher of several keys", () => {
  it.live.each(SecretCipherContract.map(({ id, law, run }) => ({ id, law, run })))("keeps $id $law", ({ run }) =>
    Effect.provide(run, SecretCipher.layer(keys.newer, { retired: [keys.older, keys.oldest] }))
  )

  it.effect("X8: opens what each of its keys sealed, and seals under the first one", () =>
    Effect.gen(function* () {
      const ring = yield* of(SecretCipher.layer(keys.newer, { retired: [keys.older, keys.oldest] }))
      const alone = yield* of(SecretCipher.layer(keys.newer))
      for (const key of [keys.oldest, keys.older, keys.newer]) {
        const sealed = yield* (yield* of(SecretCipher.layer(key))).seal(secret, place)
        assert.strictEqual(Redacted.value(yield* ring.open(sealed, place)), Redacted.value(secret))
        const again = yield* ring.reseal(sealed, place)
        assert.strictEqual(Redacted.value(yield* alone.open(again, place)), Redacted.value(secret))
      }
      assert.deepStrictEqual(ring.beginning, alone.beginning)
      assert.strictEqual(
        Redacted.value(yield* alone.open(yield* ring.seal(secret, place), place)),
        Redacted.value(secret)
      )
    })
  )

  it.effect("X8 B12: a value under a retired key opens only whole and for its place, and not without that key", () =>
    Effect.gen(function* () {
      const ring = yield* of(SecretCipher.layer(keys.newer, { retired: [keys.older] }))
      const sealed = yield* (yield* of(SecretCipher.layer(keys.older))).seal(secret, place)
      const damaged = sealed.map((byte, index) => (index === sealed.length - 1 ? byte ^ 1 : byte))
      const swapped = Uint8Array.from([...ring.beginning, ...sealed.slice(9)])
      for (const [bytes, at] of [
        [damaged, place],
        [swapped, place],
        [sealed, `${place}0`]
      ] as const) {
        assert.strictEqual((yield* Effect.flip(ring.open(bytes, at))).reason, "damaged")
        assert.strictEqual((yield* Effect.flip(ring.reseal(bytes, at))).reason, "damaged")
      }
      const without = yield* of(SecretCipher.layer(keys.newer, { retired: [keys.oldest] }))
      assert.strictEqual((yield* Effect.flip(without.open(sealed, place))).reason, "unknown-key")
      assert.strictEqual((yield* Effect.flip(without.reseal(sealed, place))).reason, "unknown-key")
    })
  )

  it.effect("X8: is not made of keys of another size, or of one key twice", () =>
    Effect.gen(function* () {
      const short = Redacted.make(new Uint8Array(31).fill(9))
      yield* invalid(SecretCipher.layer(short))
      yield* invalid(SecretCipher.layer(keys.newer, { retired: [short] }))
      yield* invalid(SecretCipher.layer(keys.newer, { retired: [keys.newer] }))
      yield* invalid(SecretCipher.layer(keys.newer, { retired: [keys.older, keys.older] }))
    })
  )

  it.effect("X8: what it says of its key cannot be changed from outside", () =>
    Effect.gen(function* () {
      const cipher = yield* of(SecretCipher.layer(keys.newer))
      cipher.beginning.fill(0)
      const sealed = yield* cipher.seal(secret, place)
      assert.strictEqual(Redacted.value(yield* cipher.open(sealed, place)), Redacted.value(secret))
    })
  )
})
