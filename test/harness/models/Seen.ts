// What a run of a model consists of: the calls of the ports, one after the other, each with what it came to. Rules judge
// these and nothing else, so that they know neither a store nor a program.

import type { App, AppId, AppStatus, DeploymentId } from "@lockkeeper/core/domain/App"
import type { Job, JobId } from "@lockkeeper/core/domain/Job"
import type { Deployment } from "@lockkeeper/core/domain/Deployment"
import type { ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { JobCap, TenantName, TenantUsage } from "@lockkeeper/core/domain/Tenant"
import type { ImageDigest, Workload, WorkloadName } from "@lockkeeper/core/domain/Workload"
import type { AppEnding, AppStore } from "@lockkeeper/core/port/AppStore"
import type { AdmissionRequest, Claim, DeploymentOutcome } from "@lockkeeper/core/port/Claim"
import type { DeploymentRequest } from "@lockkeeper/core/port/DeploymentRequest"
import type { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import type { EnvEdit, EnvRevised, EnvStore } from "@lockkeeper/core/port/EnvStore"
import type { EventFeed } from "@lockkeeper/core/port/EventFeed"
import type { Begun, JobClaim, JobOutcome, JobRequest } from "@lockkeeper/core/port/JobRequest"
import type { JobStore } from "@lockkeeper/core/port/JobStore"
import type { Intent, Journal } from "@lockkeeper/core/port/Journal"
import type { Tables } from "./Tables.ts"

/** The ports that the rules are about, and the tables behind them. */
export type ModelPorts = AppStore | DeploymentStore | EnvStore | EventFeed | JobStore | Journal | Tables

/** The name of a call, and either the value that it was answered with or the tag of its refusal. */
interface Call<Name extends string, A> {
  readonly call: Name
  readonly value: A | undefined
  readonly refusal: string | undefined
}

interface OfClaim {
  readonly claim: Claim
}

/**
 * A call that changes something, and what it came to. `setStatus` and `lapse` are done to the tables; whoever sets an
 * expiry sets one that `isOver` at once, or none.
 */
export type Seen =
  | Call<"register", App>
  | (Call<"begin", { readonly deployment: Deployment; readonly created: boolean }> & {
      readonly request: DeploymentRequest
    })
  | (Call<"admit", Claim | undefined> & { readonly request: AdmissionRequest })
  | (Call<"claimAbandoned", ReadonlyArray<Claim>> & { readonly limit: number })
  | (Call<"withdraw", void> & { readonly deployment: DeploymentId })
  | (Call<"requestCancel", Deployment> & { readonly deployment: DeploymentId })
  | (Call<"abandon", void> & { readonly replica: ReplicaId })
  | (Call<"renew", void> & OfClaim)
  | (Call<"built", Deployment> & OfClaim & { readonly image: ImageDigest })
  | (Call<"activate", void> & OfClaim)
  | (Call<"finish", Deployment> & OfClaim & { readonly outcome: DeploymentOutcome })
  | (Call<"revise", EnvRevised> & { readonly app: AppId; readonly decide: EnvEdit<string>["decide"] })
  | (Call<"intend", void> & { readonly intent: Omit<Intent, "workload"> })
  | (Call<"confirm", void> & { readonly workload: Workload })
  | (Call<"released", void> & { readonly name: WorkloadName })
  | (Call<"mark", App> & { readonly app: AppId; readonly to: "stopped" | "deleting" })
  | (Call<"setExpiry", App> & { readonly app: AppId; readonly isOver: boolean })
  | (Call<"claimExpired", ReadonlyArray<App>> & { readonly limit: number })
  | (Call<"settle", boolean> & { readonly ending: AppEnding })
  | (Call<"setCap", TenantUsage> & { readonly tenant: TenantName; readonly jobCap: JobCap })
  | (Call<"beginJob", Begun> & { readonly job: JobRequest })
  | (Call<"rerunJob", Begun> & { readonly id: JobId })
  | (Call<"admitJob", JobClaim | undefined> & { readonly id: JobId | undefined })
  | (Call<"cancelJob", Job> & { readonly id: JobId })
  | (Call<"finishJob", Job> & { readonly held: JobClaim; readonly ended: JobOutcome })
  | (Call<"giveBackJob", Job> & { readonly held: JobClaim })
  | (Call<"abandonJobs", void> & { readonly replica: ReplicaId })
  | (Call<"takeOverJobs", ReadonlyArray<JobClaim>> & { readonly limit: number })
  | (Call<"setStatus", void> & { readonly app: AppId; readonly status: AppStatus })
  | (Call<"lapse", void> & { readonly deployment: DeploymentId })

/** Whether a call was done, and not refused. */
export const isDone = (seen: Seen): boolean => seen.refusal === undefined
