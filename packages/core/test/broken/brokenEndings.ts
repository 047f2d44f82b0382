// DeploymentStores that make mistakes where Deployments are built, activated and ended.

import { Effect } from "effect"
import { ReleaseId } from "../../src/domain/App.ts"
import { isTerminal } from "../../src/domain/Deployment.ts"
import type { Claim, Serving } from "../../src/port/Claim.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { appOf, type DeploymentRow, type MemoryTables } from "../../src/port/MemoryState.ts"
import { altered, type Broken } from "./Broken.ts"

const rowOf = ({ deployments }: MemoryTables, claim: Claim): DeploymentRow | undefined =>
  deployments.get(claim.deployment.id)

/** Sets whether the Releases of an App are current. */
const setCurrent = ({ releases }: MemoryTables, { app }: Claim, current: boolean) =>
  Effect.sync(() => {
    for (const row of releases.values()) {
      if (row.release.app === app.id) row.release = { ...row.release, current }
    }
  })

/** What would serve if a Release were not needed for that. */
const unreleased = (state: MemoryTables): ReadonlyArray<Serving> =>
  [...state.deployments.values()].flatMap(({ deployment, fence }) => {
    const app = state.apps.get(deployment.app)
    const { createdAt, envRevision, image, status } = deployment
    if (status !== "deploying" || app === undefined || fence === undefined || image === null) return []
    const id = ReleaseId.make("rel_0")
    const release = { id, app: deployment.app, number: 1, image, envRevision, commit: null, createdAt, current: true }
    return [{ app: appOf(state, app), release, deployment: deployment.id, fence, routeFence: fence }]
  })

/** DeploymentStores that are broken in `built`, `finish`, `withdraw` or `serving`. */
export const brokenEndings: ReadonlyArray<Broken> = [
  {
    what: "a DeploymentStore in which a Deployment may be built twice",
    contract: "DeploymentStore",
    violates: ["R4 a Deployment passes"],
    layer: altered(DeploymentStore, (original, state) => ({
      built: (claim, image, commit) =>
        Effect.suspend(() => {
          const row = rowOf(state, claim)
          if (row?.deployment.status === "deploying" && row.fence === claim.fence) {
            row.deployment = { ...row.deployment, status: "building" }
          }
          return original.built(claim, image, commit)
        })
    }))
  },
  {
    what: "a DeploymentStore that does not ask whether a healthy Deployment was activated",
    contract: "DeploymentStore",
    violates: ["INV-8 a Deployment that was not activated"],
    layer: altered(DeploymentStore, (original, state) => ({
      finish: (claim, outcome) =>
        Effect.suspend(() => {
          const row = rowOf(state, claim)
          if (row !== undefined) row.activated = true
          return original.finish(claim, outcome)
        })
    }))
  },
  {
    what: "a DeploymentStore that forgets why a Deployment failed",
    contract: "DeploymentStore",
    violates: ["U7"],
    layer: altered(DeploymentStore, (original, state) => ({
      finish: (claim, outcome) =>
        Effect.map(original.finish(claim, outcome), (ended) => {
          const deployment = { ...ended, error: null }
          const row = rowOf(state, claim)
          if (row !== undefined) row.deployment = deployment
          return deployment
        })
    }))
  },
  {
    what: "a DeploymentStore that looks whether a Deployment has ended, waits, and ends it",
    contract: "DeploymentStore",
    violates: ["INV-4 of several ends"],
    layer: altered(DeploymentStore, (original, state) => ({
      finish: Effect.fnUntraced(function* (claim, outcome) {
        const status = rowOf(state, claim)?.deployment.status
        yield* Effect.yieldNow
        const row = rowOf(state, claim)
        if (row !== undefined && status !== undefined && !isTerminal(status)) {
          row.deployment = { ...row.deployment, status }
        }
        return yield* original.finish(claim, outcome)
      })
    }))
  },
  {
    what: "a DeploymentStore that keeps all Releases of an App current",
    contract: "DeploymentStore",
    violates: ["X3 a healthy Deployment", "X3 Releases are read", "X3 a Deployment of the current Release"],
    layer: altered(DeploymentStore, (original, state) => ({
      finish: (claim, outcome) => Effect.tap(original.finish(claim, outcome), () => setCurrent(state, claim, true))
    }))
  },
  {
    what: "a DeploymentStore that ends the current Release before it knows how the next one ends",
    contract: "DeploymentStore",
    violates: ["INV-8 a Deployment that fails", "INV-2 what serves"],
    layer: altered(DeploymentStore, (original, state) => ({
      finish: (claim, outcome) =>
        Effect.tap(original.finish(claim, outcome), () =>
          outcome.status === "healthy" ? Effect.void : setCurrent(state, claim, false)
        )
    }))
  },
  {
    what: "a DeploymentStore that deletes what is withdrawn",
    contract: "DeploymentStore",
    violates: ["INV-4 a queued Deployment"],
    layer: altered(DeploymentStore, (_, { deployments }) => ({
      withdraw: (id) =>
        Effect.sync(() => {
          if (deployments.get(id)?.deployment.status === "queued") deployments.delete(id)
        })
    }))
  },
  {
    what: "a DeploymentStore that withdraws what is in progress too",
    contract: "DeploymentStore",
    violates: ["INV-4 withdrawing"],
    layer: altered(DeploymentStore, (original, { deployments }) => ({
      withdraw: (id) =>
        Effect.suspend(() => {
          const row = deployments.get(id)
          if (row !== undefined && !isTerminal(row.deployment.status)) {
            row.deployment = { ...row.deployment, status: "queued" }
          }
          return original.withdraw(id)
        })
    }))
  },
  {
    what: "a DeploymentStore that takes the Fence of the Release for the newest",
    contract: "DeploymentStore",
    violates: ["INV-2 what serves"],
    layer: altered(DeploymentStore, (original) => ({
      serving: Effect.map(original.serving, (all) => all.map((each) => ({ ...each, routeFence: each.fence })))
    }))
  },
  {
    what: "a DeploymentStore that has what is being deployed serve",
    contract: "DeploymentStore",
    violates: ["INV-8 an App without a Release"],
    layer: altered(DeploymentStore, (original, state) => ({
      serving: Effect.map(original.serving, (all) => [...all, ...unreleased(state)])
    }))
  }
]
