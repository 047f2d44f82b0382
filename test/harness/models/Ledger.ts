// What the answers of a run say has happened: Apps with their status, Deployments with how far they are and who holds them.
// It believes every answer; whether an answer may be what it is, is the rules' business.

import type { AppId, AppStatus, DeploymentId } from "@lockkeeper/core/domain/App"
import type { DeploymentStatus, StopStatus } from "@lockkeeper/core/domain/Deployment"
import type { ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import type { ImageDigest } from "@lockkeeper/core/domain/Workload"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { isDone, type Seen } from "./Seen.ts"

/** A Deployment as its answers tell of it. */
export interface Entry {
  readonly id: DeploymentId
  readonly app: AppId
  readonly tenant: TenantName | undefined
  readonly stage: DeploymentStatus
  readonly fence: number
  readonly replica: ReplicaId | undefined
  readonly lapsed: boolean
  readonly activated: boolean
  readonly stopAs: StopStatus | undefined
  readonly image: ImageDigest | undefined
  readonly envRevision: number
}

/** Everything that happened. */
export interface Ledger {
  readonly tenants: ReadonlyMap<AppId, TenantName>
  readonly statuses: ReadonlyMap<AppId, AppStatus>
  /** The newest Fence of each App. */
  readonly fences: ReadonlyMap<AppId, number>
  /** The Apps whose time is over. */
  readonly over: ReadonlySet<AppId>
  /** The Apps that ended, each until it is settled. */
  readonly unsettled: ReadonlySet<AppId>
  readonly deployments: ReadonlyMap<DeploymentId, Entry>
}

/** Nothing yet. */
export const emptyLedger: Ledger = {
  tenants: new Map(),
  statuses: new Map(),
  fences: new Map(),
  over: new Set(),
  unsettled: new Set(),
  deployments: new Map()
}

/** A map with one more entry; the given one stays as it is. */
export const put = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> =>
  new Map([...map, [key, value]])

/** All Deployments. */
export const entries = ({ deployments }: Ledger): ReadonlyArray<Entry> => [...deployments.values()]

/** Whether somebody works at a Deployment, and it has a Slot. */
export const isRunning = ({ stage }: Entry): boolean => stage === "building" || stage === "deploying"

/** Whether nothing can become of a Deployment any more. */
export const isEnded = (entry: Entry): boolean => entry.stage !== "queued" && !isRunning(entry)

/** Whether nobody can take a Deployment away from who holds it, as far as the lease goes. */
export const isAbandoned = (entry: Entry): boolean => isRunning(entry) && entry.lapsed

/** The Deployment of an App that waits. */
export const queuedOf = (ledger: Ledger, app: AppId): Entry | undefined =>
  entries(ledger).find((entry) => entry.app === app && entry.stage === "queued")

/** The Deployment of an App that somebody works at. */
export const runningOf = (ledger: Ledger, app: AppId): Entry | undefined =>
  entries(ledger).find((entry) => entry.app === app && isRunning(entry))

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
      return ledger.statuses.get(seen.app) === "deleted"
        ? ledger
        : { ...ledger, statuses: put(ledger.statuses, seen.app, seen.status) }
    case "mark":
      return ledger.statuses.get(seen.app) === seen.to ? ledger : appEnded(ledger, seen.app, seen.to)
    case "setExpiry":
      return { ...ledger, over: (seen.isOver ? including : without)(ledger.over, seen.app) }
    case "claimExpired":
      return (seen.value ?? []).reduce((next, { id }) => appEnded(next, id, "expired"), ledger)
    case "settle":
      return seen.value === true ? settled(ledger, seen.ending.app.id) : ledger
    case "begin":
      return begun(ledger, seen)
    case "withdraw":
      return ofDeployment(ledger, seen.deployment, ({ stage }) => (stage === "queued" ? { stage: "cancelled" } : {}))
    case "requestCancel":
      return ofDeployment(ledger, seen.deployment, asked("cancelled"))
    case "admit":
      return seen.value === undefined ? ledger : given(ledger, seen.value, { stage: "building" })
    case "claimAbandoned":
      return (seen.value ?? []).reduce((next, claim) => given(next, claim, {}), ledger)
    case "built":
      return ofClaim(ledger, seen.claim, { stage: "deploying", image: seen.image })
    case "activate":
      return ofClaim(ledger, seen.claim, { activated: true })
    case "finish":
      return ofDeployment(ledger, seen.claim.deployment.id, ({ stopAs }) => ({
        stage: seen.outcome.status === "healthy" ? "healthy" : (stopAs ?? seen.outcome.status)
      }))
    case "lapse":
      return ofDeployment(ledger, seen.deployment, (entry) => (isRunning(entry) ? { lapsed: true } : {}))
    case "abandon":
      return changed(ledger, (entry) => (entry.replica === seen.replica && isRunning(entry) ? { lapsed: true } : {}))
    case "setCap":
    case "beginJob":
    case "rerunJob":
    case "admitJob":
    case "cancelJob":
    case "finishJob":
    case "giveBackJob":
    case "abandonJobs":
    case "takeOverJobs":
    case "renew":
    case "revise":
    case "intend":
    case "confirm":
    case "released":
      return ledger
  }
}

