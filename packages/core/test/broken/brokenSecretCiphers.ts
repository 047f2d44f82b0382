// SecretCiphers that make the mistakes their contract exists for.

import { Effect, Redacted } from "effect"
import { SecretCipher, SecretError } from "../../src/port/SecretCipher.ts"
import { altered, type Broken } from "./Broken.ts"

const nonceOf = (sealed: Uint8Array): string => sealed.slice(9, 21).join()

/** Broken SecretCiphers. */
export const brokenSecretCiphers: ReadonlyArray<Broken> = [
  {
    what: "a SecretCipher that takes a byte order mark away",
    contract: "SecretCipher",
    violates: ["SecretCipher-1"],
    layer: altered(SecretCipher, (original) => ({
      open: (sealed, place) =>
        Effect.map(original.open(sealed, place), (secret) =>
          Redacted.make(Redacted.value(secret).replace(/^\ufeff/, ""))
        )
    }))
  },
  {
    what: "a SecretCipher that seals a secret only once",
    contract: "SecretCipher",
    violates: ["INV-11 the sealed bytes"],
    layer: altered(SecretCipher, (original) => {
      const first = new Map<string, Uint8Array>()
      return {
        seal: Effect.fnUntraced(function* (secret, place) {
          const name = `${place} ${Redacted.value(secret)}`
          const sealed = first.get(name) ?? (yield* original.seal(secret, place))
          first.set(name, sealed)
          return sealed
        })
      }
    })
  },
  {
    what: "a SecretCipher that does not bind the place",
    contract: "SecretCipher",
    violates: ["B12 what was sealed for one place", "X8 what is sealed again", "B12 what does not open"],
    layer: altered(SecretCipher, (original) => ({
      seal: (secret) => original.seal(secret, ""),
      open: (sealed) => original.open(sealed, ""),
      reseal: (sealed) => original.reseal(sealed, "")
    }))
  },
  {
    what: "a SecretCipher that does not look at the format",
    contract: "SecretCipher",
    violates: ["B12 a sealed value with one bit changed"],
    layer: altered(SecretCipher, (original) => ({
      open: (sealed, place) =>
        original.open(
          sealed.map((byte, index) => (index === 0 ? 1 : byte)),
          place
        )
    }))
  },
  {
    what: "a SecretCipher that reads as many bytes as it sealed, and not what follows them",
    contract: "SecretCipher",
    violates: ["B12 a sealed value that was cut or added to"],
    layer: altered(SecretCipher, (original) => {
      const lengths = new Map<string, number>()
      return {
        seal: (secret, place) =>
          Effect.tap(original.seal(secret, place), (sealed) =>
            Effect.sync(() => lengths.set(nonceOf(sealed), sealed.length))
          ),
        open: (sealed, place) => original.open(sealed.slice(0, lengths.get(nonceOf(sealed))), place)
      }
    })
  },
  {
    what: "a SecretCipher that takes another key for damage",
    contract: "SecretCipher",
    violates: ["X8 what was sealed under another key", "B12 what does not open"],
    layer: altered(SecretCipher, (original) => ({
      open: (sealed, place) =>
        Effect.mapError(original.open(sealed, place), () => new SecretError({ reason: "damaged" })),
      reseal: (sealed, place) =>
        Effect.mapError(original.reseal(sealed, place), () => new SecretError({ reason: "damaged" }))
    }))
  },
  {
    what: "a SecretCipher that says what it failed to open",
    contract: "SecretCipher",
    violates: ["INV-11 no refusal"],
    layer: altered(SecretCipher, (original) => {
      const secrets = new Map<string, string>()
      return {
        seal: (secret, place) =>
          Effect.tap(original.seal(secret, place), (sealed) =>
            Effect.sync(() => secrets.set(nonceOf(sealed), Redacted.value(secret)))
          ),
        open: (sealed, place) =>
          Effect.mapError(original.open(sealed, place), (error) =>
            Object.assign(error, { cause: `not ${secrets.get(nonceOf(sealed))}` })
          )
      }
    })
  },
  {
    what: "a SecretCipher that says it seals otherwise than it does",
    contract: "SecretCipher",
    violates: ["X8 what is sealed begins"],
    layer: altered(SecretCipher, ({ beginning }) => ({ beginning: beginning.map((byte) => byte ^ 1) }))
  },
  {
    what: "a SecretCipher that leaves what it is to seal again as it is",
    contract: "SecretCipher",
    violates: ["X8 what is sealed again"],
    layer: altered(SecretCipher, (original) => ({
      reseal: (sealed, place) => Effect.as(original.open(sealed, place), sealed)
    }))
  },
  {
    what: "a SecretCipher that seals again what it cannot open",
    contract: "SecretCipher",
    violates: ["B12 what does not open"],
    layer: altered(SecretCipher, (original) => ({
      reseal: (sealed, place) =>
        Effect.catch(original.reseal(sealed, place), () => original.seal(Redacted.make(sealed.join()), place))
    }))
  }
]
