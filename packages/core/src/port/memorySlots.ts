// Who holds the Slots of a Tenant in memory, and who waits for one: Deployments and other Jobs alike, in one queue.
import type { DeploymentStatus } from "../domain/Deployment.ts"
import { defaultJobCap, type JobCap, maxJobCap, type TenantName } from "../domain/Tenant.ts"
import { activeDeployments, type DeploymentRow, type MemoryTables } from "./MemoryState.ts"

/** Something that waits, in the order of all that wait. */
export interface Waiting {
  readonly position: number
  /** Answers whether it waits for nothing but a Slot. Who waits for something else stands in nobody's way. */
  readonly isReady: () => boolean
}

/** The Deployments of a Tenant. */
export const ofTenant = (state: MemoryTables, tenant: TenantName): ReadonlyArray<DeploymentRow> => {
  const rows: Array<DeploymentRow> = []
  for (const row of state.deployments.values()) if (row.tenant === tenant) rows.push(row)
  return rows
}

/** Whether a Deployment waits. */
export const isQueued = ({ deployment }: DeploymentRow): boolean => deployment.status === "queued"

/** Whether a Deployment only waits for a Slot, and not for another one of its App. */
export const isReady = (state: MemoryTables, row: DeploymentRow): boolean =>
  isQueued(row) && activeDeployments(state, row.deployment.app).inProgress === undefined

/** Whether a Deployment of this status holds a Slot. */
export const holdsSlot = (status: DeploymentStatus): boolean => status === "building" || status === "deploying"

/** How many Slots a Tenant may have; null is no cap. */
export const capOf = (state: MemoryTables, tenant: TenantName): JobCap => {
  const cap = state.caps.get(tenant)
  return cap === undefined ? defaultJobCap : cap
}

/** How many Slots of a Tenant are taken. */
export const slotsTaken = (state: MemoryTables, tenant: TenantName): number => {
  const deployments = ofTenant(state, tenant).filter(({ deployment }) => holdsSlot(deployment.status))
  const jobs = [...state.jobs.values()].filter(({ job }) => job.tenant === tenant && job.status === "running")
  return deployments.length + jobs.length
}

/** Whether a Tenant has a Slot that nobody holds. */
export const hasFreeSlot = (state: MemoryTables, tenant: TenantName): boolean =>
  slotsTaken(state, tenant) < (capOf(state, tenant) ?? maxJobCap)

/** What of a Tenant waits. */
export const waiting = (state: MemoryTables, tenant: TenantName): ReadonlyArray<Waiting> => {
  const found: Array<Waiting> = []
  for (const row of state.deployments.values()) {
    if (row.tenant !== tenant || !isQueued(row)) continue
    found.push({ position: row.position, isReady: () => isReady(state, row) })
  }
  for (const { job, position } of state.jobs.values()) {
    if (job.tenant === tenant && job.status === "queued") found.push({ position, isReady: () => true })
  }
  return found
}

/** Whether somebody else of a Tenant is to have the next Slot before what stands at a position. */
export const isBehind = (state: MemoryTables, tenant: TenantName, position: number): boolean =>
  waiting(state, tenant).some((other) => other.position < position && other.isReady())
