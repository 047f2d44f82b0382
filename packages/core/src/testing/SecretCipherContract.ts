// What every SecretCipher keeps: what it sealed opens for the same place and key only, and a damaged value never opens.
import { Effect, Redacted } from "effect"
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
        SecretCipher.layerMemory
      )
      const { reason } = yield* refused("SecretError", cipher.open(foreign, place))
      yield* equal("the reason", reason, "unknown-key")
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
