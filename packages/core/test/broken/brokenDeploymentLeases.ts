// DeploymentStores that make mistakes where Deployments change hands.

import { Clock, Effect } from "effect"
import { isTerminal } from "../../src/domain/Deployment.ts"
import { Fence } from "../../src/domain/Lease.ts"
import type { Claim } from "../../src/port/Claim.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { appOf, type DeploymentRow, type MemoryTables } from "../../src/port/MemoryState.ts"
import { altered, type Broken } from "./Broken.ts"

const rowOf = ({ deployments }: MemoryTables, claim: Claim) => deployments.get(claim.deployment.id)

const leaseUntil = (row: DeploymentRow | undefined, millis: number) =>
  Effect.sync(() => {
    if (row !== undefined) row.leaseUntil = millis
  })

/** DeploymentStores that are broken where leases and Fences are kept. */
export const brokenDeploymentLeases: ReadonlyArray<Broken> = [
  {
    what: "a DeploymentStore that has what was abandoned begin again",
    contract: "DeploymentStore",
    violates: ["INV-13 an abandoned"],
    layer: altered(DeploymentStore, (original, state) => ({
      claimAbandoned: (request, limit) =>
        Effect.map(original.claimAbandoned(request, limit), (claims) =>
          claims.map((claim) => {
            const deployment = { ...claim.deployment, status: "building" as const }
            const row = rowOf(state, claim)
            if (row !== undefined) row.deployment = deployment
            return { ...claim, deployment }
          })
        )
    }))
  },
  {
    what: "a DeploymentStore that ends Deployments under any Fence",
    contract: "DeploymentStore",
    violates: ["R9 every write", "INV-1 a lease"],
    layer: altered(DeploymentStore, (original, state) => ({
      finish: (claim, outcome) =>
        original.finish({ ...claim, fence: rowOf(state, claim)?.fence ?? claim.fence }, outcome)
    }))
  },
  {
    what: "a DeploymentStore that renews what has ended",
    contract: "DeploymentStore",
    violates: ["R9 a Deployment that has ended"],
    layer: altered(DeploymentStore, (original, state) => ({
      renew: (claim, terms) =>
        Effect.suspend(() => {
          const row = rowOf(state, claim)
          const hasEnded = row !== undefined && isTerminal(row.deployment.status) && row.fence === claim.fence
          return hasEnded ? Effect.void : original.renew(claim, terms)
        })
    }))
  },
  {
    what: "a DeploymentStore that hands out what has ended",
    contract: "DeploymentStore",
    violates: ["INV-13 a Deployment that is held"],
    layer: altered(DeploymentStore, (original, state) => ({
      claimAbandoned: Effect.fnUntraced(function* (request, limit) {
        const claims = yield* original.claimAbandoned(request, limit)
        const ended = [...state.deployments.values()].filter(({ deployment }) => isTerminal(deployment.status))
        const more = ended.flatMap(({ deployment, fence, source }) => {
          const app = state.apps.get(deployment.app)
          if (request.deployment !== deployment.id || app === undefined || fence === undefined) return []
          return [
            { deployment, app: appOf(state, app), source, fence: Fence.make(fence + 1), replica: request.replica }
          ]
        })
        return [...claims, ...more].slice(0, limit)
      })
    }))
  },
  {
    what: "a DeploymentStore for which all replicas are dead with one",
    contract: "DeploymentStore",
    violates: ["INV-13 a Deployment that is held", "INV-1 declaring"],
    layer: altered(DeploymentStore, (_, { deployments }) => ({
      abandon: () => Effect.forEach(deployments.values(), (row) => leaseUntil(row, 0), { discard: true })
    }))
  },
  {
    what: "a DeploymentStore that looks for what is abandoned, waits, and takes it",
    contract: "DeploymentStore",
    violates: ["H31"],
    layer: altered(DeploymentStore, (original, { deployments }) => ({
      claimAbandoned: Effect.fnUntraced(function* (request, limit) {
        const now = yield* Clock.currentTimeMillis
        const found = [...deployments.values()].filter((row) => row.leaseUntil <= now)
        yield* Effect.yieldNow
        yield* Effect.forEach(found, (row) => leaseUntil(row, 0))
        return yield* original.claimAbandoned(request, limit)
      })
    }))
  },
  {
    what: "a DeploymentStore that hands out one abandoned Deployment more than it was asked for",
    contract: "DeploymentStore",
    violates: ["DeploymentStore-6"],
    layer: altered(DeploymentStore, (original) => ({
      claimAbandoned: (request, limit) => original.claimAbandoned(request, limit + 1)
    }))
  },
  {
    what: "a DeploymentStore that tells of an abandoned Deployment for as long as it is in progress",
    contract: "DeploymentStore",
    violates: ["X7 abandoned"],
    layer: altered(DeploymentStore, (_, { deployments }) => ({
      abandoned: (limit) =>
        Effect.sync(() =>
          [...deployments.values()]
            .filter(({ deployment }) => deployment.status === "building")
            .map(({ deployment }) => deployment.id)
            .slice(0, limit)
        )
    }))
  },
  {
    what: "a DeploymentStore that renews what has run out",
    contract: "DeploymentStore",
    violates: ["INV-1 declaring", "INV-1 a lease"],
    layer: altered(DeploymentStore, (original, state) => ({
      renew: (claim, terms) =>
        Effect.andThen(leaseUntil(rowOf(state, claim), Number.POSITIVE_INFINITY), original.renew(claim, terms))
    }))
  },
  {
    what: "a DeploymentStore whose leases do not last longer when they are renewed",
    contract: "DeploymentStore",
    violates: ["H22"],
    layer: altered(DeploymentStore, (original, state) => ({
      renew: (claim, terms) =>
        Effect.suspend(() => {
          const before = rowOf(state, claim)?.leaseUntil ?? 0
          return Effect.tap(original.renew(claim, terms), () => leaseUntil(rowOf(state, claim), before))
        })
    }))
  }
]
