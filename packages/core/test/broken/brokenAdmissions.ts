// DeploymentStores that make mistakes where Slots are given and given back.

import { DateTime, Effect } from "effect"
import { defaultJobCap, type TenantName } from "../../src/domain/Tenant.ts"
import { Fence } from "../../src/domain/Lease.ts"
import type { AdmissionRequest, Claim } from "../../src/port/Claim.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { appOf, type DeploymentRow, type MemoryTables } from "../../src/port/MemoryState.ts"
import { StoreError } from "../../src/port/StoreError.ts"
import { altered, type Broken } from "./Broken.ts"

const tenantOf = ({ apps }: MemoryTables, row: DeploymentRow | undefined): TenantName | undefined =>
  row === undefined ? undefined : apps.get(row.deployment.app)?.app.tenant

const queued = ({ deployments }: MemoryTables): ReadonlyArray<DeploymentRow> =>
  [...deployments.values()].filter((row) => row.deployment.status === "queued")

/** The queued Deployment that was asked for, whatever stands before it. */
const asked = (state: MemoryTables, { deployment }: AdmissionRequest): DeploymentRow | undefined =>
  queued(state).find((row) => row.deployment.id === deployment)

/** The same, if it is the first of its Tenant, whatever the cap says. */
const firstInQueue = (state: MemoryTables, request: AdmissionRequest): DeploymentRow | undefined => {
  const wanted = asked(state, request)
  return queued(state).find((row) => tenantOf(state, row) === tenantOf(state, wanted)) === wanted ? wanted : undefined
}

const slotsOf = (state: MemoryTables, tenant: TenantName | undefined): number =>
  [...state.deployments.values()].filter(
    (row) => ["building", "deploying"].includes(row.deployment.status) && tenantOf(state, row) === tenant
  ).length

/** Gives a Deployment to whoever asks, without a look at anything. */
const given = Effect.fnUntraced(function* (
  state: MemoryTables,
  row: DeploymentRow | undefined,
  request: AdmissionRequest
) {
  const app = row === undefined ? undefined : state.apps.get(row.deployment.app)
  if (row === undefined || app === undefined) return undefined
  row.deployment = { ...row.deployment, status: "building", startedAt: yield* DateTime.now }
  const fence = Fence.make(++app.lastFence)
  const { replica } = request
  Object.assign(row, { fence, replica, leaseUntil: Number.POSITIVE_INFINITY })
  const claim: Claim = { deployment: row.deployment, app: appOf(state, app), source: row.source, fence, replica }
  return claim
})

/** DeploymentStores that are broken in `admit` or `usage`. */
export const brokenAdmissions: ReadonlyArray<Broken> = [
  {
    what: "a DeploymentStore that does not keep when a Deployment started",
    contract: "DeploymentStore",
    violates: ["INV-2 an admitted", "X5 one in progress"],
    layer: altered(DeploymentStore, (original, { deployments }) => ({
      admit: (request) =>
        Effect.map(original.admit(request), (claim) => {
          if (claim === undefined) return undefined
          const deployment = { ...claim.deployment, startedAt: null }
          const row = deployments.get(deployment.id)
          if (row !== undefined) row.deployment = deployment
          return { ...claim, deployment }
        })
    }))
  },
  {
    what: "a DeploymentStore that fails where a Deployment is not there",
    contract: "DeploymentStore",
    violates: ["DeploymentStore-5"],
    layer: altered(DeploymentStore, (original, { deployments }) => ({
      admit: (request) =>
        request.deployment === undefined || deployments.has(request.deployment)
          ? original.admit(request)
          : Effect.fail(new StoreError({ operation: "admit", reason: "unexpected", cause: "no such row" }))
    }))
  },
  {
    what: "a DeploymentStore that looks, waits and takes",
    contract: "DeploymentStore",
    violates: ["INV-2 of eight replicas", "INV-3 however"],
    layer: altered(DeploymentStore, (original, state) => ({
      admit: Effect.fnUntraced(function* (request) {
        const row = firstInQueue(state, request)
        yield* Effect.yieldNow
        const claim = yield* original.admit(request)
        return claim ?? (row?.deployment.status === "building" ? yield* given(state, row, request) : undefined)
      })
    }))
  },
  {
    what: "a DeploymentStore that gives a Slot to who asks first",
    contract: "DeploymentStore",
    violates: ["X6 Deployments of one Tenant", "X6 a cap", "U8 under queue", "U5 under supersede"],
    layer: altered(DeploymentStore, (original, state) => ({
      admit: Effect.fnUntraced(function* (request) {
        const claim = yield* original.admit(request)
        const row = asked(state, request)
        const isFree = slotsOf(state, tenantOf(state, row)) < defaultJobCap
        return claim ?? (isFree ? yield* given(state, row, request) : undefined)
      })
    }))
  },
  {
    what: "a DeploymentStore that admits over the cap",
    contract: "DeploymentStore",
    violates: ["X6 a cap", "INV-3 however", "INV-3 a Tenant at its cap", "K3", "U8 under queue", "U5 under supersede"],
    layer: altered(DeploymentStore, (original, state) => ({
      admit: Effect.fnUntraced(function* (request) {
        const claim = yield* original.admit(request)
        return claim ?? (yield* given(state, firstInQueue(state, request), request))
      })
    }))
  },
  {
    what: "a DeploymentStore that takes no cap for the default one",
    contract: "DeploymentStore",
    violates: ["X6 a cap", "X5 one that waits"],
    layer: altered(DeploymentStore, ({ setCap }) => ({
      setCap: (tenant, jobCap) => setCap(tenant, jobCap ?? defaultJobCap)
    }))
  },
  {
    what: "a DeploymentStore that counts a Slot down twice when a Deployment fails",
    contract: "DeploymentStore",
    violates: ["X6 a cap", "K3"],
    layer: altered(DeploymentStore, (original) => {
      const failures = new Map<TenantName, number>()
      return {
        finish: (claim, outcome) =>
          Effect.tap(original.finish(claim, outcome), () =>
            Effect.sync(() => {
              const { tenant } = claim.app
              if (outcome.status === "failed") failures.set(tenant, (failures.get(tenant) ?? 0) + 1)
            })
          ),
        usage: (tenant) =>
          Effect.map(original.usage(tenant), (usage) => ({
            ...usage,
            running: Math.max(0, usage.running - (failures.get(tenant) ?? 0))
          }))
      }
    })
  },
  {
    what: "a DeploymentStore whose Fences begin anew with each Deployment",
    contract: "DeploymentStore",
    violates: ["INV-13 the Fences"],
    layer: altered(DeploymentStore, (original, state) => ({
      admit: (request) =>
        Effect.suspend(() => {
          const row = asked(state, request)
          const app = row === undefined ? undefined : state.apps.get(row.deployment.app)
          if (app !== undefined) app.lastFence = 0
          return original.admit(request)
        })
    }))
  },
  {
    what: "a DeploymentStore that gives work only to who asks for it by name",
    contract: "DeploymentStore",
    violates: ["X6 who asks for any work"],
    layer: altered(DeploymentStore, (original) => ({
      admit: (request) => (request.deployment === undefined ? Effect.succeed(undefined) : original.admit(request))
    }))
  }
]
