// The routes of Runs, as data. A part of the API (Api.ts).
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { RunStatus } from "@lockkeeper/core/domain/Run"
import { Authorization } from "./Authorization.ts"
import { PageQuery } from "./Objects.ts"
import { EngineUnavailable, JobCapReached } from "./Problems.ts"
import { RequestErrors } from "./RequestErrors.ts"
import { NewRun, Run, RunKeep, RunPage } from "./RunObjects.ts"
import * as Problems from "./RunProblems.ts"
import { found, goesOn, location, logHeaders, logLines, logQuery } from "./shared.ts"

const run = { run: Schema.String }

/** Runs and their logs. */
export class RunsGroup extends HttpApiGroup.make("runs")
  .add(
    HttpApiEndpoint.post("begin", "/v1/runs", {
      payload: NewRun,
      success: HttpApiSchema.WithHeaders(Run.pipe(HttpApiSchema.status(202)), location),
      error: [
        ...found,
        Problems.InvalidTopology,
        Problems.MutableImage,
        Problems.PoolExhausted,
        Problems.UnknownTarget,
        Problems.KeepTooLong,
        JobCapReached,
        EngineUnavailable
      ]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Begin a run",
        description:
          "Its nodes are made on a network of its own, its steps are run in them one after the other, and everything is removed again, however it ends. It takes one slot of the tenant."
      })
    ),
    HttpApiEndpoint.get("list", "/v1/runs", {
      query: { ...PageQuery, tenant: Schema.optionalKey(Schema.String), status: Schema.optionalKey(RunStatus) },
      success: RunPage,
      error: found
    }).annotate(OpenApi.Summary, "List runs"),
    HttpApiEndpoint.get("get", "/v1/runs/:run", { params: run, success: Run, error: found }).annotate(
      OpenApi.Summary,
      "Show a run"
    ),
    HttpApiEndpoint.get("logs", "/v1/runs/:run/logs", {
      params: run,
      query: logQuery,
      headers: logHeaders,
      success: logLines,
      error: found
    }).annotateMerge(
      OpenApi.annotations({ summary: "Read or follow what a run and its nodes say", description: goesOn })
    ),
    HttpApiEndpoint.post("cancel", "/v1/runs/:run/cancel", {
      params: run,
      success: Run.pipe(HttpApiSchema.status(202)),
      error: [...found, Problems.RunAlreadyTerminal]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Cancel a run",
        description:
          "It ends `cancelled` as soon as nothing of it is left. One whose steps are over ends as they came out, and is kept no longer. One that has ended `cancelled` is answered as it is."
      })
    ),
    HttpApiEndpoint.put("keep", "/v1/runs/:run/keep", {
      params: run,
      payload: RunKeep,
      success: Run,
      error: [...found, Problems.RunAlreadyTerminal, Problems.KeepTooLong]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Keep a run for somebody to look at",
        description:
          "Its nodes stay after its steps until then. A time that is over keeps it no longer. One that is about to end is refused as if it had ended."
      })
    )
  )
  .middleware(RequestErrors)
  .middleware(Authorization)
  .annotateMerge(
    OpenApi.annotations({ title: "Runs", description: "Environments of several nodes that are always removed again" })
  ) {}
