// What the answers of a run say has happened: Apps with their status, Deployments with how far they are and who holds them.
// It believes every answer; whether an answer may be what it is, is the rules' business.

import type { AppId, AppStatus, DeploymentId } from "@lockkeeper/core/domain/App"
import type { ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import type { ImageDigest } from "@lockkeeper/core/domain/Workload"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { isDone, type Seen } from "./Seen.ts"

/** How far a Deployment is. */
export type Stage = "queued" | "building" | "deploying" | "ended"

/** A Deployment as its answers tell of it. */
export interface Entry {
  readonly id: DeploymentId
  readonly app: AppId
  readonly tenant: TenantName | undefined
  readonly stage: Stage
  readonly fence: number
  readonly replica: ReplicaId | undefined
  readonly lapsed: boolean
  readonly activated: boolean
  readonly image: ImageDigest | undefined
  readonly envRevision: number
}

/** Everything that happened. */
export interface Ledger {
  readonly tenants: ReadonlyMap<AppId, TenantName>
  readonly statuses: ReadonlyMap<AppId, AppStatus>
  readonly deployments: ReadonlyMap<DeploymentId, Entry>
}

/** Nothing yet. */
export const emptyLedger: Ledger = { tenants: new Map(), statuses: new Map(), deployments: new Map() }

/** A map with one more entry; the given one stays as it is. */
export const put = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> =>
  new Map([...map, [key, value]])

/** All Deployments. */
export const entries = ({ deployments }: Ledger): ReadonlyArray<Entry> => [...deployments.values()]

/** Whether somebody works at a Deployment, and it has a Slot. */
export const isRunning = ({ stage }: Entry): boolean => stage === "building" || stage === "deploying"

/** Whether nobody can take a Deployment away from who holds it, as far as the lease goes. */
export const isAbandoned = (entry: Entry): boolean => isRunning(entry) && entry.lapsed

/** The Deployment that a Claim may still write to. */
export const heldUnder = ({ deployments }: Ledger, claim: Claim): Entry | undefined => {
  const entry = deployments.get(claim.deployment.id)
  return entry !== undefined && isRunning(entry) && entry.fence === claim.fence ? entry : undefined
}

/** The ledger after a call. */
export const recorded = (ledger: Ledger, seen: Seen): Ledger => {
  if (!isDone(seen)) return ledger
  switch (seen.call) {
    case "register": {
      if (seen.value === undefined) return ledger
      const { id, status, tenant } = seen.value
      return { ...ledger, tenants: put(ledger.tenants, id, tenant), statuses: put(ledger.statuses, id, status) }
    }
    case "setStatus":
      return { ...ledger, statuses: put(ledger.statuses, seen.app, seen.status) }
    case "begin": {
      if (seen.value?.created !== true) return ledger
      const { app, envRevision, id } = seen.value.deployment
      const held = { fence: 0, replica: undefined, lapsed: false, activated: false, image: undefined }
      const begun: Entry = { id, app, tenant: ledger.tenants.get(app), stage: "queued", envRevision, ...held }
      return { ...ledger, deployments: put(ledger.deployments, id, begun) }
    }
    case "withdraw":
      return changed(ledger, ({ id, stage }) => id === seen.deployment && stage === "queued", { stage: "ended" })
    case "admit":
      return seen.value === undefined ? ledger : given(ledger, seen.value, { stage: "building" })
    case "claimAbandoned":
      return (seen.value ?? []).reduce((next, claim) => given(next, claim, {}), ledger)
    case "built":
      return ofClaim(ledger, seen.claim, { stage: "deploying", image: seen.image })
    case "activate":
      return ofClaim(ledger, seen.claim, { activated: true })
    case "finish":
      return ofClaim(ledger, seen.claim, { stage: "ended" })
    case "lapse":
      return changed(ledger, (entry) => entry.id === seen.deployment && isRunning(entry), { lapsed: true })
    case "abandon":
      return changed(ledger, (entry) => entry.replica === seen.replica && isRunning(entry), { lapsed: true })
    case "renew":
    case "revise":
    case "intend":
    case "confirm":
    case "released":
      return ledger
  }
}

const changed = (ledger: Ledger, which: (entry: Entry) => boolean, change: Partial<Entry>): Ledger => ({
  ...ledger,
  deployments: new Map(
    [...ledger.deployments].map(([id, entry]) => [id, which(entry) ? { ...entry, ...change } : entry])
  )
})

const ofClaim = (ledger: Ledger, claim: Claim, change: Partial<Entry>): Ledger =>
  changed(ledger, ({ id }) => id === claim.deployment.id, change)

const given = (ledger: Ledger, claim: Claim, change: Partial<Entry>): Ledger =>
  ofClaim(ledger, claim, { ...change, fence: claim.fence, replica: claim.replica, lapsed: false })
