// A platform that is told of Events over HTTP: it checks each signature by itself and does with each call what it is told.
import { Schema } from "effect"
import { createHmac, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { text } from "node:stream/consumers"
import { Event } from "@lockkeeper/adapter-http/api/Objects"

/** One call. */
export interface Call {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly event: Event
}

/** Who listens, and what has come. */
export interface Receiver {
  readonly calls: Array<Call>
  /** What is answered to each call. */
  answer: (response: ServerResponse, call: Call) => void
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void
}

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Event))

/** The bytes of a secret as receivers read it. */
export const keyOf = (secret: string): Buffer =>
  secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret)

/** Whether a call was signed with this secret within a minute of now. */
export const isSigned = (
  { body, headers }: Pick<Call, "body" | "headers">,
  secret: string,
  nowSeconds = Date.now() / 1_000
): boolean => {
  const [id, at, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => headers[name])
  if (typeof id !== "string" || typeof at !== "string" || typeof signature !== "string") return false
  const expected = Buffer.from(createHmac("sha256", keyOf(secret)).update(`${id}.${at}.${body}`).digest("base64"))
  const [version, value = ""] = signature.split(",")
  const given = Buffer.from(value)
  const isNow = /^\d+$/.test(at) && Math.abs(nowSeconds - Number(at)) < 60
  return version === "v1" && isNow && given.byteLength === expected.byteLength && timingSafeEqual(given, expected)
}

/** Takes everything, until it is told otherwise. */
export const receiver = (): Receiver => {
  const self: Receiver = {
    calls: [],
    answer: (response) => void response.writeHead(204).end(),
    listener: (request, response) => {
      text(request).then(
        (body) => {
          const { headers, method, url: path } = request
          const call = { method, path, headers, body, event: decode(body) }
          self.calls.push(call)
          self.answer(response, call)
        },
        () => undefined
      )
    }
  }
  return self
}
