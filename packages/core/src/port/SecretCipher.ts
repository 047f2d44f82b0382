// Seals what is secret before it reaches a durable row, and opens it again. AES-256-GCM; fails closed. One key seals, and
// others may open: that is how a key is replaced (decision 0014).
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

/**
 * AES-256-GCM under one key, over bytes. `place` is authenticated with them and `nonce` is never used twice; what is sealed
 * ends with the tag.
 */
export interface CipherKey {
  /** The ciphertext of `text` and the tag. */
  readonly seal: (text: Bytes, nonce: Bytes, place: Bytes) => Effect.Effect<Bytes>
  /** What was sealed under this key, with this nonce, for this place; else `damaged`. */
  readonly open: (sealed: Bytes, nonce: Bytes, place: Bytes) => Effect.Effect<Bytes, SecretError>
}

type Bytes = Uint8Array<ArrayBuffer>

/** Seals and opens secrets. `place` (such as `env/app_1/3`) is bound to the sealed bytes: they open nowhere else. */
export class SecretCipher extends Context.Service<
  SecretCipher,
  {
    /**
     * The nine bytes with which all that is sealed now begins: one of format, eight of the id of the current key. What
     * begins otherwise is to be sealed again before the other keys are taken away.
     */
    readonly beginning: Uint8Array
    /** The sealed bytes: {@link beginning}, twelve of nonce, then ciphertext and tag. */
    readonly seal: (secret: Redacted.Redacted<string>, place: string) => Effect.Effect<Uint8Array>
    /** The secret that {@link SecretCipher} sealed for this place. */
    readonly open: (sealed: Uint8Array, place: string) => Effect.Effect<Redacted.Redacted<string>, SecretError>
    /** The same secret, sealed anew under the current key. What does not open for this place is refused as by `open`. */
    readonly reseal: (sealed: Uint8Array, place: string) => Effect.Effect<Uint8Array, SecretError>
  }
>()("@lockkeeper/core/port/SecretCipher") {
  /**
   * AES-256-GCM under a key of 32 bytes. What was sealed under one of the `retired` keys is opened too, and nothing is
   * sealed under them any more. Keys are those of WebCrypto, which sends each value to a thread, or what `makeKey` makes.
   * Fails with `invalid-key` when a key is none, or is there twice.
   */
  static readonly layer = (
    key: Redacted.Redacted<Uint8Array>,
    {
      makeKey = webCryptoKey,
      retired = []
    }: {
      readonly retired?: ReadonlyArray<Redacted.Redacted<Uint8Array>> | undefined
      readonly makeKey?: ((key: Bytes) => Effect.Effect<CipherKey>) | undefined
    } = {}
  ): Layer.Layer<SecretCipher, SecretError> => Layer.effect(SecretCipher, makeAesGcm([key, ...retired], makeKey))

  /** The same cipher under a random key that dies with the layer. */
  static readonly layerMemory: Layer.Layer<SecretCipher> = Layer.effect(
    SecretCipher,
    Effect.suspend(() =>
      Effect.orDie(makeAesGcm([Redacted.make(crypto.getRandomValues(new Uint8Array(32)))], webCryptoKey))
    )
  )
}

interface SealingKey {
  readonly beginning: Bytes
  readonly key: CipherKey
}

const format = 1
const beginningBytes = 9
const headerBytes = 21

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const makeAesGcm = Effect.fnUntraced(function* (
  secretKeys: ReadonlyArray<Redacted.Redacted<Uint8Array>>,
  makeKey: (key: Bytes) => Effect.Effect<CipherKey>
) {
  const keys = yield* Effect.forEach(secretKeys, (secretKey) => sealingKey(secretKey, makeKey))
  const [current] = keys
  const ids = new Set(keys.map(({ beginning }) => beginning.join()))
  if (current === undefined || ids.size < keys.length) return yield* new SecretError({ reason: "invalid-key" })

  const freshNonce = makeNonces()
  const sealBytes = (text: Bytes, place: string) =>
    Effect.suspend(() => {
      const nonce = freshNonce()
      return Effect.map(current.key.seal(text, nonce, encoder.encode(place)), (encrypted): Uint8Array => {
        const sealed = new Uint8Array(headerBytes + encrypted.byteLength)
        sealed.set(current.beginning)
        sealed.set(nonce, beginningBytes)
        sealed.set(encrypted, headerBytes)
        return sealed
      })
    })

  const openBytes = Effect.fnUntraced(function* (bytes: Uint8Array, place: string) {
    const sealed = new Uint8Array(bytes)
    if (sealed.byteLength < headerBytes || sealed[0] !== format) return yield* new SecretError({ reason: "damaged" })
    const found = keys.find(({ beginning }) => beginning.every((byte, index) => sealed[index] === byte))
    if (found === undefined) return yield* new SecretError({ reason: "unknown-key" })
    const nonce = sealed.subarray(beginningBytes, headerBytes)
    return yield* found.key.open(sealed.subarray(headerBytes), nonce, encoder.encode(place))
  })

  return SecretCipher.of({
    beginning: new Uint8Array(current.beginning),
    seal: (secret, place) => Effect.suspend(() => sealBytes(encoder.encode(Redacted.value(secret)), place)),
    open: (sealed, place) => Effect.map(openBytes(sealed, place), (text) => Redacted.make(decoder.decode(text))),
    reseal: (sealed, place) => Effect.flatMap(openBytes(sealed, place), (text) => sealBytes(text, place))
  })
})

/** Random bytes are asked for many at a time: one ask takes longer than to seal a small value. */
const makeNonces = (): (() => Bytes) => {
  const nonceBytes = headerBytes - beginningBytes
  const pool = new Uint8Array(nonceBytes * 256)
  let next = pool.byteLength
  return () => {
    if (next === pool.byteLength) {
      crypto.getRandomValues(pool)
      next = 0
    }
    next += nonceBytes
    return pool.slice(next - nonceBytes, next)
  }
}

const sealingKey = Effect.fnUntraced(function* (
  secretKey: Redacted.Redacted<Uint8Array>,
  makeKey: (key: Bytes) => Effect.Effect<CipherKey>
) {
  const bytes = new Uint8Array(Redacted.value(secretKey))
  if (bytes.byteLength !== 32) return yield* new SecretError({ reason: "invalid-key" })
  const digest = yield* Effect.promise(() => crypto.subtle.digest("SHA-256", bytes))
  const beginning = Uint8Array.from([format, ...new Uint8Array(digest).subarray(0, beginningBytes - 1)])
  const made: SealingKey = { beginning, key: yield* makeKey(bytes) }
  return made
})

const webCryptoKey = Effect.fnUntraced(function* (bytes: Bytes) {
  const key = yield* Effect.promise(() =>
    crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"])
  )
  const bound = (iv: Bytes, additionalData: Bytes) => ({ name: "AES-GCM", iv, additionalData })
  const made: CipherKey = {
    seal: (text, nonce, place) =>
      Effect.map(
        Effect.promise(() => crypto.subtle.encrypt(bound(nonce, place), key, text)),
        (encrypted) => new Uint8Array(encrypted)
      ),
    open: (sealed, nonce, place) =>
      Effect.map(
        Effect.tryPromise({
          try: () => crypto.subtle.decrypt(bound(nonce, place), key, sealed),
          catch: () => new SecretError({ reason: "damaged" })
        }),
        (text) => new Uint8Array(text)
      )
  }
  return made
})
