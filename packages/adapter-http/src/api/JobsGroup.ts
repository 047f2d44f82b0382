// The routes of Jobs, as data. A part of the API (Api.ts).
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { JobStatus } from "@lockkeeper/core/domain/Job"
import { Authorization } from "./Authorization.ts"
import { ItemPage, Job, JobPage, NewJob, PageQuery } from "./Objects.ts"
import * as Problems from "./Problems.ts"
import { RequestErrors } from "./RequestErrors.ts"
import { app, found, goesOn, location, logHeaders, logLines, logQuery } from "./shared.ts"

const job = { job: Schema.String }

const refusals = [Problems.AppNotLive, Problems.NoRelease, Problems.JobCapReached, Problems.QueueFull] as const

/** Jobs, their Items and logs. */
export class JobsGroup extends HttpApiGroup.make("jobs")
  .add(
    HttpApiEndpoint.post("begin", "/v1/apps/:app/jobs", {
      params: app,
      payload: NewJob,
      success: HttpApiSchema.WithHeaders(Job.pipe(HttpApiSchema.status(201)), location),
      error: [...found, ...refusals]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Run a command in an app's current release",
        description:
          "With the env that the release serves with; with `items` once for each of them, and how each ended is kept. It takes one slot of the tenant. When its server dies the command may run again: what it does should be safe to repeat."
      })
    ),
    HttpApiEndpoint.get("list", "/v1/jobs", {
      query: { ...PageQuery, app: Schema.optionalKey(Schema.String), status: Schema.optionalKey(JobStatus) },
      success: JobPage,
      error: found
    }).annotate(OpenApi.Summary, "List jobs"),
    HttpApiEndpoint.get("get", "/v1/jobs/:job", { params: job, success: Job, error: found }).annotate(
      OpenApi.Summary,
      "Show a job"
    ),
    HttpApiEndpoint.get("items", "/v1/jobs/:job/items", {
      params: job,
      query: PageQuery,
      success: ItemPage,
      error: found
    }).annotate(OpenApi.Summary, "List the items of a job in their order"),
    HttpApiEndpoint.get("logs", "/v1/jobs/:job/logs", {
      params: job,
      query: logQuery,
      headers: logHeaders,
      success: logLines,
      error: found
    }).annotateMerge(OpenApi.annotations({ summary: "Read or follow what a job says", description: goesOn })),
    HttpApiEndpoint.post("cancel", "/v1/jobs/:job/cancel", {
      params: job,
      success: Job.pipe(HttpApiSchema.status(202)),
      error: [...found, Problems.JobAlreadyTerminal]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Cancel a job",
        description:
          "It ends `cancelled`: at once while it waits, else as soon as nothing of it is left. Repeating it changes nothing."
      })
    ),
    HttpApiEndpoint.post("rerun", "/v1/jobs/:job/rerun", {
      params: job,
      success: Job.pipe(HttpApiSchema.status(202)),
      error: [...found, ...refusals, Problems.AlreadyRunning, Problems.NothingToDo]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Run a job again that failed or was cancelled",
        description: "One attempt more, in the app's release as it is now. Items that are done stay done."
      })
    )
  )
  .middleware(RequestErrors)
  .middleware(Authorization)
  .annotateMerge(
    OpenApi.annotations({ title: "Jobs", description: "Commands in an app's release, within its tenant's cap" })
  ) {}
