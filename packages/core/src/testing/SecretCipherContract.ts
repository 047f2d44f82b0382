// What every SecretCipher keeps: what it sealed opens for the same place and key only, and a damaged value never opens.
import { Effect, Layer, Redacted } from "effect"
import { SecretCipher } from "../port/SecretCipher.ts"
import { type Contract, equal, holds, law, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const freshPlace = Effect.map(Given.freshLetters, (letters) => `contract/${letters}`)

const flipped = (bytes: Uint8Array, index: number, mask: number): Uint8Array =>
  bytes.map((byte, position) => (position === index ? byte ^ mask : byte))

const includes = (bytes: Uint8Array, text: string): boolean =>
  Array.from(bytes, (byte) => String.fromCharCode(byte))
    .join("")
    .includes(text)

const secret = Redacted.make("a canary that sings 3f9c")

/** The laws of {@link SecretCipher}. */
export const SecretCipherContract: Contract<SecretCipher> = [
  law(
    "SecretCipher-1",
    "what is sealed opens again, to the last character",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const place = yield* freshPlace
      const texts = [
        "",
        "a",
        "\ufeffbyte order mark",
        "\u{1F512} \u00e9 e\u0301 \u{10FFFF}",
        "\0\n\r\t",
        "x".repeat(100_000)
      ]
      for (const text of texts) {
        const opened = yield* cipher.open(yield* cipher.seal(Redacted.make(text), place), place)
        yield* equal("the secret", Redacted.value(opened), text)
      }
    })
  ),

  law(
    "INV-11",
    "the sealed bytes do not show the secret, and two seals of one secret have nothing in common",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const place = yield* freshPlace
      const many = Array.from({ length: 32 }, () => cipher.seal(secret, place))
      const seals = [...(yield* Effect.all(many)), ...(yield* Effect.all(many, { concurrency: "unbounded" }))]
      yield* holds(
        "bytes without the secret",
        seals.every((sealed) => !includes(sealed, "canary"))
      )
      const nonces = seals.map((sealed) => sealed.slice(9, 21).join())
      yield* equal("how many nonces there are", new Set(nonces).size, seals.length)
      const texts = seals.map((sealed) => sealed.slice(21).join())
      yield* equal("how many sealed texts there are", new Set(texts).size, seals.length)
    })
  ),

  law(
    "B12",
    "what was sealed for one place opens at no other",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const place = yield* freshPlace
      const sealed = yield* cipher.seal(secret, place)
      for (const other of [yield* freshPlace, "", `${place}/`, place.toUpperCase(), place.slice(1)]) {
        yield* refused("SecretError", cipher.open(sealed, other))
      }
      yield* equal("the secret at its place", Redacted.value(yield* cipher.open(sealed, place)), Redacted.value(secret))
    })
  ),

  law(
    "B12",
    "a sealed value with one bit changed, anywhere, does not open",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const place = yield* freshPlace
      const sealed = yield* cipher.seal(secret, place)
      for (let index = 0; index < sealed.length; index++) {
        for (const mask of [1, 128]) yield* refused("SecretError", cipher.open(flipped(sealed, index, mask), place))
      }
    })
  ),

  law(
    "B12",
    "a sealed value that was cut or added to does not open",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const place = yield* freshPlace
      const sealed = yield* cipher.seal(secret, place)
      for (let length = 0; length < sealed.length; length++) {
        yield* refused("SecretError", cipher.open(sealed.slice(0, length), place))
      }
      yield* refused("SecretError", cipher.open(Uint8Array.from([...sealed, 0]), place))
    })
  ),

  law(
    "X8",
    "what was sealed under another key does not open, and the refusal says that the key is unknown",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const place = yield* freshPlace
      const foreign = yield* Effect.provide(
        Effect.flatMap(SecretCipher, (other) => other.seal(secret, place)),
        Layer.fresh(SecretCipher.layerMemory)
      )
      const { reason } = yield* refused("SecretError", cipher.open(foreign, place))
      yield* equal("the reason", reason, "unknown-key")
    })
  ),

  law(
    "X8",
    "what is sealed begins as all that is sealed now, and with no more than that in common",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const place = yield* freshPlace
      yield* equal("how many bytes name format and key", cipher.beginning.length, 9)
      const sealed = yield* cipher.seal(secret, place)
      for (const value of [sealed, yield* cipher.reseal(sealed, place)]) {
        yield* equal("the beginning", value.slice(0, 9).join(), cipher.beginning.join())
      }
      const other = yield* Effect.provide(SecretCipher, Layer.fresh(SecretCipher.layerMemory))
      yield* holds("another beginning for another key", other.beginning.join() !== cipher.beginning.join())
    })
  ),

  law(
    "X8",
    "what is sealed again holds the same secret for the same place, in other bytes",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const place = yield* freshPlace
      const sealed = yield* cipher.seal(secret, place)
      const again = yield* cipher.reseal(sealed, place)
      yield* holds("other bytes behind the beginning", again.slice(9).join() !== sealed.slice(9).join())
      yield* equal("the secret", Redacted.value(yield* cipher.open(again, place)), Redacted.value(secret))
      yield* refused("SecretError", cipher.open(again, yield* freshPlace))
    })
  ),

  law(
    "B12",
    "what does not open is not sealed again: damaged, of another place, under another key",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const place = yield* freshPlace
      const sealed = yield* cipher.seal(secret, place)
      const foreign = yield* Effect.provide(
        Effect.flatMap(SecretCipher, (other) => other.seal(secret, place)),
        Layer.fresh(SecretCipher.layerMemory)
      )
      const refusals = [
        yield* refused("SecretError", cipher.reseal(flipped(sealed, sealed.length - 1, 1), place)),
        yield* refused("SecretError", cipher.reseal(sealed, yield* freshPlace)),
        yield* refused("SecretError", cipher.reseal(foreign, place))
      ]
      yield* equal(
        "the reasons",
        refusals.map(({ reason }) => reason),
        ["damaged", "damaged", "unknown-key"]
      )
    })
  ),

  law(
    "INV-11",
    "no refusal shows anything of the secret",
    Effect.gen(function* () {
      const cipher = yield* SecretCipher
      const place = yield* freshPlace
      const sealed = yield* cipher.seal(secret, place)
      const error = yield* refused("SecretError", cipher.open(flipped(sealed, sealed.length - 1, 1), place))
      const shown = `${error.message} ${JSON.stringify(error)} ${String(error.cause)} ${error.stack}`
      yield* holds("an error without the secret", !shown.includes("canary"))
    })
  )
]
