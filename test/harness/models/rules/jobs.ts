// INV-1, INV-3 and K3 for Jobs: they and Deployments take their Slots from one queue of their Tenant, never more than its
// cap at that moment; every end gives one back; what is given back or run again has the place that is due to it; and only
// the newest Fence writes. Apps stay live in a run of this rule.

import type { AppId } from "@lockkeeper/core/domain/App"
import type { JobId, JobStatus, OnFull } from "@lockkeeper/core/domain/Job"
import type { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { defaultJobCap, type JobCap, type TenantName } from "@lockkeeper/core/domain/Tenant"
import type { JobClaim } from "@lockkeeper/core/port/JobRequest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { Effect } from "effect"
import { entries, isEnded, isRunning, type Ledger, put, runningOf } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import { isDone, type Seen } from "../Seen.ts"

/** A Job as its answers tell of it. */
interface Entry {
  readonly id: JobId
  readonly app: AppId
  readonly tenant: TenantName
  readonly onFull: OnFull
  readonly stage: JobStatus
  readonly fence: number
  readonly replica: ReplicaId | undefined
  readonly lapsed: boolean
  readonly isStopped: boolean
}

interface Memory {
  readonly jobs: ReadonlyMap<JobId, Entry>
  readonly caps: ReadonlyMap<TenantName, JobCap>
  /** The Apps with a Release. */
  readonly released: ReadonlySet<AppId>
  /** What waits or has waited, in the order of the queue. */
  readonly line: ReadonlyArray<string>
}

const capOf = ({ caps }: Memory, tenant: TenantName): number => {
  const cap = caps.get(tenant)
  return cap === undefined ? defaultJobCap : (cap ?? Number.POSITIVE_INFINITY)
}

const jobsOf = ({ jobs }: Memory, tenant: TenantName, stage: JobStatus): ReadonlyArray<Entry> =>
  [...jobs.values()].filter((job) => job.tenant === tenant && job.stage === stage)

const deploymentsOf = (ledger: Ledger, tenant: TenantName) => entries(ledger).filter((entry) => entry.tenant === tenant)

const runningIn = (ledger: Ledger, memory: Memory, tenant: TenantName): number =>
  deploymentsOf(ledger, tenant).filter(isRunning).length + jobsOf(memory, tenant, "running").length

/** Who has the next Slot of a Tenant, if there is one. Whoever waits for another Deployment of its App holds nobody up. */
const nextOf = (ledger: Ledger, memory: Memory, tenant: TenantName): string | undefined => {
  const ready = [
    ...deploymentsOf(ledger, tenant).filter(
      ({ app, stage }) => stage === "queued" && runningOf(ledger, app) === undefined
    ),
    ...jobsOf(memory, tenant, "queued")
  ].map(({ id }): string => id)
  if (runningIn(ledger, memory, tenant) >= capOf(memory, tenant)) return undefined
  return memory.line.find((id) => ready.includes(id))
}

const hasRoom = (ledger: Ledger, memory: Memory, tenant: TenantName): boolean =>
  runningIn(ledger, memory, tenant) < capOf(memory, tenant) && nextOf(ledger, memory, tenant) === undefined

const held = ({ jobs }: Memory, claim: JobClaim): Entry | undefined => {
  const entry = jobs.get(claim.job.id)
  return entry?.stage === "running" && entry.fence === claim.fence ? entry : undefined
}

/** Why what came of asking for a Job of a Tenant is wrong. */
const wronglyBegun = (
  seen: Extract<Seen, { readonly call: "beginJob" | "rerunJob" }>,
  mayRun: boolean,
  onFull: OnFull
): string | undefined => {
  const due = mayRun ? "running" : onFull === "queue" ? "queued" : "JobCapReached"
  const found = seen.refusal ?? seen.value?.job.status
  if (found !== due) return `${seen.call} came to ${found} instead of ${due}`
  return (seen.value?.claim !== undefined) === mayRun ? undefined : `${seen.call} gave a Claim of what is ${due}`
}

const wronglyGiven = (ledger: Ledger, memory: Memory, seen: Seen, alone: boolean): string | undefined => {
  if (seen.call !== "admit" && seen.call !== "admitJob") return undefined
  const asked = seen.call === "admit" ? seen.request.deployment : seen.id
  const isMeant = (id: string) =>
    asked === undefined ? id.startsWith(seen.call === "admit" ? "dep_" : "job_") : id === asked
  const tenants = new Set(ledger.tenants.values())
  const may = [...tenants].flatMap((tenant) => nextOf(ledger, memory, tenant) ?? []).filter(isMeant)
  const { value } = seen
  const given = value === undefined ? undefined : "job" in value ? value.job.id : value.deployment.id
  if (given !== undefined) return may.includes(given) ? undefined : `${given} was given out of turn or above the cap`
  return alone && may[0] !== undefined ? `nothing was given where ${may[0]} was next` : undefined
}

const isNewer = ({ jobs }: Memory, claim: JobClaim): boolean => claim.fence > (jobs.get(claim.job.id)?.fence ?? 0)

const objection = (ledger: Ledger, seen: Seen, memory: Memory, alone: boolean): string | undefined => {
  switch (seen.call) {
    case "beginJob": {
      if (!("app" in seen.job.of)) return undefined
      const tenant = ledger.tenants.get(seen.job.of.app)
      if (tenant === undefined) return undefined
      if (!memory.released.has(seen.job.of.app)) {
        return seen.refusal === "NoRelease" ? undefined : "a Job began in no Release"
      }
      return wronglyBegun(seen, hasRoom(ledger, memory, tenant), seen.job.onFull)
    }
    case "rerunJob": {
      const job = memory.jobs.get(seen.id)
      if (job === undefined) return undefined
      const refusal = { queued: "AlreadyRunning", running: "AlreadyRunning", succeeded: "NothingToDo" }
      if (job.stage !== "failed" && job.stage !== "cancelled") {
        return seen.refusal === refusal[job.stage] ? undefined : `what is ${job.stage} was run again`
      }
      return wronglyBegun(seen, hasRoom(ledger, memory, job.tenant), job.onFull)
    }
    case "finishJob":
    case "giveBackJob": {
      const entry = held(memory, seen.held)
      if (entry === undefined) return seen.refusal === "LeaseLost" ? undefined : `${seen.call} under an old Fence`
      const end = seen.call === "finishJob" ? seen.ended.status : "queued"
      const due = entry.isStopped ? "cancelled" : end
      return seen.value?.status === due ? undefined : `${seen.call} came to ${seen.value?.status} instead of ${due}`
    }
    case "takeOverJobs": {
      const lapsed = [...memory.jobs.values()].filter((job) => job.stage === "running" && job.lapsed)
      const taken = seen.value ?? []
      const wrong = taken.find(({ job }) => !lapsed.some(({ id }) => id === job.id))
      if (wrong !== undefined) return `${wrong.job.id} was taken from a holder that has its lease`
      if (!taken.every((claim) => isNewer(memory, claim))) return "a Claim has an old Fence"
      const wanted = Math.min(seen.limit, lapsed.length)
      return alone && taken.length !== wanted ? `${taken.length} of ${wanted} Jobs were taken over` : undefined
    }
    case "setCap":
      return seen.value?.jobCap === seen.jobCap ? undefined : `the cap is ${seen.value?.jobCap}`
    case "admitJob":
      if (seen.value !== undefined && !isNewer(memory, seen.value)) return "a Claim has an old Fence"
      return wronglyGiven(ledger, memory, seen, alone)
    default:
      return wronglyGiven(ledger, memory, seen, alone)
  }
}

const withJob = (memory: Memory, id: JobId, change: Partial<Entry>): Memory => {
  const entry = memory.jobs.get(id)
  return entry === undefined ? memory : { ...memory, jobs: put(memory.jobs, id, { ...entry, ...change }) }
}

const given = (memory: Memory, { fence, job, replica }: JobClaim): Memory =>
  withJob(memory, job.id, { stage: "running", fence, replica, lapsed: false })

const last = (memory: Memory, id: string): Memory => ({
  ...memory,
  line: [...memory.line.filter((other) => other !== id), id]
})

const begun = (memory: Memory, seen: Extract<Seen, { readonly call: "beginJob" | "rerunJob" }>): Memory => {
  if (seen.value === undefined) return memory
  const { claim, job } = seen.value
  if (job.app === null) return memory
  const onFull = seen.call === "beginJob" ? seen.job.onFull : (memory.jobs.get(job.id)?.onFull ?? "queue")
  const fence = memory.jobs.get(job.id)?.fence ?? 0
  const fresh = { stage: job.status, onFull, fence, replica: undefined, lapsed: false, isStopped: false }
  const known = put(memory.jobs, job.id, { id: job.id, app: job.app, tenant: job.tenant, ...fresh })
  const queued = last({ ...memory, jobs: known }, job.id)
  return claim === undefined ? queued : given(queued, claim)
}

const after = (memory: Memory, seen: Seen): Memory => {
  if (!isDone(seen)) return memory
  switch (seen.call) {
    case "begin":
      return seen.value?.created === true ? last(memory, seen.value.deployment.id) : memory
    case "finish":
      return seen.outcome.status === "healthy"
        ? { ...memory, released: new Set([...memory.released, seen.claim.app.id]) }
        : memory
    case "setCap":
      return { ...memory, caps: put(memory.caps, seen.tenant, seen.jobCap) }
    case "beginJob":
    case "rerunJob":
      return begun(memory, seen)
    case "admitJob":
      return seen.value === undefined ? memory : given(memory, seen.value)
    case "takeOverJobs":
      return (seen.value ?? []).reduce(given, memory)
    case "finishJob":
    case "giveBackJob":
      return seen.value === undefined ? memory : withJob(memory, seen.held.job.id, { stage: seen.value.status })
    case "cancelJob": {
      const stage = memory.jobs.get(seen.id)?.stage
      if (stage === "queued") return withJob(memory, seen.id, { stage: "cancelled" })
      return stage === "running" ? withJob(memory, seen.id, { isStopped: true }) : memory
    }
    case "abandonJobs":
      return [...memory.jobs.values()]
        .filter(({ replica, stage }) => stage === "running" && replica === seen.replica)
        .reduce((next, { id }) => withJob(next, id, { lapsed: true }), memory)
    default:
      return memory
  }
}

/** Jobs and Deployments share the Slots of their Tenant. */
export const jobs = makeRule<Memory>({
  id: "INV-1 INV-3 K3",
  start: { jobs: new Map(), caps: new Map(), released: new Set(), line: [] },
  objection,
  after,
  look: Effect.fnUntraced(function* (known) {
    const [store, deployments] = [yield* JobStore, yield* DeploymentStore]
    const found = yield* Effect.forEach(known.jobs, (id) => store.get(id), { concurrency: 8 })
    const tenants = new Set(known.apps.map(({ tenant }) => tenant))
    const usages = yield* Effect.forEach(tenants, (tenant) => deployments.usage(tenant), { concurrency: 8 })
    return {
      jobs: new Map(found.map(({ id, status }) => [id, status])),
      running: new Map(usages.map(({ running, tenant }) => [tenant, running]))
    }
  }),
  expected: (ledger, memory) => ({
    jobs: new Map([...memory.jobs.values()].map(({ id, stage }) => [id, stage])),
    running: new Map([...ledger.tenants.values()].map((tenant) => [tenant, runningIn(ledger, memory, tenant)]))
  }),
  unsettled: (ledger, memory) => {
    const jobs = [...memory.jobs.values()].filter(({ stage }) => stage === "queued" || stage === "running")
    const left = [...jobs, ...entries(ledger).filter((entry) => !isEnded(entry))]
    return left.length === 0 ? undefined : `${left.map(({ id }) => id).join(", ")} did not end`
  }
})
