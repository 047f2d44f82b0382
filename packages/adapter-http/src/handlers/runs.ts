// Runs and their logs.
import { Effect, Option, Schema } from "effect"
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api"
import { isOver, RunId } from "@lockkeeper/core/domain/Run"
import { LogName, type LogStore } from "@lockkeeper/core/port/LogStore"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import { beginRun, type BeginRunPorts } from "@lockkeeper/core/program/beginRun"
import { cancelRun } from "@lockkeeper/core/program/cancelRun"
import { Dispatcher } from "@lockkeeper/core/program/Dispatcher"
import { keepRun } from "@lockkeeper/core/program/keepRun"
import { Api } from "../api/Api.ts"
import { from } from "../internal/logStream.ts"
import { pageOf } from "../internal/pages.ts"
import type { Stopping } from "../internal/Stopping.ts"
import { readyToBegin } from "./beginning.ts"
import { logOf } from "./logs.ts"
import { listedTenant, maySee, notFound, unavailable } from "./outcomes.ts"
import { keepTooLong, noProvider, refusedRun, runOver, tooSlow } from "./runOutcomes.ts"

/** Handles the Run routes. */
export const runsHandlers = HttpApiBuilder.group(
  Api,
  "runs",
  Effect.fnUntraced(function* (handlers) {
    const ports = yield* Effect.context<BeginRunPorts | Dispatcher | LogStore | Stopping>()
    const store = yield* RunStore
    const dispatcher = yield* Dispatcher

    const visible = Effect.fnUntraced(function* (id: string) {
      const run = yield* Option.match(Schema.decodeOption(RunId)(id), {
        onNone: () => Effect.fail(notFound()),
        onSome: (known) =>
          store
            .get(known)
            .pipe(Effect.catchTags({ RunNotFound: () => Effect.fail(notFound()), StoreError: unavailable }))
      })
      yield* maySee(run.tenant)
      return run
    })

    return handlers.handleAll({
      begin: Effect.fnUntraced(function* ({ payload }) {
        yield* maySee(payload.tenant)
        yield* readyToBegin(dispatcher)
        const { keepUntil, name, nodes, steps, target, tenant, thresholds = [] } = payload
        const topology = { nodes, steps, thresholds }
        const run = yield* beginRun({ tenant, name, target, topology, keepUntil }).pipe(
          Effect.flatMap((hand) => Effect.as(dispatcher.takeRun(hand), hand.run.run)),
          Effect.uninterruptible,
          Effect.catchTags({
            RunRefused: refusedRun,
            LeaseLost: () => Effect.fail(tooSlow()),
            ProviderError: noProvider,
            StoreError: unavailable
          })
        )
        return HttpApiSchema.withHeaders({ body: run, headers: { location: `/v1/runs/${run.id}` } })
      }, Effect.provideContext(ports)),

      list: Effect.fnUntraced(function* ({ query }) {
        const tenant = yield* listedTenant(query.tenant)
        return yield* Effect.catchTags(store.list({ tenant, status: query.status }, pageOf(query)), {
          StoreError: unavailable
        })
      }),

      get: ({ params }) => visible(params.run),

      logs: Effect.fnUntraced(function* ({ params, query, headers }) {
        const { id } = yield* visible(params.run)
        const standing = Effect.map(store.get(id), ({ status }) => ({ status, isTerminal: isOver(status) }))
        return yield* logOf({ log: LogName.make(`run/${id}`), standing, ...from(query, headers) }, headers.accept)
      }, Effect.provideContext(ports)),

      cancel: Effect.fnUntraced(function* ({ params }) {
        const { id } = yield* visible(params.run)
        return yield* Effect.catchTags(cancelRun(id), {
          RunNotFound: () => Effect.fail(notFound()),
          RunEnded: runOver,
          StoreError: unavailable
        })
      }, Effect.provideContext(ports)),

      keep: Effect.fnUntraced(function* ({ params, payload }) {
        const { id } = yield* visible(params.run)
        return yield* Effect.catchTags(keepRun(id, payload.until), {
          RunNotFound: () => Effect.fail(notFound()),
          RunEnded: runOver,
          KeepTooLong: () => Effect.fail(keepTooLong()),
          StoreError: unavailable
        })
      }, Effect.provideContext(ports))
    })
  })
)
