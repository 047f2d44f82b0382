// Node's crypto in place of WebCrypto: the same laws, and the same bytes.

import { assert, describe, it } from "@effect/vitest"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { SecretCipherContract } from "@lockkeeper/core/testing/SecretCipherContract"
import { Effect, Layer, Redacted } from "effect"
import { nodeCipherKey } from "../src/NodeCipherKey.ts"

const key = Redacted.make(new Uint8Array(32).fill(5))
const onNode = Layer.orDie(SecretCipher.layer(key, { makeKey: nodeCipherKey }))
const onWeb = Layer.orDie(SecretCipher.layer(key))
const cipher = (layer: Layer.Layer<SecretCipher>) => Effect.provide(SecretCipher, Layer.fresh(layer))

describe("a SecretCipher on Node's crypto", () => {
  it.live.each(SecretCipherContract.map(({ id, law, run }) => ({ id, law, run })))("$id $law", ({ run }) =>
    Effect.provide(run, onNode)
  )

  it.effect("B12: opens what WebCrypto sealed, and the other way round; what is cut or damaged opens in neither", () =>
    Effect.gen(function* () {
      const ciphers = [yield* cipher(onNode), yield* cipher(onWeb)]
      const secret = Redacted.make("a canary that sings 3f9c")
      for (const from of ciphers) {
        const sealed = yield* from.seal(secret, "place")
        for (const to of ciphers) {
          assert.strictEqual(Redacted.value(yield* to.open(sealed, "place")), Redacted.value(secret))
          for (const length of [0, 20, 21, 22, 36, sealed.byteLength - 1]) {
            const { reason } = yield* Effect.flip(to.open(sealed.slice(0, length), "place"))
            assert.strictEqual(reason, "damaged")
          }
          assert.strictEqual((yield* Effect.flip(to.open(sealed, "another place"))).reason, "damaged")
        }
      }
    })
  )
})
