// Decides who is calling. Keys for idempotent requests are refused, visibly, until they are kept.
import { Effect, Layer } from "effect"
import { HttpServerRequest } from "effect/http"
import { Authorization, Caller } from "../api/Authorization.ts"
import { IdempotencyUnsupported, Unauthorized } from "../api/Problems.ts"
import { Tokens } from "../Tokens.ts"

/** {@link Authorization} by the accepted {@link Tokens}. */
export const authorizationLayer: Layer.Layer<Authorization, never, Tokens> = Layer.effect(
  Authorization,
  Effect.map(Tokens, (tokens) =>
    Authorization.of({
      bearer: Effect.fnUntraced(function* (httpEffect, { credential }) {
        const caller = tokens.find(credential)
        if (caller === undefined) return yield* new Unauthorized({ detail: "the bearer token is missing or wrong" })
        const request = yield* HttpServerRequest.HttpServerRequest
        const mayRepeat = request.method === "POST" || request.method === "PATCH"
        if (mayRepeat && request.headers["idempotency-key"] !== undefined) {
          return yield* new IdempotencyUnsupported({ detail: "this server does not keep idempotency keys yet" })
        }
        return yield* Effect.provideService(httpEffect, Caller, caller)
      })
    })
  )
)
