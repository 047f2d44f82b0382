// Takes over what an earlier process of this replica left running. A runtime whose Workloads outlive their server goes on
// serving through a restart; only what they say has nobody who reads it until then.
import { Effect } from "effect"
import { ContainerRuntime } from "../port/ContainerRuntime.ts"
import { type Intent, Journal } from "../port/Journal.ts"
import { LogName, LogStore } from "../port/LogStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { Replica } from "./Replica.ts"
import { keepLogs } from "./retire.ts"

/**
 * Goes on storing what the running Workloads of this replica say, from where their logs end, and answers how many there
 * are. To be run once, at the start and before anything else is started. One that cannot be seen now is left out.
 */
export const adopt = Effect.fn("adopt")(function* (): Effect.fn.Return<
  number,
  StoreError,
  ContainerRuntime | Journal | LogStore | Replica
> {
  const journal = yield* Journal
  const { id: replica } = yield* Replica
  const adopted = yield* Effect.forEach(yield* journal.heldBy(replica), adoptOne, { concurrency: 8 })
  return adopted.filter(Boolean).length
})

const adoptOne = Effect.fnUntraced(function* ({ deployment, name, workload }: Intent) {
  if (workload === null) return false
  const runtime = yield* ContainerRuntime
  const logs = yield* LogStore
  const seen = yield* Effect.catch(runtime.inspect(workload), (error) =>
    Effect.as(Effect.logWarning(`${name} could not be seen`, error), { state: "gone" } as const)
  )
  if (seen.state !== "running") return false
  yield* keepLogs(workload, deployment, yield* logs.cursor(LogName.make(`workload/${deployment}`)))
  return true
})
