// Starts again what should be serving and is not: after a restart of the server, or when an app has ended by itself.
// It acts only on Workloads that this replica started.
import { Clock, Duration, Effect } from "effect"
import type { AppId } from "../domain/App.ts"
import { makeRedactor, secretsOf } from "../domain/Redactor.ts"
import { WorkloadName } from "../domain/Workload.ts"
import type { LeaseLost, Serving } from "../port/Claim.ts"
import { ContainerRuntime } from "../port/ContainerRuntime.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { EnvStore } from "../port/EnvStore.ts"
import type { HealthProbe } from "../port/HealthProbe.ts"
import { type Intent, Journal } from "../port/Journal.ts"
import { LogName, LogStore } from "../port/LogStore.ts"
import { Router } from "../port/Router.ts"
import type { StoreError } from "../port/StoreError.ts"
import { awaitHealthy, type StepError, within } from "./deploySteps.ts"
import { countRestart } from "./metrics.ts"
import { Replica } from "./Replica.ts"
import { keepLogs, releaseWorkload } from "./retire.ts"
import { isSameAddress } from "./traffic.ts"

/** The ports that starting an App again needs. */
export type ReconcilePorts =
  ContainerRuntime | DeploymentStore | EnvStore | HealthProbe | Journal | LogStore | Replica | Router

/** After so long without trouble an App's tries begin anew. */
const settledAfter = Duration.toMillis(Duration.minutes(1))

const delayMillis = (tries: number): number => Math.min(60_000, 250 * 2 ** Math.min(tries, 10))

/** How often an App was started again in a row, and when the last try ended. */
interface Tries {
  readonly count: number
  readonly endedAt: number
}

/**
 * Makes a pass that starts again every current Release of this replica whose Workload does not run, and answers how many
 * it started. An App that keeps ending is tried again after half a second, then twice as long each time, up to a minute.
 * Passes may overlap: one that waits for an App does not hold up the others, and no App is started twice at a time.
 */
export const makeReconcile = Effect.sync(() => {
  const tries = new Map<AppId, Tries>()
  const busy = new Set<AppId>()

  const pass = Effect.fn("reconcile")(function* (): Effect.fn.Return<number, StoreError, ReconcilePorts> {
    const store = yield* DeploymentStore
    const journal = yield* Journal
    const { id: replica } = yield* Replica
    const mine = Map.groupBy(yield* journal.heldBy(replica), ({ work }) => work)
    const started = yield* Effect.forEach(
      yield* store.serving,
      (serving) => restartOnce(serving, mine.get(serving.deployment) ?? []),
      { concurrency: "unbounded" }
    )
    return started.filter(Boolean).length
  })

  const restartOnce = Effect.fnUntraced(function* (serving: Serving, intents: ReadonlyArray<Intent>) {
    const { id: app } = serving.app
    if (intents.length === 0 || busy.has(app)) return false
    busy.add(app)
    return yield* restartIfDown(serving, intents).pipe(
      Effect.catchCause((cause) => Effect.as(Effect.logWarning(`${app} could not be started again`, cause), false)),
      Effect.ensuring(Effect.sync(() => busy.delete(app)))
    )
  })

  const restartIfDown = Effect.fnUntraced(function* (serving: Serving, known: ReadonlyArray<Intent>) {
    if ((yield* deadOf(known)).length === 0) return false
    const { id: app } = serving.app
    const intents = yield* intentsOf(serving)
    const dead = yield* deadOf(intents)
    if (dead.length < intents.length && !(yield* isMisled(app, intents, dead))) {
      yield* releaseAll(dead)
      return false
    }
    const { count, endedAt } = tries.get(app) ?? { count: 0, endedAt: 0 }
    const sinceMillis = (yield* Clock.currentTimeMillis) - endedAt
    if (count > 0 && sinceMillis < delayMillis(count)) return false
    const isSettled = sinceMillis > settledAfter + delayMillis(count)
    const remember = Effect.map(Clock.currentTimeMillis, (now) => {
      tries.set(app, { count: isSettled ? 1 : count + 1, endedAt: now })
    })
    return yield* startAgain(serving, intents).pipe(
      Effect.andThen(countRestart),
      Effect.as(true),
      Effect.ensuring(remember)
    )
  })

  return pass
})

/** What this replica holds of a Deployment now: another pass may have started it again since this one began. */
const intentsOf = Effect.fnUntraced(function* ({ app, deployment }: Serving) {
  const journal = yield* Journal
  const { id: replica } = yield* Replica
  const held = yield* journal.held(app.id)
  return held.filter((intent) => intent.work === deployment && intent.replica === replica)
})

/** Those of which no Workload runs; one that cannot be seen now is taken to run. */
const deadOf = Effect.fnUntraced(function* (intents: ReadonlyArray<Intent>) {
  const runtime = yield* ContainerRuntime
  const runs = ({ workload }: Intent) =>
    workload === null
      ? Effect.succeed(false)
      : Effect.match(runtime.inspect(workload), {
          onFailure: () => true,
          onSuccess: ({ state }) => state === "running"
        })
  return yield* Effect.filter(intents, (intent) => Effect.map(runs(intent), (is) => !is))
})

/** Whether an App's traffic goes to a dead one of its Workloads, so that the living one serves nobody. */
const isMisled = Effect.fnUntraced(function* (app: AppId, intents: ReadonlyArray<Intent>, dead: ReadonlyArray<Intent>) {
  const router = yield* Router
  const address = yield* Effect.orElseSucceed(router.current(app), () => undefined)
  const routed = intents.filter(({ workload }) => isSameAddress(workload?.address, address))
  return routed.length > 0 && routed.every((intent) => dead.includes(intent))
})

const releaseAll = (intents: ReadonlyArray<Intent>) =>
  Effect.forEach(intents, (intent) => releaseWorkload(intent.name, intent.workload?.id), { discard: true })

const startAgain = Effect.fn("startAgain")(function* (
  serving: Serving,
  replaced: ReadonlyArray<Intent>
): Effect.fn.Return<void, StepError | LeaseLost, ReconcilePorts> {
  const { app, deployment, fence, release, routeFence } = serving
  const journal = yield* Journal
  const runtime = yield* ContainerRuntime
  const router = yield* Router
  const logs = yield* LogStore
  const { id: replica } = yield* Replica
  const env = yield* (yield* EnvStore).readAt(app.id, release.envRevision)
  const attempt = Math.floor(yield* Clock.currentTimeMillis).toString(36)
  const name = WorkloadName.make(`${deployment}-${fence}-${attempt}`)
  const log = LogName.make(`workload/${deployment}`)

  const start = Effect.gen(function* () {
    yield* journal.intend({ name, app: app.id, work: deployment, fence, replica })
    const { id, port, tenant } = app
    const workload = yield* within(
      "start",
      runtime.start({ name, tenant, app: id, work: deployment, fence, image: release.image, env, port })
    )
    yield* journal.confirm(workload)
    yield* keepLogs(workload, deployment, makeRedactor(secretsOf(env)))
    yield* awaitHealthy(workload, app.healthCheck, { say: () => Effect.void })
    yield* router.swap({ app: app.id, hostPort: app.hostPort, fence: routeFence, address: workload.address })
  })

  yield* Effect.ignore(logs.append(log, [{ stream: "system", line: "the app does not run; starting it again" }]))
  yield* Effect.onError(start, () => releaseWorkload(name, undefined))
  yield* releaseAll(replaced)
})
