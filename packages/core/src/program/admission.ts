// Waiting for a Slot: a Deployment is carried out when its Tenant has one free and nobody before it waits.
import { Effect } from "effect"
import type { DeploymentId } from "../domain/App.ts"
import type { Claim } from "../port/Claim.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { backoff } from "./backoff.ts"
import { Replica } from "./Replica.ts"

const ask = backoff("20 millis", "2 seconds")

/** Waits until a queued Deployment is admitted, and takes it. Interrupted before, the Deployment is `cancelled`. */
export const admission = Effect.fn("admission")(function* (
  deployment: DeploymentId
): Effect.fn.Return<Claim, StoreError, DeploymentStore | Replica> {
  const store = yield* DeploymentStore
  const { id: replica, terms } = yield* Replica
  const claim = yield* store.admit({ replica, terms, deployment }).pipe(
    Effect.repeat({ until: (claim) => claim !== undefined, schedule: ask }),
    Effect.onInterrupt(() => Effect.ignore(store.withdraw(deployment)))
  )
  return claim ?? (yield* Effect.die(`the wait for ${deployment} ended without an answer`))
})
