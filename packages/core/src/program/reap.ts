// Ends what a dead holder began and releases what nobody owns. Any replica may run it, at any time, as often as it likes.
import { Effect } from "effect"
import type { App } from "../domain/App.ts"
import { isJobId } from "../domain/Job.ts"
import type { Fence } from "../domain/Lease.ts"
import type { Claim } from "../port/Claim.ts"
import type { Address, WorkloadName } from "../domain/Workload.ts"
import { ContainerRuntime } from "../port/ContainerRuntime.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { type Intent, Journal } from "../port/Journal.ts"
import { LogName } from "../port/LogStore.ts"
import { Router, type RouterError } from "../port/Router.ts"
import { StoreError } from "../port/StoreError.ts"
import { noRedactor, openLog } from "./DeploymentLog.ts"
import { ended } from "./ended.ts"
import { whileLeased } from "./lease.ts"
import { countReaped } from "./metrics.ts"
import { Replica } from "./Replica.ts"
import { type EndTakenRun, type ReapJobPorts, reapJobs } from "./reapJobs.ts"
import { releaseWorkload } from "./retire.ts"
import { addressOf, isSameAddress, switchBack } from "./traffic.ts"

/** What one pass found and released. */
export interface Reaped {
  readonly deployments: number
  readonly jobs: number
  readonly workloads: number
}

/** How much of each kind one pass takes on. */
export const reapBatch = 20

/** The ports that reaping needs. */
export type ReapPorts = ReapJobPorts | DeploymentStore | Router

/**
 * Claims Deployments whose lease ran out, under a new Fence that stops their old holder, releases what they made and
 * ends them as `failed` with `lease_lost`. Answers how many it claimed. When there are none it is one cheap question.
 */
export const reapAbandoned = Effect.fn("reapAbandoned")(function* (): Effect.fn.Return<number, StoreError, ReapPorts> {
  const store = yield* DeploymentStore
  const { id: replica, terms } = yield* Replica
  const abandoned = yield* store.claimAbandoned({ replica, terms }, reapBatch)
  yield* Effect.forEach(abandoned, endAbandoned, { concurrency: reapBatch, discard: true })
  yield* countReaped("deployment", abandoned.length)
  return abandoned.length
})

/**
 * Ends abandoned Deployments, gives abandoned Jobs back, then releases Workloads whose Deployment neither runs nor serves, and what the runtime has
 * and no intent knows. What fails is left as it is for a later pass, and holds up nothing else.
 */
export const reap = Effect.fn("reap")(function* (
  endRun?: EndTakenRun
): Effect.fn.Return<Reaped, StoreError, ReapPorts> {
  const journal = yield* Journal
  const deployments = yield* reapAbandoned()
  const jobs = yield* reapJobs(endRun)

  const unowned = yield* journal.unowned(reapBatch)
  yield* Effect.forEach(unowned, releaseUnowned, { concurrency: 4, discard: true })

  const strays = yield* strayWorkloads
  yield* Effect.forEach(strays, (name) => releaseWorkload(name, undefined), { concurrency: 4, discard: true })

  const workloads = unowned.length + strays.length
  yield* countReaped("workload", workloads)
  return { deployments, jobs, workloads }
})

/**
 * What exists although nothing says so any more, such as a container whose creation the engine carried out after its
 * caller had given up on it. The runtime is asked first: an intent is older than what it leads to.
 */
const strayWorkloads = Effect.gen(function* () {
  const runtime = yield* ContainerRuntime
  const journal = yield* Journal
  const existing = yield* Effect.catch(runtime.owned, (error) =>
    Effect.as(Effect.logWarning("what runs could not be listed", error), new Array<WorkloadName>())
  )
  return existing.length === 0 ? existing : yield* journal.unknown(existing)
})

