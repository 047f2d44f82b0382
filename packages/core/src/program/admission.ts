// Waiting for a Slot: a Deployment is carried out when its Tenant has one free and nobody before it waits.
import { Effect } from "effect"
import type { DeploymentId } from "../domain/App.ts"
import { type Deployment, isTerminal } from "../domain/Deployment.ts"
import type { Claim } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { Hints } from "../port/Hints.ts"
import type { StoreError } from "../port/StoreError.ts"
import { Replica } from "./Replica.ts"
import { untilSeen } from "./untilSeen.ts"

/** Makes an effect interruptible again inside an uninterruptible region. */
export interface Restore {
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
}

/**
 * Waits until a queued Deployment is admitted, and takes it; or until it has ended, when somebody else took or withdrew
 * it. Interrupted or failed while it is queued, it is `cancelled`. Only the waiting can be interrupted, so that no Claim is
 * lost between the store and the caller.
 */
export const admission = Effect.fn("admission")(function* (
  deployment: DeploymentId,
  restore: Restore
): Effect.fn.Return<Claim | Deployment, StoreError, DeploymentStore | Hints | Replica> {
  const store = yield* DeploymentStore
  const { id: replica, terms } = yield* Replica
  const look = Effect.gen(function* () {
    const claim = yield* store.admit({ replica, terms, deployment })
    if (claim !== undefined) return claim
    const present = yield* Effect.catchTag(store.get(deployment), "DeploymentNotFound", Effect.die)
    return isTerminal(present.status) ? present : undefined
  })
  const admitted = untilSeen<Claim | Deployment, StoreError, never>(look, { topic: "deployments", restore })
  return yield* Effect.onError(admitted, () => Effect.ignore(store.withdraw(deployment)))
})
