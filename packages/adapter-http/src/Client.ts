// The typed client that follows from the API's definition.
import { Effect, Layer, type Redacted } from "effect"
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

/** Makes a client over `fetch`. */
export const make = (options: ClientOptions): Effect.Effect<Client> =>
  HttpApiClient.make(Api, {
    transformClient: HttpClient.mapRequest(HttpClientRequest.prependUrl(options.baseUrl))
  }).pipe(
    Effect.provide(
      Layer.merge(
        FetchHttpClient.layer,
        HttpApiMiddleware.layerClient(Authorization, ({ next, request }) =>
          next(HttpClientRequest.bearerToken(request, options.token))
        )
      )
    )
  )
