// Seals what is secret before it reaches a durable row, and opens it again. AES-256-GCM; fails closed.
import { Context, Effect, Layer, Redacted, Schema } from "effect"

/**
 * A sealed value could not be opened: it is damaged, was sealed for another place, or under another key. Nothing of it
 * is shown. Or a key is not one.
 */
export class SecretError extends Schema.TaggedError<SecretError>()("SecretError", {
  reason: Schema.Literals(["damaged", "unknown-key", "invalid-key"])
}) {
  override readonly message = `a secret could not be handled: ${this.reason}`
}

/** Seals and opens secrets. `place` (such as `env/app_1/3`) is bound to the sealed bytes: they open nowhere else. */
export class SecretCipher extends Context.Service<
  SecretCipher,
  {
    /** The sealed bytes: one byte of format, eight of key id, twelve of nonce, then ciphertext and tag. */
    readonly seal: (secret: Redacted.Redacted<string>, place: string) => Effect.Effect<Uint8Array>
    /** The secret that {@link SecretCipher} sealed for this place. */
    readonly open: (sealed: Uint8Array, place: string) => Effect.Effect<Redacted.Redacted<string>, SecretError>
  }
>()("@lockkeeper/core/port/SecretCipher") {
  /** AES-256-GCM under one key of 32 bytes. */
  static readonly layer = (key: Redacted.Redacted<Uint8Array>): Layer.Layer<SecretCipher, SecretError> =>
    Layer.effect(SecretCipher, makeAesGcm(key))

  /** The same cipher under a random key that dies with the layer. */
  static readonly layerMemory: Layer.Layer<SecretCipher> = Layer.effect(
    SecretCipher,
    Effect.suspend(() => Effect.orDie(makeAesGcm(Redacted.make(crypto.getRandomValues(new Uint8Array(32))))))
  )
}

const format = 1
const headerBytes = 21

const makeAesGcm = Effect.fnUntraced(function* (secretKey: Redacted.Redacted<Uint8Array>) {
  const bytes = new Uint8Array(Redacted.value(secretKey))
  if (bytes.byteLength !== 32) return yield* new SecretError({ reason: "invalid-key" })
  const keyId = new Uint8Array(yield* Effect.promise(() => crypto.subtle.digest("SHA-256", bytes))).subarray(0, 8)
  const key = yield* Effect.promise(() =>
    crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"])
  )
  const bound = (nonce: Uint8Array<ArrayBuffer>, place: string) => ({
    name: "AES-GCM",
    iv: nonce,
    additionalData: new TextEncoder().encode(place)
  })

  const seal = Effect.fnUntraced(function* (secret: Redacted.Redacted<string>, place: string) {
    const nonce = crypto.getRandomValues(new Uint8Array(12))
    const text = new TextEncoder().encode(Redacted.value(secret))
    const sealed = new Uint8Array(yield* Effect.promise(() => crypto.subtle.encrypt(bound(nonce, place), key, text)))
    return Uint8Array.from([format, ...keyId, ...nonce, ...sealed])
  })

  const open = Effect.fnUntraced(function* (bytes: Uint8Array, place: string) {
    const sealed = new Uint8Array(bytes)
    if (sealed.byteLength < headerBytes || sealed[0] !== format) return yield* new SecretError({ reason: "damaged" })
    if (keyId.some((byte, index) => sealed[index + 1] !== byte)) {
      return yield* new SecretError({ reason: "unknown-key" })
    }
    const text = yield* Effect.tryPromise({
      try: () => crypto.subtle.decrypt(bound(sealed.slice(9, headerBytes), place), key, sealed.slice(headerBytes)),
      catch: () => new SecretError({ reason: "damaged" })
    })
    return Redacted.make(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text))
  })

  return SecretCipher.of({ seal, open })
})
