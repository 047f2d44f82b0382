// The digests by which requests with an idempotency key are known again. They are keyed: who reads the database can neither
// read nor guess what was sent. The key follows from the server's secret key, so that all replicas agree.
import { createHmac, hkdfSync } from "node:crypto"
import { Context, Layer, Redacted } from "effect"

/** Makes digests of what a request says. */
export class Fingerprints extends Context.Service<
  Fingerprints,
  {
    /** HMAC-SHA-256 in hexadecimal of parts in their order; the same parts for another purpose have another one. */
    readonly digest: (purpose: "key" | "request", parts: ReadonlyArray<string | Uint8Array>) => string
  }
>()("@lockkeeper/adapter-http/Fingerprints") {
  /** Digests under a key that is derived from this one. */
  static readonly layer = (secretKey: Redacted.Redacted<Uint8Array>): Layer.Layer<Fingerprints> =>
    Layer.sync(Fingerprints, () => {
      const key = Buffer.from(hkdfSync("sha256", Redacted.value(secretKey), "", "lockkeeper/idempotency/1", 32))
      return Fingerprints.of({
        digest: (purpose, parts) => {
          const hmac = createHmac("sha256", key)
          for (const part of [purpose, ...parts]) {
            const bytes = typeof part === "string" ? Buffer.from(part) : part
            hmac.update(`${bytes.byteLength}:`).update(bytes)
          }
          return hmac.digest("hex")
        }
      })
    })
}
