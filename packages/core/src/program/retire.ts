// Releasing Workloads: stopped, gone, and recorded as released, in that order. What fails here is the Reaper's.
import { Duration, Effect, Stream } from "effect"
import type { DeploymentId } from "../domain/App.ts"
import type { LogCursor, LogEntry } from "../domain/LogLine.ts"
import type { Redactor } from "../domain/Redactor.ts"
import type { Workload, WorkloadId, WorkloadName } from "../domain/Workload.ts"
import type { Claim } from "../port/Claim.ts"
import { ContainerRuntime } from "../port/ContainerRuntime.ts"
import { type Intent, Journal } from "../port/Journal.ts"
import { LogName, LogStore } from "../port/LogStore.ts"
import { Router } from "../port/Router.ts"
import { openLog } from "./DeploymentLog.ts"
import { isSameAddress } from "./traffic.ts"

/** Stops a Workload and records that nothing of it is left. When that fails it stays in the Journal, for the Reaper. */
export const releaseWorkload = Effect.fn("releaseWorkload")(function* (
  name: WorkloadName,
  id: WorkloadId | undefined
): Effect.fn.Return<void, never, ContainerRuntime | Journal> {
  const runtime = yield* ContainerRuntime
  const journal = yield* Journal
  yield* runtime.stop(name, id).pipe(
    Effect.timeout(Duration.minutes(1)),
    Effect.andThen(journal.released(name)),
    Effect.catchCause((cause) => Effect.logWarning(`${name} was not released yet`, cause))
  )
})

/**
 * Releases the Workloads of an App's older Deployments, after the requests that they still answer; the newer ones stay, and
 * so does one to which the traffic goes.
 */
export const retireOlder = Effect.fn("retireOlder")(function* (
  serving: Claim
): Effect.fn.Return<void, never, ContainerRuntime | Journal | LogStore | Router> {
  const { id: app } = serving.app
  const retired = Effect.gen(function* () {
    const journal = yield* Journal
    const router = yield* Router
    const held = yield* journal.held(app)
    const older = held.filter((intent) => intent.fence < serving.fence)
    if (older.length === 0) return
    yield* router.drain(app)
    const address = yield* router.current(app)
    const routed = held.findLast(({ workload }) => isSameAddress(workload?.address, address))
    const idle = older.filter((intent) => intent !== routed)
    yield* Effect.forEach(idle, retire, { concurrency: 4, discard: true })
  })
  yield* Effect.catchCause(retired, (cause) =>
    Effect.logWarning(`the older workloads of ${app} are left to the reaper`, cause)
  )
})

/** Releases a Workload whose time is over; what it said has an end then. */
export const retire = Effect.fnUntraced(function* (
  intent: Intent<DeploymentId>
): Effect.fn.Return<void, never, ContainerRuntime | Journal | LogStore> {
  const logs = yield* LogStore
  yield* releaseWorkload(intent.name, intent.workload?.id)
  yield* Effect.ignore(logs.end(LogName.make(`workload/${intent.work}`)))
})

/**
 * Stores what a Workload says, from its start or from behind `after`, for as long as it runs, in the background. The
 * Redactor knows the Env that it runs with.
 */
export const keepLogs = Effect.fn("keepLogs")(function* (
  workload: Workload,
  deployment: DeploymentId,
  redactor: Redactor,
  after?: LogCursor
): Effect.fn.Return<void, never, ContainerRuntime | LogStore> {
  const runtime = yield* ContainerRuntime
  yield* Effect.gen(function* () {
    const log = yield* openLog(LogName.make(`workload/${deployment}`), redactor)
    yield* sayAll(runtime.logs(workload, after), log.say)
  }).pipe(Effect.scoped, Effect.forkDetach)
})

/** Says every line of a stream; a stream that fails is noted and ends, and changes nothing else. */
export const sayAll = <E>(
  lines: Stream.Stream<LogEntry, E>,
  say: (entry: LogEntry) => Effect.Effect<void>
): Effect.Effect<void> =>
  Stream.runForEach(lines, say).pipe(
    Effect.catch((error) =>
      Effect.andThen(
        Effect.logWarning("what an app says could not be read", error),
        say({ stream: "system", line: `what the app says could not be read: ${String(error)}` })
      )
    )
  )
