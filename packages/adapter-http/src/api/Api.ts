// The HTTP API, as data: routes, what they take and answer. Server, client and OpenAPI document are made from it.
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { TenantUsage } from "@lockkeeper/core/domain/Tenant"
import { completed } from "../internal/openApiExtras.ts"
import { Authorization } from "./Authorization.ts"
import { DeploymentsGroup } from "./DeploymentsGroup.ts"
import { EventsGroup } from "./EventsGroup.ts"
import { JobsGroup } from "./JobsGroup.ts"
import {
  App,
  AppExpiry,
  AppPage,
  AppPatch,
  EnvChanged,
  EnvPatch,
  EnvReplacement,
  EnvRevisionPage,
  EnvView,
  Health,
  NewApp,
  NotReady,
  PageQuery,
  Ready,
  TenantCap
} from "./Objects.ts"
import * as Problems from "./Problems.ts"
import { RequestErrors } from "./RequestErrors.ts"
import { RunsGroup } from "./RunsGroup.ts"
import { app, found, location, refusals } from "./shared.ts"

const etag = { etag: Schema.String }
const ifMatch = Schema.String.annotate({ description: "The ETag of the env as it was read" })
const envChange = {
  params: app,
  query: {
    dryRun: Schema.optionalKey(
      Schema.Literals(["true", "false"]).annotate({ description: "`true` answers what would be, and changes nothing" })
    )
  },
  success: HttpApiSchema.WithHeaders(EnvChanged, etag)
}
const envChangeErrors = [
  ...found,
  Problems.AppNotLive,
  Problems.AppDeleting,
  Problems.RevisionMismatch,
  Problems.EnvTooLarge,
  Problems.EnvBusy
] as const
/** Whether the server is there, and whether it takes requests. */
export class SystemGroup extends HttpApiGroup.make("system", { topLevel: true })
  .add(
    HttpApiEndpoint.get("health", "/healthz", { success: Health }).annotate(
      OpenApi.Summary,
      "Is the server up, and what was it built from"
    ),
    HttpApiEndpoint.get("ready", "/readyz", {
      success: Ready,
      error: NotReady.pipe(HttpApiSchema.status(503))
    }).annotate(OpenApi.Summary, "Does the server take requests")
  )
  .annotateMerge(OpenApi.annotations({ title: "System", description: "Health and readiness" })) {}

