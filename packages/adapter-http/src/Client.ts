// The typed client that follows from the API's definition.
import { Context, Effect, Layer, type Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient, HttpApiMiddleware } from "effect/http-api"
import { Api } from "./api/Api.ts"
import { Authorization } from "./api/Authorization.ts"

/** Where the server is, and the token to call it with. */
export interface ClientOptions {
  readonly baseUrl: string
  readonly token: Redacted.Redacted<string>
}

/** A client with a method per route; its errors are the API's problems, by their tags. */
export type Client = HttpApiClient.ForApi<typeof Api>

const RequestKey = Context.Reference<string | undefined>("@lockkeeper/adapter-http/Client/RequestKey", {
  defaultValue: () => undefined
})

/**
 * Calls the API under an idempotency key (1 to 255 printable ASCII characters, such as a UUID): called again with the same key
 * and request within 24 hours, it is answered as the first time and nothing is done twice. It is for routes that POST or
 * PATCH; other ones do not read it. Another request under the key fails with `IdempotencyKeyReused`, and one that comes while
 * the first is in progress with `IdempotencyInProgress`.
 */
export const withIdempotencyKey =
  (key: string) =>
  <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(call, RequestKey, key)

/** Makes a client over `fetch`. */
export const make = (options: ClientOptions): Effect.Effect<Client> =>
  HttpApiClient.make(Api, {
    transformClient: HttpClient.mapRequest(HttpClientRequest.prependUrl(options.baseUrl))
  }).pipe(
    Effect.provide(
      Layer.merge(
        FetchHttpClient.layer,
        HttpApiMiddleware.layerClient(Authorization, ({ next, request }) =>
          Effect.flatMap(RequestKey, (key) => next(keyed(HttpClientRequest.bearerToken(request, options.token), key)))
        )
      )
    )
  )

const keyed = (request: HttpClientRequest.HttpClientRequest, key: string | undefined) =>
  key === undefined ? request : HttpClientRequest.setHeader(request, "idempotency-key", key)
