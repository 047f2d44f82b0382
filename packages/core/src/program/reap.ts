// Ends what a dead holder began and releases what nobody owns. Any replica may run it, at any time, as often as it likes.
import { Duration, Effect } from "effect"
import type { Address } from "../domain/Workload.ts"
import type { Claim } from "../port/Claim.ts"
import type { ContainerRuntime } from "../port/ContainerRuntime.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { type Intent, Journal } from "../port/Journal.ts"
import { LogName, LogStore } from "../port/LogStore.ts"
import { Router } from "../port/Router.ts"
import type { StoreError } from "../port/StoreError.ts"
import { ended } from "./ended.ts"
import { Replica } from "./Replica.ts"
import { releaseWorkload } from "./retire.ts"
import { switchBack } from "./traffic.ts"

/** What one pass found and released. */
export interface Reaped {
  readonly deployments: number
  readonly workloads: number
}

/** How much one pass takes on. */
const batch = 20

/**
 * Claims Deployments whose lease ran out, under a new Fence that stops their old holder, releases what they made and
 * ends them as `failed` with `lease_lost`. Then releases Workloads whose Deployment neither runs nor serves.
 */
export const reap = Effect.fn("reap")(function* (): Effect.fn.Return<
  Reaped,
  StoreError,
  ContainerRuntime | DeploymentStore | Journal | LogStore | Replica | Router
> {
  const store = yield* DeploymentStore
  const journal = yield* Journal
  const router = yield* Router
  const { id: replica, terms } = yield* Replica

  const abandoned = yield* store.claimAbandoned({ replica, terms }, batch)
  yield* Effect.forEach(abandoned, endAbandoned, { concurrency: 4, discard: true })

  const unowned = yield* journal.unowned(batch)
  yield* Effect.forEach(
    unowned,
    (intent) => Effect.andThen(router.drain(intent.app), releaseWorkload(intent.name, intent.workload?.id)),
    { concurrency: 4, discard: true }
  )
  return { deployments: abandoned.length, workloads: unowned.length }
})

const endAbandoned = Effect.fnUntraced(function* (claim: Claim) {
  const journal = yield* Journal
  const logs = yield* LogStore
  const { app, deployment } = claim
  const log = LogName.make(`deployment/${deployment.id}`)

  const held = yield* journal.held(app.id)
  const mine = held.filter((intent) => intent.deployment === deployment.id)
  const others = held.filter((intent) => intent.deployment !== deployment.id)
  yield* undoSwitch(claim, mine, others)
  yield* Effect.forEach(mine, (intent) => releaseWorkload(intent.name, intent.workload?.id), { discard: true })

  const detail = "the server that deployed it lost its lease"
  yield* Effect.ignore(logs.append(log, [{ stream: "system", line: detail }]).pipe(Effect.andThen(logs.end(log))))
  yield* ended(claim, { status: "failed", error: { code: "lease_lost", detail } }).pipe(
    Effect.timeout(Duration.minutes(1)),
    Effect.catch((error) => Effect.logWarning(`${deployment.id} was not ended yet`, error))
  )
})

/** If traffic goes to what an abandoned Deployment started, it goes back to the Workload that served before. */
const undoSwitch = Effect.fnUntraced(function* (
  claim: Claim,
  mine: ReadonlyArray<Intent>,
  others: ReadonlyArray<Intent>
) {
  const router = yield* Router
  const address = yield* Effect.catch(router.current(claim.app.id), () => Effect.succeed(undefined))
  const isMine = mine.some(({ workload }) => address !== undefined && sameAddress(workload?.address, address))
  if (!isMine) return
  const before = others.findLast((intent) => intent.workload !== null)?.workload?.address
  yield* switchBack({ app: claim.app.id, hostPort: claim.app.hostPort, fence: claim.fence }, before)
})

const sameAddress = (a: Address | undefined, b: Address): boolean => a?.host === b.host && a.port === b.port
