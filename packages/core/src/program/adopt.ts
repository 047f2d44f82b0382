// Takes over what an earlier process of this replica left running. A runtime whose Workloads outlive their server goes on
// serving through a restart; only what they say has nobody who reads it until then.
import { Effect } from "effect"
import type { AppId, DeploymentId } from "../domain/App.ts"
import { makeRedactor, secretsOf } from "../domain/Redactor.ts"
import { ContainerRuntime } from "../port/ContainerRuntime.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { EnvStore } from "../port/EnvStore.ts"
import { type Intent, Journal } from "../port/Journal.ts"
import { LogName, LogStore } from "../port/LogStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { Replica } from "./Replica.ts"
import { keepLogs } from "./retire.ts"

/**
 * Goes on storing what the running Workloads of this replica say, from where their logs end, and answers how many there
 * are. To be run once, at the start and before anything else is started. One that cannot be seen now is left out, and so is
 * one whose Env is gone: it would not be known what it must not say.
 */
export const adopt = Effect.fn("adopt")(function* (): Effect.fn.Return<
  number,
  StoreError,
  ContainerRuntime | DeploymentStore | EnvStore | Journal | LogStore | Replica
> {
  const journal = yield* Journal
  const { id: replica } = yield* Replica
  const found = yield* Effect.forEach(yield* journal.heldBy(replica), runningOf, { concurrency: 8 })
  const running = found.filter((one) => one !== undefined)
  yield* Effect.forEach(running, ({ after, deployment, redactor, workload }) =>
    keepLogs(workload, deployment, redactor, after)
  )
  return running.length
})

/** One that runs, with what it must not say and how far it was stored what it says. */
const runningOf = Effect.fnUntraced(function* ({ app, name, work: deployment, workload }: Intent<DeploymentId>) {
  if (workload === null) return undefined
  const runtime = yield* ContainerRuntime
  const logs = yield* LogStore
  const seen = yield* Effect.catch(runtime.inspect(workload), (error) =>
    Effect.as(Effect.logWarning(`${name} could not be seen`, error), { state: "gone" } as const)
  )
  if (seen.state !== "running") return undefined
  const redactor = yield* redactorOf(app, deployment).pipe(
    Effect.catchTags({
      AppGone: () => Effect.succeed(undefined),
      DeploymentNotFound: () => Effect.succeed(undefined)
    })
  )
  if (redactor === undefined) return undefined
  return { workload, deployment, redactor, after: yield* logs.cursor(LogName.make(`workload/${deployment}`)) }
})

const redactorOf = Effect.fnUntraced(function* (app: AppId, deployment: DeploymentId) {
  const { envRevision } = yield* (yield* DeploymentStore).get(deployment)
  return makeRedactor(secretsOf(yield* (yield* EnvStore).readAt(app, envRevision)))
})
