// Keeps Deployments, the Releases they lead to, and the Fence under which each is carried out.
// Their in-memory meaning is in memoryDeploymentStore.ts, since it is the longest of all.
import { Context, Effect, Layer } from "effect"
import type { AppId, DeploymentId, ReleaseId } from "../domain/App.ts"
import type { Deployment, StopStatus } from "../domain/Deployment.ts"
import type { Standing } from "../domain/Explanation.ts"
import type { LeaseTerms, ReplicaId } from "../domain/Lease.ts"
import type { Page, PageRequest } from "../domain/Page.ts"
import type { Release } from "../domain/Release.ts"
import type { Commit } from "../domain/Source.ts"
import type { JobCap, TenantName, TenantUsage } from "../domain/Tenant.ts"
import type { ImageDigest } from "../domain/Workload.ts"
import type { AppGone } from "./AppStore.ts"
import type { AdmissionRequest, Claim, DeploymentOutcome, LeaseLost, Serving, StopRequested } from "./Claim.ts"
import type { DeploymentNotFound, DeploymentRefused, DeploymentRequest, ReleaseNotFound } from "./DeploymentRequest.ts"
import { makeMemory } from "./memoryDeploymentStore.ts"
import { MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** Keeps Deployments. Every method is one transaction; each change of status writes its history row and its Event in it. */
export class DeploymentStore extends Context.Service<
  DeploymentStore,
  {
    /**
     * Makes a `queued` Deployment of a live App, with its number, Policy and Env revision fixed, and does with the App's
     * active ones what the Policy says. A delivery id seen before answers the Deployment that it made.
     */
    readonly begin: (
      request: DeploymentRequest
    ) => Effect.Effect<{ readonly deployment: Deployment; readonly created: boolean }, DeploymentRefused | StoreError>
    /** The Deployment. */
    readonly get: (deployment: DeploymentId) => Effect.Effect<Deployment, DeploymentNotFound | StoreError>
    /** Where the Deployment stands, and what it waits for, all of one moment. */
    readonly standing: (deployment: DeploymentId) => Effect.Effect<Standing, DeploymentNotFound | StoreError>
    /** The Deployments of an App, newest first. */
    readonly list: (app: AppId, page: PageRequest) => Effect.Effect<Page<Deployment>, StoreError>
    /**
     * Gives the first queued Deployment whose Tenant has a free Slot to the caller: it is `building`, holds a Slot and
     * a lease, and has a Fence above all before it. First come, first served within a Tenant; one that waits for another
     * of its App holds nobody up.
     */
    readonly admit: (request: AdmissionRequest) => Effect.Effect<Claim | undefined, StoreError>
    /** Ends a queued Deployment as `cancelled`. One that is no longer queued stays as it is. */
    readonly withdraw: (deployment: DeploymentId) => Effect.Effect<void, StoreError>
    /**
     * Asks a Deployment to end as `cancelled`: at once while it is queued, else by its holder, who can no longer make it
     * healthy. One that was asked before, or has ended, stays as it is.
     */
    readonly requestCancel: (deployment: DeploymentId) => Effect.Effect<Deployment, DeploymentNotFound | StoreError>
    /** How the Deployment of a Claim was asked to end, if it was. */
    readonly stopRequested: (claim: Claim) => Effect.Effect<StopStatus | undefined, StoreError>
    /** Extends the lease of a Claim by `terms.ttl` from now, on the database's clock. */
    readonly renew: (claim: Claim, terms: LeaseTerms) => Effect.Effect<void, LeaseLost | StoreError>
    /** Moves the Deployment from `building` to `deploying`, with what was built. */
    readonly built: (
      claim: Claim,
      image: ImageDigest,
      commit: Commit | null
    ) => Effect.Effect<Deployment, LeaseLost | StoreError>
    /**
     * The last check before traffic moves: Fence current, App still live, nobody asked for a stop. That the switch has
     * begun is on record.
     */
    readonly activate: (claim: Claim) => Effect.Effect<void, LeaseLost | StopRequested | AppGone | StoreError>
    /**
     * Ends the Deployment: the Slot is free and, when it is healthy, a new Release is the App's current one. Healthy
     * needs a live App and a Deployment that was activated and not asked to stop; whoever was ends as that says.
     */
    readonly finish: (
      claim: Claim,
      outcome: DeploymentOutcome
    ) => Effect.Effect<Deployment, LeaseLost | StopRequested | AppGone | StoreError>
    /** Ends the leases of a replica that is known to be dead, so that its Deployments are abandoned at once. */
    readonly abandon: (replica: ReplicaId) => Effect.Effect<void, StoreError>
    /** Deployments whose lease ran out and that nobody has claimed since, at most `limit`, oldest first. */
    readonly abandoned: (limit: number) => Effect.Effect<ReadonlyArray<DeploymentId>, StoreError>
    /** Claims Deployments whose lease ran out, each under a new Fence, to be ended by the caller. */
    readonly claimAbandoned: (
      request: AdmissionRequest,
      limit: number
    ) => Effect.Effect<ReadonlyArray<Claim>, StoreError>
    /** The Releases of an App, newest first. */
    readonly releases: (app: AppId, page: PageRequest) => Effect.Effect<Page<Release>, StoreError>
    /** A Release of an App. */
    readonly release: (app: AppId, release: ReleaseId) => Effect.Effect<Release, ReleaseNotFound | StoreError>
    /**
     * Those of some images that nothing needs: no Deployment in progress or queued, no intent that is not released, and none
     * of the `retain` newest Releases of an App that is not deleted.
     */
    readonly unneeded: (
      images: ReadonlyArray<ImageDigest>,
      retain: number
    ) => Effect.Effect<ReadonlyArray<ImageDigest>, StoreError>
    /** What every live App with a Release should be serving. */
    readonly serving: Effect.Effect<ReadonlyArray<Serving>, StoreError>
    /**
     * Changes how many Slots a Tenant has, and answers what it uses. Lowering it ends nothing: what is in progress goes on,
     * and nothing is admitted until there are fewer.
     */
    readonly setCap: (tenant: TenantName, jobCap: JobCap) => Effect.Effect<TenantUsage, StoreError>
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
