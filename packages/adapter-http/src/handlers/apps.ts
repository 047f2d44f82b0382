// Apps and their Env.
import { Effect, Option, Redacted, Result, Schema } from "effect"
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api"
import type { App } from "@lockkeeper/core/domain/App"
import { type Env, mask, parseChange, Revision } from "@lockkeeper/core/domain/Env"
import { Cursor } from "@lockkeeper/core/domain/Page"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { type AppNotLive, AppStore } from "@lockkeeper/core/port/AppStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { mergeEnv, previewEnv } from "@lockkeeper/core/program/mergeEnv"
import { Api } from "../api/Api.ts"
import { Caller } from "../api/Authorization.ts"
import type { App as AppView } from "../api/Objects.ts"
import * as Problems from "../api/Problems.ts"
import { ServerInfo } from "../ServerInfo.ts"
import { gone, maySee, notFound, notLive, unavailable, visibleApp } from "./outcomes.ts"

/** Handles the App and Env routes. */
export const appsHandlers = HttpApiBuilder.group(
  Api,
  "apps",
  Effect.fnUntraced(function* (handlers) {
    const ports = yield* Effect.context<AppStore | EnvStore>()
    const store = yield* AppStore
    const envs = yield* EnvStore
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
        const caller = yield* Caller
        const asked = query.tenant === undefined ? Option.none() : Schema.decodeOption(TenantName)(query.tenant)
        if (query.tenant !== undefined && Option.isNone(asked)) return yield* notFound()
        if (Option.isSome(asked)) yield* maySee(asked.value)
        const tenant = Option.getOrElse(asked, () => (caller.tenant === "*" ? undefined : caller.tenant))
        const cursor = query.cursor === undefined ? undefined : Cursor.make(query.cursor)
        const page = yield* store
          .list(tenant, { limit: query.limit ?? 20, cursor })
          .pipe(Effect.catchTags({ StoreError: unavailable }))
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

      readEnv: Effect.fnUntraced(function* ({ params, query }) {
        const { id } = yield* visibleApp(params.app)
        const { revision, deployedRevision, env } = yield* envs
          .read(id)
          .pipe(Effect.catchTags({ AppGone: gone, StoreError: unavailable }))
        const body = {
          revision,
          deployedRevision,
          pending: isPending(revision, deployedRevision),
          env: shown(env, query.reveal === "true" ? "revealed" : "masked")
        }
        return HttpApiSchema.withHeaders({ body, headers: { etag: `"${revision}"` } })
      }, Effect.provideContext(ports)),

      mergeEnv: Effect.fnUntraced(function* ({ params, query, headers, payload }) {
        const { id } = yield* visibleApp(params.app)
        const caller = yield* Caller
        const change = yield* Effect.fromResult(
          Result.mapError(parseChange(Object.entries(payload.env)), ({ _tag, key }) =>
            _tag === "InvalidEnvKey"
              ? new Problems.InvalidEnvKey({ detail: "not the name of a variable", key })
              : new Problems.InvalidEnvValue({ detail: "not a value", key })
          )
        )
        const expected = yield* expectedRevision(headers["if-match"])
        const merge = { app: id, actor: caller.name, change, expected }
        const { revision, applied } = yield* (query.dryRun === "true" ? previewEnv(merge) : mergeEnv(merge)).pipe(
          Effect.catchTags({
            AppGone: gone,
            AppNotLive: deletingOrNotLive,
            RevisionMismatch: ({ actual }) =>
              Effect.fail(new Problems.RevisionMismatch({ detail: `the env is at revision ${actual}`, actual })),
            EnvTooLarge: ({ limit, actual }) =>
              Effect.fail(
                new Problems.EnvTooLarge({ detail: `the env would be ${actual} bytes of ${limit}`, limit, actual })
              ),
            EnvBusy: () => Effect.fail(new Problems.EnvBusy({ detail: "somebody else is changing this env" })),
            StoreError: unavailable
          })
        )
        const body = {
          revision,
          keysSet: applied.keysSet.length,
          keysDeleted: applied.keysDeleted.length,
          total: applied.env.size,
          env: shown(applied.env, "masked")
        }
        return HttpApiSchema.withHeaders({ body, headers: { etag: `"${revision}"` } })
      }, Effect.provideContext(ports))
    })
  })
)

const isPending = (revision: Revision, deployed: Revision | null): boolean => deployed !== null && deployed !== revision

const viewOf =
  (appHost: string) =>
  ({ hostPort, ...app }: App): AppView => ({
    ...app,
    preDeploy: null,
    expiresAt: null,
    envPending: isPending(app.envRevision, app.deployedEnvRevision),
    url: app.currentRelease === null ? null : `http://${appHost}:${hostPort}`
  })

const shown = (env: Env, how: "revealed" | "masked"): Record<string, string> =>
  Object.fromEntries([...env].map(([key, value]) => [key, how === "revealed" ? Redacted.value(value) : mask]))

const expectedRevision = (ifMatch: string | undefined): Effect.Effect<Revision | undefined, Problems.InvalidBody> => {
  if (ifMatch === undefined || ifMatch === "*") return Effect.succeed(undefined)
  const revision = /^"?(\d{1,15})"?$/.exec(ifMatch)?.[1]
  return revision === undefined
    ? Effect.fail(new Problems.InvalidBody({ detail: "headers.if-match: not the ETag of an env" }))
    : Effect.succeed(Revision.make(Number(revision)))
}

const deletingOrNotLive = (error: AppNotLive): Effect.Effect<never, Problems.AppDeleting | Problems.AppNotLive> =>
  error.status === "deleting"
    ? Effect.fail(new Problems.AppDeleting({ detail: "the app is being deleted" }))
    : notLive(error)
