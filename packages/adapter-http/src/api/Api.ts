// The HTTP API, as data: routes, what they take and answer. Server, client and OpenAPI document are made from it.
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { TenantUsage } from "@lockkeeper/core/domain/Tenant"
import { completed } from "../internal/openApiExtras.ts"
import { Authorization } from "./Authorization.ts"
import {
  App,
  AppPage,
  AppPatch,
  Deployment,
  DeploymentPage,
  EnvChanged,
  EnvPatch,
  EnvView,
  Health,
  LogItem,
  NewApp,
  NewDeployment,
  NotReady,
  PageQuery,
  Ready
} from "./Objects.ts"
import * as Problems from "./Problems.ts"
import { RequestErrors } from "./RequestErrors.ts"

const app = { app: Schema.String }
const found = [Problems.NotFound, Problems.StoreUnavailable] as const
const location = { location: Schema.String }
const etag = { etag: Schema.String }
const logQuery = {
  after: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
  follow: Schema.optionalKey(Schema.Literals(["true", "false"]))
}
const logHeaders = { accept: Schema.optionalKey(Schema.String), "last-event-id": Schema.optionalKey(Schema.String) }
const logLines = HttpApiSchema.StreamNdjson({ schema: LogItem })

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
    }).annotate(OpenApi.Summary, "What a tenant uses")
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
    HttpApiEndpoint.get("readEnv", "/v1/apps/:app/env", {
      params: app,
      query: { reveal: Schema.optionalKey(Schema.Literals(["true", "false"])) },
      success: HttpApiSchema.WithHeaders(EnvView, etag),
      error: found
    }).annotate(OpenApi.Summary, "Show an app's environment variables"),
    HttpApiEndpoint.patch("mergeEnv", "/v1/apps/:app/env", {
      params: app,
      query: { dryRun: Schema.optionalKey(Schema.Literals(["true", "false"])) },
      headers: { "if-match": Schema.optionalKey(Schema.String) },
      payload: EnvPatch,
      success: HttpApiSchema.WithHeaders(EnvChanged, etag),
      error: [
        ...found,
        Problems.AppNotLive,
        Problems.AppDeleting,
        Problems.RevisionMismatch,
        Problems.EnvTooLarge,
        Problems.EnvBusy
      ]
    }).annotate(OpenApi.Summary, "Set and delete environment variables")
  )
  .middleware(RequestErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Apps", description: "Apps and their environment variables" })) {}

/** Deployments and logs. */
export class DeploymentsGroup extends HttpApiGroup.make("deployments")
  .add(
    HttpApiEndpoint.post("begin", "/v1/apps/:app/deployments", {
      params: app,
      payload: [NewDeployment, Schema.Null],
      success: [HttpApiSchema.WithHeaders(Deployment.pipe(HttpApiSchema.status(202)), location), Deployment],
      error: [
        ...found,
        Problems.AppNotLive,
        Problems.DeploymentInProgress,
        Problems.NoSource,
        Problems.RevisionMismatch,
        Problems.QueueFull
      ]
    }).annotate(OpenApi.Summary, "Deploy an app"),
    HttpApiEndpoint.get("list", "/v1/apps/:app/deployments", {
      params: app,
      query: PageQuery,
      success: DeploymentPage,
      error: found
    }).annotate(OpenApi.Summary, "List an app's deployments"),
    HttpApiEndpoint.get("get", "/v1/deployments/:deployment", {
      params: { deployment: Schema.String },
      success: Deployment,
      error: found
    }).annotate(OpenApi.Summary, "Show a deployment"),
    HttpApiEndpoint.get("logs", "/v1/deployments/:deployment/logs", {
      params: { deployment: Schema.String },
      query: logQuery,
      headers: logHeaders,
      success: logLines,
      error: found
    }).annotate(OpenApi.Summary, "Read or follow a deployment's log"),
    HttpApiEndpoint.get("appLogs", "/v1/apps/:app/logs", {
      params: app,
      query: logQuery,
      headers: logHeaders,
      success: logLines,
      error: found
    }).annotate(OpenApi.Summary, "Read or follow what an app says")
  )
  .middleware(RequestErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Deployments", description: "Deployments and logs" })) {}

/** The whole API. Bodies with fields that are not declared are refused. */
export class Api extends HttpApi.make("lockkeeper")
  .add(SystemGroup)
  .add(TenantsGroup)
  .add(AppsGroup)
  .add(DeploymentsGroup)
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })
  .annotateMerge(
    OpenApi.annotations({
      title: "Lockkeeper",
      version: "1",
      description: "Deploys apps, correctly.",
      transform: (spec) => ({ ...spec, ...completed({ paths: spec["paths"], components: spec["components"] }) })
    })
  ) {}
