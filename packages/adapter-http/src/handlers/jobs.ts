// Jobs, their Items and logs.
import { Effect, Option, Schema } from "effect"
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api"
import { AppId } from "@lockkeeper/core/domain/App"
import { commandTimeout, hasEnded, JobId } from "@lockkeeper/core/domain/Job"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import type { AppStore } from "@lockkeeper/core/port/AppStore"
import { CheckpointStore } from "@lockkeeper/core/port/CheckpointStore"
import type { Begun } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { LogName, type LogStore } from "@lockkeeper/core/port/LogStore"
import { beginJob, rerunJob } from "@lockkeeper/core/program/beginJob"
import { Dispatcher } from "@lockkeeper/core/program/Dispatcher"
import type { Replica } from "@lockkeeper/core/program/Replica"
import { Api } from "../api/Api.ts"
import { Caller } from "../api/Authorization.ts"
import * as Problems from "../api/Problems.ts"
import { from } from "../internal/logStream.ts"
import { pageOf } from "../internal/pages.ts"
import type { Stopping } from "../internal/Stopping.ts"
import { readyToBegin } from "./beginning.ts"
import { refusedJob, refusedRerun } from "./jobOutcomes.ts"
import { logOf } from "./logs.ts"
import { maySee, notFound, unavailable, visibleApp } from "./outcomes.ts"

/** Handles the Job routes. */
export const jobsHandlers = HttpApiBuilder.group(
  Api,
  "jobs",
  Effect.fnUntraced(function* (handlers) {
    const ports = yield* Effect.context<AppStore | Dispatcher | JobStore | LogStore | Replica | Stopping>()
    const store = yield* JobStore
    const checkpoints = yield* CheckpointStore
    const dispatcher = yield* Dispatcher

    const visible = Effect.fnUntraced(function* (id: string) {
      const job = yield* Option.match(Schema.decodeOption(JobId)(id), {
        onNone: () => Effect.fail(notFound()),
        onSome: (known) =>
          store
            .get(known)
            .pipe(Effect.catchTags({ JobNotFound: () => Effect.fail(notFound()), StoreError: unavailable }))
      })
      yield* maySee(job.tenant)
      return job
    })

    /** Whoever has asked for a Job that runs at once does not carry it out itself. */
    const taken = ({ claim, job }: Begun) => Effect.as(claim === undefined ? Effect.void : dispatcher.take(claim), job)

    return handlers.handleAll({
      begin: Effect.fnUntraced(function* ({ params, payload }) {
        const { id: app } = yield* visibleApp(params.app)
        yield* readyToBegin(dispatcher)
        const { command, items, itemConcurrency = 1, onFull = "reject", onItemFailure = "continue" } = payload
        const { timeoutSeconds = commandTimeout.default, ttlSeconds } = payload
        const task = { command, timeoutSeconds, itemConcurrency, onItemFailure }
        const begun = yield* Effect.uninterruptible(
          Effect.flatMap(beginJob({ of: { app }, task, items, onFull, ttlSeconds }), taken)
        ).pipe(Effect.catchTags({ JobRefused: refusedJob, StoreError: unavailable }))
        return HttpApiSchema.withHeaders({ body: begun, headers: { location: `/v1/jobs/${begun.id}` } })
      }, Effect.provideContext(ports)),

      list: Effect.fnUntraced(function* ({ query }) {
        const caller = yield* Caller
        const app = query.app === undefined ? undefined : Option.getOrUndefined(Schema.decodeOption(AppId)(query.app))
        if (query.app !== undefined && app === undefined) return { items: [], nextCursor: null }
        const tenant = caller.tenant === "*" ? undefined : TenantName.make(caller.tenant)
        const filter = { app, tenant, status: query.status }
        return yield* Effect.catchTags(store.list(filter, pageOf(query)), { StoreError: unavailable })
      }),

      get: ({ params }) => visible(params.job),

      items: Effect.fnUntraced(function* ({ params, query }) {
        const { id } = yield* visible(params.job)
        return yield* Effect.catchTags(checkpoints.items(id, pageOf(query)), { StoreError: unavailable })
      }),

      logs: Effect.fnUntraced(function* ({ params, query, headers }) {
        const { id } = yield* visible(params.job)
        const standing = Effect.map(store.get(id), ({ status }) => ({ status, isTerminal: hasEnded(status) }))
        return yield* logOf({ log: LogName.make(`job/${id}`), standing, ...from(query, headers) }, headers.accept)
      }, Effect.provideContext(ports)),

      cancel: Effect.fnUntraced(function* ({ params }) {
        const { id } = yield* visible(params.job)
        const job = yield* store
          .requestCancel(id)
          .pipe(Effect.catchTags({ JobNotFound: () => Effect.fail(notFound()), StoreError: unavailable }))
        if (job.status !== "succeeded" && job.status !== "failed") return job
        return yield* new Problems.JobAlreadyTerminal({ detail: `it has ${job.status}`, jobStatus: job.status })
      }),

      rerun: Effect.fnUntraced(function* ({ params }) {
        const { id } = yield* visible(params.job)
        yield* readyToBegin(dispatcher)
        return yield* Effect.uninterruptible(Effect.flatMap(rerunJob(id), taken)).pipe(
          Effect.catchTags({
            JobNotFound: () => Effect.fail(notFound()),
            JobRefused: refusedRerun,
            StoreError: unavailable
          })
        )
      }, Effect.provideContext(ports))
    })
  })
)
