// Makes a version of an App serve, in nine steps, and leaves nothing behind however it ends.
// The steps themselves are in deploySteps.ts; what becomes of a Deployment that did not get there is in conclude.ts.
import { Effect, Ref, type Scope } from "effect"
import type { Deployment } from "../domain/Deployment.ts"
import type { Claim, LeaseLost } from "../port/Claim.ts"
import type { ContainerRuntime } from "../port/ContainerRuntime.ts"
import type { DeploymentRefused, DeploymentRequest } from "../port/DeploymentRequest.ts"
import type { DeploymentStore } from "../port/DeploymentStore.ts"
import type { EnvStore } from "../port/EnvStore.ts"
import type { HealthProbe } from "../port/HealthProbe.ts"
import type { Hints } from "../port/Hints.ts"
import type { Journal } from "../port/Journal.ts"
import { LogName, type LogStore } from "../port/LogStore.ts"
import type { Router } from "../port/Router.ts"
import type { SourceFetcher } from "../port/SourceFetcher.ts"
import type { StoreError } from "../port/StoreError.ts"
import { admission, type Restore } from "./admission.ts"
import { begin } from "./begin.ts"
import { conclude } from "./conclude.ts"
import { type LogWriter, noRedactor, openLog } from "./DeploymentLog.ts"
import { activate, awaitHealthy, imageOf, readEnv, startWorkload, type StepError } from "./deploySteps.ts"
import { holdLease } from "./lease.ts"
import { overdue } from "./overdue.ts"
import { preDeploy } from "./preDeploy.ts"
import type { Replica } from "./Replica.ts"
import { retireOlder } from "./retire.ts"
import { stopped } from "./stop.ts"

/** The ports that carrying out a Deployment needs. */
export type DeployPorts =
  | DeploymentStore
  | EnvStore
  | Hints
  | Journal
  | LogStore
  | SourceFetcher
  | ContainerRuntime
  | HealthProbe
  | Router
  | Replica

/**
 * Deploys an App and answers how that ended: `healthy`, or `failed` with the reason, the previous version still serving.
 * A delivery id seen before answers the Deployment that it made, as it stands. When a Dispatcher carries the Deployment
 * out first, this waits for its end, and so it does for a Slot and for another Deployment of the App. Asked to stop, it
 * ends `cancelled` or `superseded`; over its `Deadlines`, `failed` with `deadline_exceeded`. Interrupted, the Deployment is `cancelled` and everything it made is released first.
 */
export const deploy = Effect.fn("deploy")(function* (
  request: DeploymentRequest
): Effect.fn.Return<Deployment, DeploymentRefused | StoreError, DeployPorts> {
  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { deployment, created } = yield* begin(request)
      if (!created) return deployment

      const admitted = yield* admission(deployment.id, restore)
      return "fence" in admitted ? yield* carriedOut(admitted, restore) : admitted
    })
  )
})

/** Carries out an admitted Deployment to its end, under its lease and Fence. */
export const carryOut = Effect.fn("carryOut")(function* (
  claim: Claim
): Effect.fn.Return<Deployment, StoreError, DeployPorts> {
  yield* Effect.annotateCurrentSpan({ deployment: claim.deployment.id, app: claim.app.id })
  return yield* Effect.uninterruptibleMask((restore) => carriedOut(claim, restore))
})

/** Holds the lease until the end is written; only what `restore` is applied to can be interrupted. */
const carriedOut = Effect.fnUntraced(function* (
  claim: Claim,
  restore: Restore
): Effect.fn.Return<Deployment, StoreError, DeployPorts> {
  const ended = Effect.gen(function* () {
    const committed = yield* Ref.make(false)
    const log = yield* openLog(LogName.make(`deployment/${claim.deployment.id}`), noRedactor)
    const lost = yield* holdLease(claim)
    const { heard, overdue: late } = yield* overdue(claim, log)
    const work = Effect.scoped(serve(claim, committed, heard))
    const cut = Effect.raceFirst(lost, Effect.raceFirst(stopped(claim), late))
    const exit = yield* Effect.exit(restore(Effect.raceFirst(work, cut)))
    return yield* conclude(claim, exit, committed, log)
  })
  const deployment = yield* Effect.scoped(ended)

  if (deployment.status === "healthy") yield* restore(retireOlder(claim))
  return deployment
})

const serve = Effect.fnUntraced(function* (
  claim: Claim,
  committed: Ref.Ref<boolean>,
  log: LogWriter
): Effect.fn.Return<Deployment, StepError | LeaseLost, DeployPorts | Scope.Scope> {
  const env = yield* readEnv(claim, log)
  const image = yield* imageOf(claim, log)

  yield* preDeploy(claim, image, env, log)

  const workload = yield* startWorkload(claim, image, env, committed, log)
  yield* awaitHealthy(workload, claim.app.healthCheck, log)

  return yield* activate(claim, workload, committed, log)
})
