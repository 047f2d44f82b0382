// Tells a platform of Events at an address of its own, signed as Standard Webhooks has it
// (https://www.standardwebhooks.com). Whose address that is, the operator decides; nothing of a Tenant leads there.
import { createHmac } from "node:crypto"
import { request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { Clock, Effect, Layer, Redacted, Schema } from "effect"
import type { Event } from "@lockkeeper/core/domain/Event"
import { Subscriber, SubscriberError } from "@lockkeeper/core/port/Subscriber"
import { eventJson } from "./internal/eventJson.ts"

/** A webhook cannot be used as it is given; nothing of the address or the secret is shown. */
export class InvalidWebhook extends Schema.TaggedError<InvalidWebhook>()("InvalidWebhook", {
  setting: Schema.Literals(["url", "secret"]),
  detail: Schema.String
}) {
  override readonly message = `the ${this.setting} of the webhook ${this.detail}`
}

/** Where Events go, and what signs them. */
export interface WebhookOptions {
  /** An `https` address, or an `http` one on this machine. It may hold a secret in its path or query. */
  readonly url: Redacted.Redacted<string>
  /** At least 24 bytes: in base64 after `whsec_`, or as they are. */
  readonly secret: Redacted.Redacted<string>
}

/** How long one try may take, in all. */
const limit = "10 seconds"

/** So many bytes of an answer are waited for, so that whoever answers is not cut off; none of them is looked at. */
const answerLimit = 65_536

/**
 * Makes a Subscriber that gets each Event as a POST of its JSON, that of `GET /v1/events`. `webhook-id` is the id of the
 * Event, the same in every try; `webhook-signature` is `v1,` and the base64 of the HMAC-SHA-256 of
 * `<id>.<webhook-timestamp>.<body>`. A status of 2xx takes it. What is below 500 refuses it, but for 408, 425 and 429, which
 * are as all others and as no answer within ten seconds: unavailable. Redirects are not followed, they refuse.
 */
export const make = ({ secret, url }: WebhookOptions): Effect.Effect<Subscriber["Service"], InvalidWebhook> =>
  Effect.gen(function* () {
    const target = yield* targetOf(Redacted.value(url))
    const key = Redacted.make(yield* keyOf(Redacted.value(secret).trim()))

    const deliver = Effect.fn("WebhookSubscriber.deliver")(function* (event: Event) {
      const timestamp = String(Math.floor((yield* Clock.currentTimeMillis) / 1_000))
      const body = eventJson(event)
      const signature = createHmac("sha256", Redacted.value(key)).update(`${event.id}.${timestamp}.${body}`)
      return yield* post(target, body, {
        "webhook-id": event.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": `v1,${signature.digest("base64")}`
      })
    })

    return Subscriber.of({ deliver })
  })

/** Provides {@link make}. */
export const layer = (options: WebhookOptions): Layer.Layer<Subscriber, InvalidWebhook> =>
  Layer.effect(Subscriber, make(options))

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

const targetOf = (text: string): Effect.Effect<URL, InvalidWebhook> => {
  const refuse = (detail: string) => Effect.fail(new InvalidWebhook({ setting: "url", detail }))
  const url = URL.parse(text)
  if (url === null) return refuse("is not an address such as https://platform.example/events")
  if (url.username !== "" || url.password !== "") return refuse("holds a user or a password: its secret signs")
  if (url.protocol === "https:" || (url.protocol === "http:" && loopback.test(url.hostname))) return Effect.succeed(url)
  return refuse("is neither https nor http to this machine itself")
}

const prefix = "whsec_"

const keyOf = (secret: string): Effect.Effect<Buffer, InvalidWebhook> => {
  const refuse = (detail: string) => Effect.fail(new InvalidWebhook({ setting: "secret", detail }))
  const base64 = secret.slice(prefix.length)
  const key = secret.startsWith(prefix) ? Buffer.from(base64, "base64") : Buffer.from(secret)
  const isRead = !secret.startsWith(prefix) || key.toString("base64").replace(/=+$/, "") === base64.replace(/=+$/, "")
  if (!isRead) return refuse(`is not base64 after ${prefix}`)
  return key.byteLength < 24 ? refuse("has fewer than 24 bytes") : Effect.succeed(key)
}

const failed = (reason: SubscriberError["reason"], detail: string) =>
  Effect.fail(new SubscriberError({ reason, detail }))

/** Statuses that are about this one Event. Whatever else is no success may be about the receiver, and pass. */
const refusals: ReadonlySet<number> = new Set([400, 409, 410, 413, 415, 422])

const outcomeOf = (status: number): Effect.Effect<void, SubscriberError> => {
  if (status >= 200 && status < 300) return Effect.void
  return failed(refusals.has(status) ? "refused" : "unavailable", `it answered ${status}`)
}

const codeOf = (cause: Error): string => ("code" in cause && typeof cause.code === "string" ? cause.code : cause.name)

/** Sends one request. Its outcome is that of the status, also when the rest of the answer does not come. */
const post = (url: URL, body: string, signed: Readonly<Record<string, string>>): Effect.Effect<void, SubscriberError> =>
  Effect.suspend(() => {
    let outcome: Effect.Effect<void, SubscriberError> | undefined
    const sent = Effect.callback<void, SubscriberError>((resume) => {
      const headers = {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(body)),
        "user-agent": "lockkeeper-webhook",
        ...signed
      }
      const request = url.protocol === "https:" ? requestHttps : requestHttp
      const outgoing = request(url, { method: "POST", headers, agent: false })
      const end = (otherwise: Effect.Effect<void, SubscriberError>) => {
        resume(outcome ?? otherwise)
        outgoing.destroy()
      }
      outgoing.on("error", (cause) => end(failed("unavailable", `there was no answer (${codeOf(cause)})`)))
      outgoing.once("upgrade", () => end(failed("unavailable", "it answered 101")))
      outgoing.once("response", (response) => {
        const decided = outcomeOf(response.statusCode ?? 0)
        outcome = decided
        let bytes = 0
        response.on("error", () => end(decided)).once("close", () => end(decided))
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.byteLength
          if (bytes > answerLimit) end(decided)
        })
      })
      outgoing.end(body)
      return Effect.sync(() => void outgoing.destroy())
    })
    return Effect.timeoutOrElse(sent, {
      duration: limit,
      orElse: () => outcome ?? failed("unavailable", "it did not answer in 10 seconds")
    })
  })
