// Makes every error response a problem document with its code and request id, whatever it came from: an unknown route, a
// wrong method, a body that is too large, a defect. Nothing internal leaks.
import { randomUUID } from "node:crypto"
import { ByteSize, Effect, Layer, Option, Schema, type Types } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Api } from "../api/Api.ts"

const problemType = "application/problem+json"
const bodyLimit = ByteSize.mebibytes(1)

const fallbacks: Readonly<Record<number, readonly [code: string, title: string]>> = {
  400: ["invalid_body", "Invalid Body"],
  404: ["not_found", "Not Found"],
  405: ["method_not_allowed", "Method Not Allowed"],
  413: ["payload_too_large", "Payload Too Large"],
  415: ["unsupported_media_type", "Unsupported Media Type"],
  503: ["unavailable", "Unavailable"]
}

const retryAfterSeconds: Readonly<Record<number, string>> = { 429: "30", 503: "2" }

const isRequestId = Schema.is(Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,128}$/)))

const decodeBody = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)))

const bodyOf = (response: HttpServerResponse.HttpServerResponse): Readonly<Record<string, Schema.Json>> => {
  const isProblem = response.headers["content-type"]?.startsWith(problemType) === true
  if (!isProblem || response.body._tag !== "Uint8Array") return fallbackBody(response.status)
  const text = new TextDecoder().decode(response.body.body)
  return Option.getOrElse(decodeBody(text), () => fallbackBody(response.status))
}

const fallbackBody = (status: number): Readonly<Record<string, Schema.Json>> => {
  const [code, title] = fallbacks[status] ?? ["internal_error", "Internal Server Error"]
  return { type: `urn:lockkeeper:problem:${code}`, title, status, detail: title, code }
}

const isNotReady = (response: HttpServerResponse.HttpServerResponse, path: string): boolean =>
  response.status === 503 && path.startsWith("/readyz")

const methodsByPath = Object.values(Api.groups).flatMap((group) =>
  Object.values(group.endpoints).map((endpoint) => ({
    method: String(endpoint.method),
    pattern: new RegExp(`^${endpoint.path.replace(/:\w+/g, "[^/]+")}$`)
  }))
)

const allowedAt = (path: string): ReadonlyArray<string> =>
  methodsByPath.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)

const answered = (request: HttpServerRequest.HttpServerRequest, response: HttpServerResponse.HttpServerResponse) => {
  const path = request.url.split("?", 1)[0] ?? "/"
  const allowed = response.status === 404 ? allowedAt(path) : []
  return allowed.length === 0 || allowed.includes(request.method)
    ? response
    : HttpServerResponse.empty({ status: 405, headers: { allow: [...new Set(allowed)].join(", ") } })
}

const asProblem = (response: HttpServerResponse.HttpServerResponse, requestId: string) => {
  const body = { ...bodyOf(response), requestId }
  const retryAfter = retryAfterSeconds[response.status]
  return HttpServerResponse.jsonUnsafe(body, {
    status: response.status,
    contentType: problemType,
    headers: {
      ...(response.headers.allow === undefined ? {} : { allow: response.headers.allow }),
      ...(retryAfter === undefined ? {} : { "retry-after": retryAfter })
    }
  })
}

/** For every route: the request id, the limit of a body, and errors as problem documents. */
export const problemMiddleware: Layer.Layer<never, never, HttpRouter.HttpRouter> = HttpRouter.middleware(
  (httpEffect): Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    Types.unhandled,
    HttpServerRequest.HttpServerRequest
  > =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const given = request.headers["x-request-id"]
      const requestId = isRequestId(given) ? given : randomUUID()
      const path = request.url.split("?", 1)[0] ?? "/"
      const response = yield* httpEffect.pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, bodyLimit),
        Effect.catchCause((cause) =>
          Effect.flatMap(HttpServerError.causeResponse(cause), ([failed, rest]) =>
            Effect.as(failed.status >= 500 ? Effect.logError("a request failed", rest) : Effect.void, failed)
          )
        ),
        Effect.annotateLogs({ requestId })
      )
      const final = answered(request, response)
      return HttpServerResponse.setHeader(
        final.status >= 400 && !isNotReady(final, path) ? asProblem(final, requestId) : final,
        "x-request-id",
        requestId
      )
    }),
  { global: true }
)
