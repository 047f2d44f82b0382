// Apps. Not here: their Env (env.ts).
import { Effect } from "effect"
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api"
import type { App } from "@lockkeeper/core/domain/App"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import type { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { begin } from "@lockkeeper/core/program/begin"
import { Api } from "../api/Api.ts"
import type { App as AppView } from "../api/Objects.ts"
import * as Problems from "../api/Problems.ts"
import { pageOf } from "../internal/pages.ts"
import { ServerInfo } from "../ServerInfo.ts"
import { envHandlers, isPending } from "./env.ts"
import { gone, listedTenant, maySee, notLive, refusedStart, unavailable, visibleApp } from "./outcomes.ts"

/** Handles the routes of Apps, and those of their Envs. */
export const appsHandlers = HttpApiBuilder.group(
  Api,
  "apps",
  Effect.fnUntraced(function* (handlers) {
    const ports = yield* Effect.context<AppStore | DeploymentStore>()
    const store = yield* AppStore
    const { appHost } = yield* ServerInfo
    const view = viewOf(appHost)

    return handlers.handleAll({
      create: Effect.fnUntraced(function* ({ payload }) {
        yield* maySee(payload.tenant)
        const app = yield* store.register(payload).pipe(
          Effect.catchTags({
            AppNameTaken: ({ name }) =>
              Effect.fail(new Problems.AppNameTaken({ detail: `the tenant has an app ${name} already`, name })),
            PortsExhausted: () => Effect.fail(new Problems.PortsExhausted({ detail: "no host port is free" })),
            StoreError: unavailable
          })
        )
        return HttpApiSchema.withHeaders({ body: view(app), headers: { location: `/v1/apps/${app.id}` } })
      }),

      list: Effect.fnUntraced(function* ({ query }) {
        const tenant = yield* listedTenant(query.tenant)
        const page = yield* Effect.catchTags(store.list(tenant, pageOf(query)), { StoreError: unavailable })
        return { items: page.items.map(view), nextCursor: page.nextCursor }
      }),

      get: ({ params }) => visibleApp(params.app).pipe(Effect.map(view), Effect.provideContext(ports)),

      change: Effect.fnUntraced(function* ({ params, payload }) {
        const { id } = yield* visibleApp(params.app)
        const app = yield* store
          .change(id, payload)
          .pipe(Effect.catchTags({ AppGone: gone, AppNotLive: notLive, StoreError: unavailable }))
        return view(app)
      }, Effect.provideContext(ports)),

      delete: Effect.fnUntraced(function* ({ params }) {
        const { id } = yield* visibleApp(params.app)
        const app = yield* store.mark(id, "deleting").pipe(
          Effect.catchTags({
            AppGone: gone,
            AppNotLive: (error) => Effect.die(error),
            StoreError: unavailable
          })
        )
        return view(app)
      }, Effect.provideContext(ports)),

      start: Effect.fnUntraced(function* ({ params }) {
        const { id, status } = yield* visibleApp(params.app)
        if (status !== "live") {
          yield* begin({ app: id, trigger: { kind: "start" }, policy: "supersede", release: "current" }).pipe(
            Effect.catchTags({ DeploymentRefused: refusedStart, StoreError: unavailable })
          )
        }
        return view(yield* visibleApp(id))
      }, Effect.provideContext(ports)),

      stop: Effect.fnUntraced(function* ({ params }) {
        const { id } = yield* visibleApp(params.app)
        const app = yield* store
          .mark(id, "stopped")
          .pipe(Effect.catchTags({ AppGone: gone, AppNotLive: notLive, StoreError: unavailable }))
        return view(app)
      }, Effect.provideContext(ports)),

      setExpiry: Effect.fnUntraced(function* ({ params, payload }) {
        const { id } = yield* visibleApp(params.app)
        const app = yield* store
          .setExpiry(id, payload.expiresAt)
          .pipe(Effect.catchTags({ AppGone: gone, AppNotLive: notLive, StoreError: unavailable }))
        return view(app)
      }, Effect.provideContext(ports)),

      ...(yield* envHandlers)
    })
  })
)

const viewOf =
  (appHost: string) =>
  ({ hostPort, ...app }: App): AppView => ({
    ...app,
    envPending: isPending(app.envRevision, app.deployedEnvRevision),
    url: app.currentRelease === null ? null : `http://${appHost}:${hostPort}`
  })