/** Tenants and what they use. */
export class TenantsGroup extends HttpApiGroup.make("tenants")
  .add(
    HttpApiEndpoint.get("get", "/v1/tenants/:tenant", {
      params: { tenant: Schema.String },
      success: TenantUsage,
      error: found
    }).annotate(OpenApi.Summary, "What a tenant uses"),
    HttpApiEndpoint.put("setCap", "/v1/tenants/:tenant", {
      params: { tenant: Schema.String },
      payload: TenantCap,
      success: TenantUsage,
      error: [...found, Problems.Forbidden, Problems.InvalidJobCap]
    }).annotate(OpenApi.Summary, "Change how much of a tenant may be in progress at once")
  )
  .middleware(RequestErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Tenants", description: "Who owns apps and is capped" })) {}

/** Apps and their Env. */
export class AppsGroup extends HttpApiGroup.make("apps")
  .add(
    HttpApiEndpoint.post("create", "/v1/apps", {
      payload: NewApp,
      success: HttpApiSchema.WithHeaders(App.pipe(HttpApiSchema.status(201)), location),
      error: [...found, Problems.AppNameTaken, Problems.PortsExhausted]
    }).annotate(OpenApi.Summary, "Create an app"),
    HttpApiEndpoint.get("list", "/v1/apps", {
      query: { ...PageQuery, tenant: Schema.optionalKey(Schema.String) },
      success: AppPage,
      error: found
    }).annotate(OpenApi.Summary, "List apps"),
    HttpApiEndpoint.get("get", "/v1/apps/:app", { params: app, success: App, error: found }).annotate(
      OpenApi.Summary,
      "Show an app"
    ),
    HttpApiEndpoint.patch("change", "/v1/apps/:app", {
      params: app,
      payload: AppPatch,
      success: App,
      error: [...found, Problems.AppNotLive]
    }).annotate(OpenApi.Summary, "Change an app"),
    HttpApiEndpoint.delete("delete", "/v1/apps/:app", {
      params: app,
      success: App.pipe(HttpApiSchema.status(202)),
      error: found
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Delete an app",
        description:
          "Its deployments are cancelled and everything that it runs is removed; then it is gone and its name is free. Repeating it changes nothing."
      })
    ),
    HttpApiEndpoint.post("start", "/v1/apps/:app/start", {
      params: app,
      success: App.pipe(HttpApiSchema.status(202)),
      error: [...found, Problems.AppNotStopped, Problems.NoRelease, ...refusals]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Start a stopped app",
        description: "It is live again and its current release is deployed. A live app is answered as it is."
      })
    ),
    HttpApiEndpoint.post("stop", "/v1/apps/:app/stop", {
      params: app,
      success: App.pipe(HttpApiSchema.status(202)),
      error: [...found, Problems.AppNotLive]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Stop an app",
        description:
          "Its deployments are cancelled and what it runs is removed; its releases and its environment variables stay. Repeating it changes nothing."
      })
    ),
    HttpApiEndpoint.put("setExpiry", "/v1/apps/:app/expiry", {
      params: app,
      payload: AppExpiry,
      success: App,
      error: [...found, Problems.AppNotLive]
    }).annotate(OpenApi.Summary, "Say when an app expires"),
    HttpApiEndpoint.get("readEnv", "/v1/apps/:app/env", {
      params: app,
      query: { reveal: Schema.optionalKey(Schema.Literals(["true", "false"])) },
      success: HttpApiSchema.WithHeaders(EnvView, etag),
      error: found
    }).annotate(OpenApi.Summary, "Show an app's environment variables"),
    HttpApiEndpoint.patch("mergeEnv", "/v1/apps/:app/env", {
      ...envChange,
      headers: { "if-match": Schema.optionalKey(ifMatch) },
      payload: EnvPatch,
      error: envChangeErrors
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Set and delete environment variables",
        description:
          "Variables that are not named keep their values, whoever else changes the env meanwhile. `null` and the empty string delete. With `If-Match`, only at that revision."
      })
    ),
    HttpApiEndpoint.put("replaceEnv", "/v1/apps/:app/env", {
      ...envChange,
      headers: { "if-match": Schema.optionalKey(ifMatch) },
      payload: EnvReplacement,
      error: [...envChangeErrors, Problems.IfMatchRequired]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Replace an app's environment variables",
        description:
          "The env holds these variables afterwards and no others. `If-Match` is required and names the revision that is replaced, so that nobody overwrites what they have not seen."
      })
    ),
    HttpApiEndpoint.get("envHistory", "/v1/apps/:app/env/history", {
      params: app,
      query: PageQuery,
      success: EnvRevisionPage,
      error: found
    }).annotate(OpenApi.Summary, "List the changes of an app's environment variables")
  )
  .middleware(RequestErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Apps", description: "Apps and their environment variables" })) {}

/** The whole API. Bodies with fields that are not declared are refused. */
export class Api extends HttpApi.make("lockkeeper")
  .add(SystemGroup)
  .add(TenantsGroup)
  .add(AppsGroup)
  .add(DeploymentsGroup)
  .add(JobsGroup)
  .add(RunsGroup)
  .add(EventsGroup)
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })
  .annotateMerge(
    OpenApi.annotations({
      title: "Lockkeeper",
      version: "1",
      description: "Deploys apps, correctly.",
      transform: (spec) => ({ ...spec, ...completed({ paths: spec["paths"], components: spec["components"] }) })
    })
  ) {}