type Change = (entry: Entry) => Partial<Entry>

const including = <A>(set: ReadonlySet<A>, item: A): ReadonlySet<A> => new Set([...set, item])

const without = <A>(set: ReadonlySet<A>, item: A): ReadonlySet<A> => new Set([...set].filter((other) => other !== item))

const changed = (ledger: Ledger, change: Change): Ledger => ({
  ...ledger,
  deployments: new Map([...ledger.deployments].map(([id, entry]) => [id, { ...entry, ...change(entry) }]))
})

const ofDeployment = (ledger: Ledger, id: DeploymentId | undefined, change: Change): Ledger =>
  changed(ledger, (entry) => (entry.id === id ? change(entry) : {}))

const ofClaim = (ledger: Ledger, claim: Claim, change: Partial<Entry>): Ledger =>
  ofDeployment(ledger, claim.deployment.id, () => change)

const given = (ledger: Ledger, claim: Claim, change: Partial<Entry>): Ledger => ({
  ...ofClaim(ledger, claim, { ...change, fence: claim.fence, replica: claim.replica, lapsed: false }),
  fences: put(ledger.fences, claim.app.id, claim.fence)
})

/** What becomes of a Deployment that is asked to stop: it ends at once while it waits, and later while it is worked at. */
const asked =
  (as: StopStatus): Change =>
  (entry) => {
    if (entry.stage === "queued") return { stage: as }
    return isRunning(entry) ? { stopAs: entry.stopAs ?? as } : {}
  }

const begun = (ledger: Ledger, seen: Extract<Seen, { readonly call: "begin" }>): Ledger => {
  if (seen.value?.created !== true) return ledger
  const { app, envRevision, id, policy } = seen.value.deployment
  const displaced = ofDeployment(ledger, queuedOf(ledger, app)?.id, asked("superseded"))
  const stopped = policy === "supersede" ? runningOf(ledger, app)?.id : undefined
  const { deployments, ...rest } = ofDeployment(displaced, stopped, asked("superseded"))
  const held = { fence: 0, replica: undefined, lapsed: false, activated: false, stopAs: undefined, image: undefined }
  const entry: Entry = { id, app, tenant: ledger.tenants.get(app), stage: "queued", envRevision, ...held }
  const statuses = seen.request.trigger.kind === "start" ? put(rest.statuses, app, "live") : rest.statuses
  return { ...rest, statuses, deployments: put(deployments, id, entry) }
}

const appEnded = (ledger: Ledger, app: AppId, to: AppStatus): Ledger => {
  const own = ledger.statuses.get(app) === "live" ? 1 : 0
  return {
    ...changed(ledger, (entry) => (entry.app === app ? asked("cancelled")(entry) : {})),
    statuses: put(ledger.statuses, app, to),
    fences: put(ledger.fences, app, (ledger.fences.get(app) ?? 0) + own),
    unsettled: including(ledger.unsettled, app)
  }
}

const settled = (ledger: Ledger, app: AppId): Ledger => ({
  ...ledger,
  statuses: ledger.statuses.get(app) === "deleting" ? put(ledger.statuses, app, "deleted") : ledger.statuses,
  unsettled: without(ledger.unsettled, app)
})
