// The routes of Deployments, Releases and logs, as data. A part of the API (Api.ts).
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Authorization } from "./Authorization.ts"
import {
  Deployment,
  DeploymentPage,
  Explanation,
  NewDeployment,
  PageQuery,
  Redeploy,
  ReleasePage,
  Rollback
} from "./Objects.ts"
import * as Problems from "./Problems.ts"
import { RequestErrors } from "./RequestErrors.ts"
import { app, found, goesOn, location, logHeaders, logLines, logQuery, refusals } from "./shared.ts"

/** Deployments and logs. */
export class DeploymentsGroup extends HttpApiGroup.make("deployments")
  .add(
    HttpApiEndpoint.post("begin", "/v1/apps/:app/deployments", {
      params: app,
      payload: [NewDeployment, Schema.Null],
      success: [HttpApiSchema.WithHeaders(Deployment.pipe(HttpApiSchema.status(202)), location), Deployment],
      error: [...found, Problems.AppNotLive, Problems.NoSource, ...refusals]
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
    HttpApiEndpoint.get("explain", "/v1/deployments/:deployment/explanation", {
      params: { deployment: Schema.String },
      success: Explanation,
      error: found
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Say why a deployment is where it is",
        description:
          "Whether it waits for a slot of its tenant or behind another deployment of its app, is in progress on a server, was asked to stop, or has ended, and since when. `why` tells these apart; `detail` is a sentence for a person."
      })
    ),
    HttpApiEndpoint.post("redeploy", "/v1/apps/:app/redeploy", {
      params: app,
      payload: [Redeploy, Schema.Null],
      success: HttpApiSchema.WithHeaders(Deployment.pipe(HttpApiSchema.status(202)), location),
      error: [...found, Problems.NotRedeployable, Problems.NoRelease, ...refusals]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Deploy an app's current release again",
        description: "The same image with the env as it is now. Nothing is built."
      })
    ),
    HttpApiEndpoint.post("rollback", "/v1/apps/:app/rollback", {
      params: app,
      payload: Rollback,
      success: HttpApiSchema.WithHeaders(Deployment.pipe(HttpApiSchema.status(202)), location),
      error: [...found, Problems.NotRedeployable, Problems.ImageGone, Problems.EngineUnavailable, ...refusals]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Go back to a release",
        description: "Exactly what it ran: its image with its env. Healthy, it makes a new release."
      })
    ),
    HttpApiEndpoint.get("releases", "/v1/apps/:app/releases", {
      params: app,
      query: PageQuery,
      success: ReleasePage,
      error: found
    }).annotate(OpenApi.Summary, "List an app's releases"),
    HttpApiEndpoint.post("cancel", "/v1/deployments/:deployment/cancel", {
      params: { deployment: Schema.String },
      success: [Deployment, Deployment.pipe(HttpApiSchema.status(202))],
      error: [...found, Problems.AlreadyTerminal]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Cancel a deployment",
        description:
          "200 once it has ended `cancelled` and everything that it made is released; 202 when that takes longer than five seconds: `cancelling` is true until then."
      })
    ),
    HttpApiEndpoint.get("logs", "/v1/deployments/:deployment/logs", {
      params: { deployment: Schema.String },
      query: logQuery,
      headers: logHeaders,
      success: logLines,
      error: found
    }).annotateMerge(OpenApi.annotations({ summary: "Read or follow a deployment's log", description: goesOn })),
    HttpApiEndpoint.get("appLogs", "/v1/apps/:app/logs", {
      params: app,
      query: logQuery,
      headers: logHeaders,
      success: logLines,
      error: found
    }).annotateMerge(OpenApi.annotations({ summary: "Read or follow what an app says", description: goesOn }))
  )
  .middleware(RequestErrors)
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Deployments", description: "Deployments and logs" })) {}
