// Keeps Deployments, the Releases they lead to, and the Fence under which each is carried out.
// Their in-memory meaning is in memoryDeploymentStore.ts, since it is the longest of all.
import { Context, Effect, Layer } from "effect"
import type { AppId, DeploymentId } from "../domain/App.ts"
import type { Deployment } from "../domain/Deployment.ts"
import type { LeaseTerms, ReplicaId } from "../domain/Lease.ts"
import type { Page, PageRequest } from "../domain/Page.ts"
import type { Commit } from "../domain/Source.ts"
import type { TenantName, TenantUsage } from "../domain/Tenant.ts"
import type { ImageDigest } from "../domain/Workload.ts"
import type { AppGone } from "./AppStore.ts"
import type { AdmissionRequest, Claim, DeploymentOutcome, LeaseLost, Serving } from "./Claim.ts"
import type { DeploymentNotFound, DeploymentRefused, DeploymentRequest } from "./DeploymentRequest.ts"
import { makeMemory } from "./memoryDeploymentStore.ts"
import { MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** Keeps Deployments. Every method is one transaction; each change of status writes its history row and its Event in it. */
export class DeploymentStore extends Context.Service<
  DeploymentStore,
  {
    /**
     * Makes a `queued` Deployment of a live App, with its number, Policy and Env revision fixed. A delivery id seen
     * before answers the Deployment that it made.
     */
    readonly begin: (
      request: DeploymentRequest
    ) => Effect.Effect<{ readonly deployment: Deployment; readonly created: boolean }, DeploymentRefused | StoreError>
    /** The Deployment. */
    readonly get: (deployment: DeploymentId) => Effect.Effect<Deployment, DeploymentNotFound | StoreError>
    /** The Deployments of an App, newest first. */
    readonly list: (app: AppId, page: PageRequest) => Effect.Effect<Page<Deployment>, StoreError>
    /**
     * Gives the first queued Deployment whose Tenant has a free Slot to the caller: it is `building`, holds a Slot and
     * a lease, and has a Fence above all before it. First come, first served within a Tenant.
     */
    readonly admit: (request: AdmissionRequest) => Effect.Effect<Claim | undefined, StoreError>
    /** Ends a queued Deployment as `cancelled`. One that is no longer queued stays as it is. */
    readonly withdraw: (deployment: DeploymentId) => Effect.Effect<void, StoreError>
    /** Extends the lease of a Claim by `terms.ttl` from now, on the database's clock. */
    readonly renew: (claim: Claim, terms: LeaseTerms) => Effect.Effect<void, LeaseLost | StoreError>
    /** Moves the Deployment from `building` to `deploying`, with what was built. */
    readonly built: (
      claim: Claim,
      image: ImageDigest,
      commit: Commit | null
    ) => Effect.Effect<Deployment, LeaseLost | StoreError>
    /** The last check before traffic moves: Fence current, App still live, and that the switch has begun is on record. */
    readonly activate: (claim: Claim) => Effect.Effect<void, LeaseLost | AppGone | StoreError>
    /**
     * Ends the Deployment: the Slot is free and, when it is healthy, a new Release is the App's current one. Healthy
     * needs a live App and a Deployment that was activated.
     */
    readonly finish: (
      claim: Claim,
      outcome: DeploymentOutcome
    ) => Effect.Effect<Deployment, LeaseLost | AppGone | StoreError>
    /** Ends the leases of a replica that is known to be dead, so that its Deployments are abandoned at once. */
    readonly abandon: (replica: ReplicaId) => Effect.Effect<void, StoreError>
    /** Claims Deployments whose lease ran out, each under a new Fence, to be ended by the caller. */
    readonly claimAbandoned: (
      request: AdmissionRequest,
      limit: number
    ) => Effect.Effect<ReadonlyArray<Claim>, StoreError>
    /** What every live App with a Release should be serving. */
    readonly serving: Effect.Effect<ReadonlyArray<Serving>, StoreError>
    /** What a Tenant uses. A Tenant that nobody has seen has the default cap. */
    readonly usage: (tenant: TenantName) => Effect.Effect<TenantUsage, StoreError>
  }
>()("@lockkeeper/core/port/DeploymentStore") {
  /** Deployments in memory. */
  static readonly layerMemory: Layer.Layer<DeploymentStore, never, MemoryState> = Layer.effect(
    DeploymentStore,
    Effect.map(MemoryState, makeMemory)
  )
}