const endAbandoned = Effect.fnUntraced(function* (claim: Claim) {
  const { app, deployment } = claim
  const work = Effect.gen(function* () {
    const journal = yield* Journal
    const log = yield* openLog(LogName.make(`deployment/${deployment.id}`), noRedactor)
    const held = yield* journal.held(app.id)
    yield* undoSwitch(claim, held)
    const mine = held.filter((intent) => intent.work === deployment.id)
    yield* Effect.forEach(mine, (intent) => releaseWorkload(intent.name, intent.workload?.id), { discard: true })

    const detail = "the server that deployed it lost its lease"
    yield* log.say({ stream: "system", line: detail })
    yield* log.end
    yield* ended(claim, { status: "failed", error: { code: "lease_lost", detail } })
  })
  yield* Effect.catchCause(whileLeased(claim, Effect.scoped(work)), (cause) =>
    Effect.logWarning(`${deployment.id} was not ended yet`, cause)
  )
})

/**
 * If traffic goes to what an abandoned Deployment started, it goes back to the Release that served before. It is decided anew
 * under the new Fence in any case: a switch that its old holder, frozen until then, still carries out is refused.
 */
const undoSwitch = Effect.fnUntraced(function* (
  { app, deployment, fence }: Claim,
  held: ReadonlyArray<Intent>
): Effect.fn.Return<void, RouterError | StoreError, DeploymentStore | Router> {
  const router = yield* Router
  const address = yield* router.current(app.id)
  if (address === undefined) return yield* Effect.catchTag(leadBack(app, fence, held), "RouterError", unlessTaken)
  if (routedOf(held, address)?.work === deployment.id) return yield* leadBack(app, fence, held)
  yield* switchBack({ app: app.id, hostPort: app.hostPort, fence }, address)
})

/** Where something else listens on an App's port, its traffic goes nowhere, and cannot be led anywhere now. */
const unlessTaken = (error: RouterError) => (error.reason === "port_conflict" ? Effect.void : Effect.fail(error))

/** The newest of some intents to whose Workload an address leads: addresses are used again. */
const routedOf = (held: ReadonlyArray<Intent>, address: Address | undefined) =>
  held.findLast((intent) => isSameAddress(intent.workload?.address, address))

/**
 * Leads the traffic of an App to the Release that serves. Where that is not told of a live App, since its row cannot be
 * read, nothing is switched or released: what serves stays.
 */
const leadBack = Effect.fnUntraced(function* (
  app: App,
  fence: Fence,
  held: ReadonlyArray<Intent>
): Effect.fn.Return<void, RouterError | StoreError, DeploymentStore | Router> {
  const store = yield* DeploymentStore
  const release = (yield* store.serving).find((serving) => serving.app.id === app.id)
  if (release === undefined && app.status === "live" && app.currentRelease !== null) return yield* unreadable(app)
  yield* switchBack({ app: app.id, hostPort: app.hostPort, fence }, addressOf(release, held))
})

const unreadable = ({ currentRelease, id }: App) =>
  Effect.fail(
    new StoreError({
      operation: "DeploymentStore.serving",
      reason: "corrupt",
      cause: new Error(`${currentRelease ?? "the release"} of ${id} is not told of`)
    })
  )

/** Releases what nobody owns, once it is known that no traffic goes there. */
const releaseUnowned = Effect.fnUntraced(function* (intent: Intent) {
  if (isJobId(intent.work)) return yield* releaseWorkload(intent.name, intent.workload?.id)
  const router = yield* Router
  const released = Effect.gen(function* () {
    yield* leadAway(intent)
    yield* Effect.catchCause(router.drain(intent.app), (cause) =>
      Effect.logWarning(`the traffic of ${intent.app} was not drained`, cause)
    )
    yield* releaseWorkload(intent.name, intent.workload?.id)
  })
  return yield* Effect.catchCause(released, (cause) => Effect.logWarning(`${intent.name} was not released yet`, cause))
})

/** Leads traffic away that goes to what nobody owns, such as a switch that came late: to what serves, else to nowhere. */
const leadAway = Effect.fnUntraced(function* ({ app, fence, name }: Intent) {
  const journal = yield* Journal
  const router = yield* Router
  const store = yield* DeploymentStore
  const held = yield* journal.held(app)
  if (routedOf(held, yield* router.current(app))?.name !== name) return
  const serving = (yield* store.serving).find((candidate) => candidate.app.id === app)
  yield* serving === undefined ? router.remove(app, fence) : leadBack(serving.app, serving.routeFence, held)
})
