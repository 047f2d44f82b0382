// Decides who is calling.
import { Effect, Layer } from "effect"
import { Authorization, Caller } from "../api/Authorization.ts"
import { Unauthorized } from "../api/Problems.ts"
import { Tokens } from "../Tokens.ts"

/** {@link Authorization} by the accepted {@link Tokens}. */
export const authorizationLayer: Layer.Layer<Authorization, never, Tokens> = Layer.effect(
  Authorization,
  Effect.map(Tokens, (tokens) =>
    Authorization.of({
      bearer: Effect.fnUntraced(function* (httpEffect, { credential }) {
        const caller = tokens.find(credential)
        if (caller === undefined) return yield* new Unauthorized({ detail: "the bearer token is missing or wrong" })
        return yield* Effect.provideService(httpEffect, Caller, caller)
      })
    })
  )
)
