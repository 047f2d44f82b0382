// The key of a SecretCipher by Node's own crypto: in place, without the way to a thread and back that WebCrypto takes for
// each value. Values are small, so that way would be most of the work.

import { type CipherKey, SecretError } from "@lockkeeper/core/port/SecretCipher"
import { Effect } from "effect"
import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto"

const algorithm = "aes-256-gcm"
const tagBytes = 16

/** Makes the key, for `SecretCipher.layer(key, { makeKey: nodeCipherKey })`. */
export const nodeCipherKey = (bytes: Uint8Array<ArrayBuffer>): Effect.Effect<CipherKey> =>
  Effect.sync(() => {
    const key = createSecretKey(bytes)
    return {
      seal: (text, nonce, place) =>
        Effect.sync(() => {
          const cipher = createCipheriv(algorithm, key, nonce).setAAD(place)
          return new Uint8Array(Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]))
        }),
      open: (sealed, nonce, place) =>
        Effect.try({
          try: () => {
            const end = sealed.byteLength - tagBytes
            const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
            decipher.setAAD(place).setAuthTag(sealed.subarray(end))
            return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]))
          },
          catch: () => new SecretError({ reason: "damaged" })
        })
    }
  })
