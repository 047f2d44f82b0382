// Deployments and logs.
import { Effect, Option, Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api"
import { DeploymentId, ReleaseId } from "@lockkeeper/core/domain/App"
import { type Deployment, isTerminal } from "@lockkeeper/core/domain/Deployment"
import type { AppStore } from "@lockkeeper/core/port/AppStore"
import type { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import type { Hints } from "@lockkeeper/core/port/Hints"
import { LogName, type LogStore } from "@lockkeeper/core/port/LogStore"
import { begin } from "@lockkeeper/core/program/begin"
import { cancel } from "@lockkeeper/core/program/cancel"
import { explain } from "@lockkeeper/core/program/explain"
import { beginRollback } from "@lockkeeper/core/program/rollback"
import { Api } from "../api/Api.ts"
import { Deployment as DeploymentView } from "../api/Objects.ts"
import * as Problems from "../api/Problems.ts"
import { from } from "../internal/logStream.ts"
import { pageOf } from "../internal/pages.ts"
import type { Stopping } from "../internal/Stopping.ts"
import { logOf } from "./logs.ts"
import { notFound, refused, refusedAgain, refusedRollback, unavailable, visibleApp } from "./outcomes.ts"

/** Handles the Deployment and log routes. Logs that are followed end when the server stops. */
export const deploymentsHandlers = HttpApiBuilder.group(
  Api,
  "deployments",
  Effect.fnUntraced(function* (handlers) {
    const ports = yield* Effect.context<AppStore | ContainerRuntime | DeploymentStore | Hints | LogStore | Stopping>()
    const store = yield* DeploymentStore

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

    const standing = (id: DeploymentId) =>
      Effect.map(store.get(id), ({ status }) => ({ status, isTerminal: isTerminal(status) }))

    return handlers.handleAll({
      begin: Effect.fnUntraced(function* ({ params, payload }) {
        const { id: app } = yield* visibleApp(params.app)
        const { trigger = { kind: "manual" as const }, ...request } = payload ?? {}
        const { deployment, created } = yield* begin({ app, trigger, ...request }).pipe(
          Effect.catchTags({ DeploymentRefused: refused, StoreError: unavailable })
        )
        if (!created) return yield* answered(deployment, 200)
        return begun(deployment)
      }, Effect.provideContext(ports)),

      redeploy: Effect.fnUntraced(function* ({ params, payload }) {
        const { id: app } = yield* visibleApp(params.app)
        const { deployment } = yield* begin({
          app,
          trigger: { kind: "redeploy" },
          release: "current",
          policy: payload?.policy
        }).pipe(Effect.catchTags({ DeploymentRefused: refusedAgain, StoreError: unavailable }))
        return begun(deployment)
      }, Effect.provideContext(ports)),

      rollback: Effect.fnUntraced(function* ({ params, payload }) {
        const { id: app } = yield* visibleApp(params.app)
        const release = yield* Effect.mapError(
          Effect.fromOption(Schema.decodeOption(ReleaseId)(payload.release)),
          notFound
        )
        const deployment = yield* beginRollback({ app, release, policy: payload.policy }).pipe(
          Effect.catchTags({
            ReleaseNotFound: () => Effect.fail(notFound()),
            ImageGone: () => Effect.fail(new Problems.ImageGone({ detail: "the image of the release is gone" })),
            RuntimeError: () =>
              Effect.fail(new Problems.EngineUnavailable({ detail: "the engine did not answer; try again" })),
            DeploymentRefused: refusedRollback,
            StoreError: unavailable
          })
        )
        return begun(deployment)
      }, Effect.provideContext(ports)),

      releases: Effect.fnUntraced(function* ({ params, query }) {
        const { id } = yield* visibleApp(params.app)
        return yield* Effect.catchTags(store.releases(id, pageOf(query)), { StoreError: unavailable })
      }, Effect.provideContext(ports)),

      cancel: Effect.fnUntraced(function* ({ params }) {
        const { id } = yield* visible(params.deployment)
        const deployment = yield* cancel(id).pipe(
          Effect.catchTags({ DeploymentNotFound: () => Effect.fail(notFound()), StoreError: unavailable })
        )
        const { status } = deployment
        if (status === "cancelled") return deployment
        if (isTerminal(status)) {
          return yield* new Problems.AlreadyTerminal({ detail: `it is ${status}`, deploymentStatus: status })
        }
        return yield* answered(deployment, 202)
      }, Effect.provideContext(ports)),

      list: Effect.fnUntraced(function* ({ params, query }) {
        const { id } = yield* visibleApp(params.app)
        return yield* Effect.catchTags(store.list(id, pageOf(query)), { StoreError: unavailable })
      }, Effect.provideContext(ports)),

      explain: Effect.fnUntraced(function* ({ params }) {
        const { id } = yield* visible(params.deployment)
        return yield* explain(id).pipe(
          Effect.catchTags({ DeploymentNotFound: () => Effect.fail(notFound()), StoreError: unavailable })
        )
      }, Effect.provideContext(ports)),

      get: ({ params }) => Effect.provideContext(visible(params.deployment), ports),

      logs: Effect.fnUntraced(function* ({ params, query, headers }) {
        const { id } = yield* visible(params.deployment)
        const log = LogName.make(`deployment/${id}`)
        return yield* logOf({ log, standing: standing(id), ...from(query, headers) }, headers.accept)
      }, Effect.provideContext(ports)),

      appLogs: Effect.fnUntraced(function* ({ params, query, headers }) {
        const app = yield* visibleApp(params.app)
        const serving = (yield* Effect.catchTags(store.serving, { StoreError: unavailable })).find(
          (candidate) => candidate.app.id === app.id
        )
        if (serving === undefined) return yield* notFound()
        const { deployment } = serving
        const log = LogName.make(`workload/${deployment}`)
        return yield* logOf({ log, standing: standing(deployment), ...from(query, headers) }, headers.accept)
      }, Effect.provideContext(ports))
    })
  })
)

/** Answers a Deployment that has just begun, and says where it is to be seen. */
const begun = (deployment: Deployment) =>
  HttpApiSchema.withHeaders({ body: deployment, headers: { location: `/v1/deployments/${deployment.id}` } })

/** The declared answers differ in their status alone, so the second one is made by hand. */
const answered = (deployment: Deployment, status: 200 | 202) =>
  Effect.orDie(HttpServerResponse.schemaJson(Schema.toCodecJson(DeploymentView))(deployment, { status }))
