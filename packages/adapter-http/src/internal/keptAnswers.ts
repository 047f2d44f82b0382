// Which answers are kept for requests with an idempotency key, and how they are given again: byte for byte, with the
// headers that belong to them.
import { isUtf8 } from "node:buffer"
import { Effect, Redacted, Schema } from "effect"
import { HttpServerResponse } from "effect/http"

const KeptAnswer = Schema.fromJsonString(
  Schema.Struct({
    status: Schema.Int,
    headers: Schema.Record(Schema.String, Schema.String),
    body: Schema.NullOr(Schema.String)
  })
)

const encode = Schema.encodeSync(KeptAnswer)
const decode = Schema.decodeEffect(KeptAnswer)

const ownHeaders = ["content-type", "etag", "location"]

/** Not the last word: the caller is to ask again, with a token or later. */
const passing: ReadonlySet<number> = new Set([401, 408, 429])

const textOf = ({ body }: HttpServerResponse.HttpServerResponse): string | null | undefined => {
  if (body._tag === "Empty") return null
  if (body._tag !== "Uint8Array" || !isUtf8(body.body)) return undefined
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(body.body)
}

/** An answer as it is kept; undefined for one that is not: the key is free again then. */
export const keptAnswer = (response: HttpServerResponse.HttpServerResponse): Redacted.Redacted<string> | undefined => {
  const body = textOf(response)
  if (body === undefined || response.status >= 500 || passing.has(response.status)) return undefined
  const headers = Object.fromEntries(Object.entries(response.headers).filter(([name]) => ownHeaders.includes(name)))
  return Redacted.make(encode({ status: response.status, headers, body }))
}

/** The answer again. */
export const replayed = (kept: Redacted.Redacted<string>): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(Effect.orDie(decode(Redacted.value(kept))), ({ body, headers, status }) => {
    const options = { status, headers: { ...headers, "idempotency-replayed": "true" } }
    return body === null ? HttpServerResponse.empty(options) : HttpServerResponse.text(body, options)
  })
