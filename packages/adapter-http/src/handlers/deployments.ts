// Deployments and logs.
import { Effect, Option, Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api"
import { DeploymentId } from "@lockkeeper/core/domain/App"
import type { Deployment } from "@lockkeeper/core/domain/Deployment"
import { Cursor } from "@lockkeeper/core/domain/Page"
import type { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { LogName, type LogStore } from "@lockkeeper/core/port/LogStore"
import { Dispatcher } from "@lockkeeper/core/program/Dispatcher"
import { Api } from "../api/Api.ts"
import { Deployment as DeploymentView } from "../api/Objects.ts"
import { logItems, type LogQuery, logResponse } from "../internal/logStream.ts"
import { notFound, refused, unavailable, visibleApp } from "./outcomes.ts"

/** Handles the Deployment and log routes. */
export const deploymentsHandlers = HttpApiBuilder.group(
  Api,
  "deployments",
  Effect.fnUntraced(function* (handlers) {
    const ports = yield* Effect.context<AppStore | DeploymentStore | LogStore>()
    const store = yield* DeploymentStore
    const dispatcher = yield* Dispatcher

    const visible = Effect.fnUntraced(function* (id: string) {
      const deployment = yield* Option.match(Schema.decodeOption(DeploymentId)(id), {
        onNone: () => Effect.fail(notFound()),
        onSome: (known) =>
          store
            .get(known)
            .pipe(Effect.catchTags({ DeploymentNotFound: () => Effect.fail(notFound()), StoreError: unavailable }))
      })
      yield* visibleApp(deployment.app)
      return deployment
    })

    const logOf = (query: LogQuery, accept: string | undefined) =>
      Effect.flatMap(logItems(query), (items) => logResponse(items, accept)).pipe(
        Effect.catchTags({ DeploymentNotFound: () => Effect.fail(notFound()), StoreError: unavailable })
      )

    return handlers.handleAll({
      begin: Effect.fnUntraced(function* ({ params, payload }) {
        const { id: app } = yield* visibleApp(params.app)
        const { trigger = { kind: "manual" as const }, ...request } = payload ?? {}
        const { deployment, created } = yield* store
          .begin({ app, trigger, ...request })
          .pipe(Effect.catchTags({ DeploymentRefused: refused, StoreError: unavailable }))
        if (!created) return yield* known(view(deployment))
        yield* dispatcher.wake
        const headers = { location: `/v1/deployments/${deployment.id}` }
        return HttpApiSchema.withHeaders({ body: view(deployment), headers })
      }, Effect.provideContext(ports)),

      list: Effect.fnUntraced(function* ({ params, query }) {
        const { id } = yield* visibleApp(params.app)
        const cursor = query.cursor === undefined ? undefined : Cursor.make(query.cursor)
        const page = yield* store
          .list(id, { limit: query.limit ?? 20, cursor })
          .pipe(Effect.catchTags({ StoreError: unavailable }))
        return { items: page.items.map(view), nextCursor: page.nextCursor }
      }, Effect.provideContext(ports)),

      get: ({ params }) => visible(params.deployment).pipe(Effect.map(view), Effect.provideContext(ports)),

      logs: Effect.fnUntraced(function* ({ params, query, headers }) {
        const { id } = yield* visible(params.deployment)
        const log = LogName.make(`deployment/${id}`)
        return yield* logOf({ log, deployment: id, ...from(query, headers) }, headers.accept)
      }, Effect.provideContext(ports)),

      appLogs: Effect.fnUntraced(function* ({ params, query, headers }) {
        const app = yield* visibleApp(params.app)
        const serving = (yield* Effect.catchTags(store.serving, { StoreError: unavailable })).find(
          (candidate) => candidate.app.id === app.id
        )
        if (serving === undefined) return yield* notFound()
        const { deployment } = serving
        const log = LogName.make(`workload/${deployment}`)
        return yield* logOf({ log, deployment, ...from(query, headers) }, headers.accept)
      }, Effect.provideContext(ports))
    })
  })
)

const view = (deployment: Deployment): DeploymentView => ({ ...deployment, cancelling: false })

/** The declared answers differ in their status alone, so the second one is made by hand. */
const known = (deployment: DeploymentView) =>
  Effect.orDie(HttpServerResponse.schemaJson(Schema.toCodecJson(DeploymentView))(deployment, { status: 200 }))

const from = (
  query: { readonly after?: number; readonly follow?: "true" | "false" },
  headers: { readonly "last-event-id"?: string }
) => {
  const last = /^\d{1,15}$/.exec(headers["last-event-id"] ?? "")?.[0]
  return {
    after: query.after ?? (last === undefined ? 0 : Number(last)),
    mode: query.follow === "true" ? ("follow" as const) : ("stored" as const)
  }
}
