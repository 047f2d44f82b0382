// Serves the API. What the handlers need of the core comes in as layers; see examples/server/main.ts for a whole server.
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Duration, Effect, Layer } from "effect"
import { HttpRouter, type HttpServer, type HttpServerError, HttpServerResponse } from "effect/http"
import { HttpApiBuilder, HttpApiScalar } from "effect/http-api"
import { PrometheusMetrics } from "effect/observability"
import type { AppStore } from "@lockkeeper/core/port/AppStore"
import type { CheckpointStore } from "@lockkeeper/core/port/CheckpointStore"
import type { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import type { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import type { EnvStore } from "@lockkeeper/core/port/EnvStore"
import type { EventFeed } from "@lockkeeper/core/port/EventFeed"
import type { Hints } from "@lockkeeper/core/port/Hints"
import {
  defaultReservationTerms,
  type IdempotencyStore,
  type ReservationTerms
} from "@lockkeeper/core/port/IdempotencyStore"
import type { JobStore } from "@lockkeeper/core/port/JobStore"
import type { LogStore } from "@lockkeeper/core/port/LogStore"
import type { Providers } from "@lockkeeper/core/port/Providers"
import type { RunStore } from "@lockkeeper/core/port/RunStore"
import type { Dispatcher } from "@lockkeeper/core/program/Dispatcher"
import type { Replica } from "@lockkeeper/core/program/Replica"
import { Api } from "./api/Api.ts"
import { appsHandlers } from "./handlers/apps.ts"
import { deploymentsHandlers } from "./handlers/deployments.ts"
import { jobsHandlers } from "./handlers/jobs.ts"
import { eventsHandlers } from "./handlers/events.ts"
import { runsHandlers } from "./handlers/runs.ts"
import { systemHandlers } from "./handlers/system.ts"
import { tenantsHandlers } from "./handlers/tenants.ts"
import { authorizationLayer } from "./internal/authorizationLayer.ts"
import { problemMiddleware } from "./internal/problemMiddleware.ts"
import { requestErrorsLayer } from "./internal/requestErrors.ts"
import { saysStopping, Stopping } from "./internal/Stopping.ts"
import type { Fingerprints } from "./Fingerprints.ts"
import type { ServerInfo } from "./ServerInfo.ts"
import type { Tokens } from "./Tokens.ts"

/** What serving the API needs. */
export type ServerPorts =
  | AppStore
  | CheckpointStore
  | ContainerRuntime
  | DeploymentStore
  | EnvStore
  | EventFeed
  | Hints
  | IdempotencyStore
  | JobStore
  | LogStore
  | Providers
  | RunStore
  | Dispatcher
  | Replica
  | Fingerprints
  | ServerInfo
  | Tokens

const handlers = Layer.mergeAll(
  systemHandlers,
  tenantsHandlers,
  appsHandlers,
  deploymentsHandlers,
  jobsHandlers,
  runsHandlers,
  eventsHandlers
)

const api = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide(handlers),
  Layer.provide([authorizationLayer, requestErrorsLayer])
)

/** Somebody types a token into this page: it talks to nobody but this server. */
const ownHostOnly = HttpRouter.middleware((httpEffect) =>
  Effect.map(
    httpEffect,
    HttpServerResponse.setHeader(
      "content-security-policy",
      "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'"
    )
  )
)

const docs = HttpApiScalar.layer(Api, {
  path: "/docs",
  scalar: { authentication: { preferredSecurityScheme: "bearer" }, withDefaultFonts: false }
}).pipe(Layer.provide(ownHostOnly.layer))

const routes = (terms: ReservationTerms) =>
  Layer.mergeAll(problemMiddleware(terms), api, docs, PrometheusMetrics.layerHttp({ path: "/metrics" }))

/** Where the server listens. */
export interface ServerOptions {
  readonly host: string
  readonly port: number
  /** How long requests in progress may go on when the server stops. */
  readonly grace?: Duration.Input | undefined
  /** How long a request with an idempotency key may take, and how long its answer is kept; a minute and a day. */
  readonly reservationTerms?: ReservationTerms | undefined
}

/** Serves the API, its OpenAPI document, its documentation page and the metrics until the layer is closed. */
export const layer = (
  options: ServerOptions
): Layer.Layer<HttpServer.HttpServer, HttpServerError.ServeError, ServerPorts> =>
  saysStopping.pipe(Layer.provideMerge(serving(options)), Layer.provide(Stopping.layer))

const serving = (
  options: ServerOptions
): Layer.Layer<HttpServer.HttpServer, HttpServerError.ServeError, ServerPorts | Stopping> =>
  HttpRouter.serve(routes(options.reservationTerms ?? defaultReservationTerms), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provideMerge(
      NodeHttpServer.layer(createServer, {
        host: options.host,
        port: options.port,
        gracefulShutdownTimeout: options.grace ?? Duration.seconds(5)
      })
    )
  )
