// What who asks knows in the course of a run: what there is to be named in the next call, old Claims included. It is not
// what must be true; that is what the rules remember.

import type { App, DeploymentId, ReleaseId } from "@lockkeeper/core/domain/App"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import type { WorkloadName } from "@lockkeeper/core/domain/Workload"
import type { JobId } from "@lockkeeper/core/domain/Job"
import type { Claim } from "@lockkeeper/core/port/Claim"
import type { JobClaim } from "@lockkeeper/core/port/JobRequest"
import { isDone, type Seen } from "./Seen.ts"

/** Everything that was answered so far and can be named again, oldest first. */
export interface Known {
  readonly apps: ReadonlyArray<App>
  readonly deployments: ReadonlyArray<DeploymentId>
  readonly releases: ReadonlyArray<ReleaseId>
  readonly claims: ReadonlyArray<Claim>
  readonly names: ReadonlyArray<WorkloadName>
  readonly jobs: ReadonlyArray<JobId>
  readonly jobClaims: ReadonlyArray<JobClaim>
  /** The Tenants whose cap was changed. */
  readonly capped: ReadonlyArray<TenantName>
}

/** Nothing yet. */
export const nothingKnown: Known = {
  apps: [],
  deployments: [],
  releases: [],
  claims: [],
  names: [],
  jobs: [],
  jobClaims: [],
  capped: []
}

const withNew = <A>(list: ReadonlyArray<A>, item: A): ReadonlyArray<A> => (list.includes(item) ? list : [...list, item])

/** What is known after a call. */
export const learned = (known: Known, seen: Seen): Known => {
  if (seen.call === "intend" && isDone(seen)) return { ...known, names: withNew(known.names, seen.intent.name) }
  if (seen.value === undefined) return known
  switch (seen.call) {
    case "register":
      return { ...known, apps: [...known.apps, seen.value] }
    case "begin":
      return { ...known, deployments: withNew(known.deployments, seen.value.deployment.id) }
    case "admit":
      return { ...known, claims: [...known.claims, seen.value] }
    case "claimAbandoned":
      return { ...known, claims: [...known.claims, ...seen.value] }
    case "beginJob":
    case "rerunJob": {
      const { claim, job } = seen.value
      const jobClaims = claim === undefined ? known.jobClaims : [...known.jobClaims, claim]
      return { ...known, jobs: withNew(known.jobs, job.id), jobClaims }
    }
    case "setCap":
      return { ...known, capped: withNew(known.capped, seen.tenant) }
    case "admitJob":
      return { ...known, jobClaims: [...known.jobClaims, seen.value] }
    case "takeOverJobs":
      return { ...known, jobClaims: [...known.jobClaims, ...seen.value] }
    case "finish": {
      const { release } = seen.value
      return release === null ? known : { ...known, releases: withNew(known.releases, release) }
    }
    default:
      return known
  }
}

/** One of a list, counted from the newest; a number beyond its length begins anew. */
export const pick = <A>(list: ReadonlyArray<A>, index: number): A | undefined => list.at(-1 - (index % list.length))
