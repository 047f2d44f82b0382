// Makes every error response a problem document with its code and request id, whatever it came from: an unknown route, a
// wrong method, a body that is too large, a defect. Nothing internal leaks.
import { randomUUID } from "node:crypto"
import { ByteSize, Effect, type Layer, Option, Schema, type Types } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { IdempotencyStore, ReservationTerms } from "@lockkeeper/core/port/IdempotencyStore"
import type { Fingerprints } from "../Fingerprints.ts"
import { Tokens } from "../Tokens.ts"
import { makeIdempotency } from "./idempotency.ts"
import { unrouted } from "./unrouted.ts"

const problemType = "application/problem+json"
const bodyLimit = ByteSize.mebibytes(1)

const fallbacks: Readonly<Record<number, readonly [code: string, title: string]>> = {
  400: ["invalid_body", "Invalid Body"],
  401: ["unauthorized", "Unauthorized"],
  404: ["not_found", "Not Found"],
  405: ["method_not_allowed", "Method Not Allowed"],
  413: ["payload_too_large", "Payload Too Large"],
  415: ["unsupported_media_type", "Unsupported Media Type"],
  503: ["unavailable", "Unavailable"]
}

const retryAfterSeconds: Readonly<Record<number, string>> = { 429: "30", 503: "2" }

const isRequestId = Schema.is(Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,128}$/)))

const decodeBody = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)))

const isProblem = (response: HttpServerResponse.HttpServerResponse): boolean =>
  response.headers["content-type"]?.startsWith(problemType) === true

const bodyOf = (response: HttpServerResponse.HttpServerResponse): Readonly<Record<string, Schema.Json>> => {
  if (!isProblem(response) || response.body._tag !== "Uint8Array") return fallbackBody(response.status)
  const text = new TextDecoder().decode(response.body.body)
  return Option.getOrElse(decodeBody(text), () => fallbackBody(response.status))
}

const fallbackBody = (status: number): Readonly<Record<string, Schema.Json>> => {
  const [code, title] = fallbacks[status] ?? ["internal_error", "Internal Server Error"]
  return { type: `urn:lockkeeper:problem:${code}`, title, status, detail: title, code }
}

/** The answer of readiness is no error: it says why not. */
const isNotReady = (response: HttpServerResponse.HttpServerResponse): boolean =>
  response.status === 503 && response.headers["content-type"]?.startsWith("application/json") === true

const retryAfter = (status: number): Readonly<Record<string, string>> => {
  const seconds = retryAfterSeconds[status]
  return seconds === undefined ? {} : { "retry-after": seconds }
}

const asProblem = (response: HttpServerResponse.HttpServerResponse, requestId: string) => {
  const body = { ...bodyOf(response), requestId }
  return HttpServerResponse.jsonUnsafe(body, {
    status: response.status,
    contentType: problemType,
    headers: {
      ...(response.headers.allow === undefined ? {} : { allow: response.headers.allow }),
      ...(response.status === 401 ? { "www-authenticate": "Bearer" } : {}),
      ...retryAfter(response.status)
    }
  })
}

const finished = (response: HttpServerResponse.HttpServerResponse, requestId: string) => {
  if (response.status < 400) return response
  return isNotReady(response)
    ? HttpServerResponse.setHeaders(response, retryAfter(response.status))
    : asProblem(response, requestId)
}

type Answer<E> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, HttpServerRequest.HttpServerRequest>

/** For every route: the request id, the limit of a body, idempotency keys, and errors as problem documents. */
export const problemMiddleware = (
  terms: ReservationTerms
): Layer.Layer<never, never, HttpRouter.HttpRouter | Tokens | Fingerprints | IdempotencyStore> =>
  HttpRouter.middleware(
    Effect.gen(function* () {
      const [idempotent, tokens] = [yield* makeIdempotency(terms), yield* Tokens]

      const answer = Effect.fnUntraced(function* (outcome: Answer<unknown>, requestId: string) {
        const request = yield* HttpServerRequest.HttpServerRequest
        const response = yield* Effect.catchCause(outcome, (cause) =>
          Effect.flatMap(HttpServerError.causeResponse(cause), ([failed, rest]) =>
            Effect.as(failed.status >= 500 ? Effect.logError("a request failed", rest) : Effect.void, failed)
          )
        )
        const routed = response.status === 404 && !isProblem(response) ? unrouted(request, tokens) : response
        return finished(routed, requestId)
      })

      return (httpEffect): Answer<Types.unhandled> =>
        Effect.gen(function* () {
          const request = yield* HttpServerRequest.HttpServerRequest
          const given = request.headers["x-request-id"]
          const requestId = isRequestId(given) ? given : randomUUID()
          const response = yield* idempotent(request, httpEffect, (outcome) => answer(outcome, requestId)).pipe(
            Effect.provideService(HttpIncomingMessage.MaxBodySize, bodyLimit),
            Effect.annotateLogs({ requestId })
          )
          return HttpServerResponse.setHeader(response, "x-request-id", requestId)
        })
    }),
    { global: true }
  )
