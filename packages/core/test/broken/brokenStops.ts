// DeploymentStores that make mistakes where a Policy decides and where a Deployment is asked to stop.

import { Effect } from "effect"
import { isTerminal } from "../../src/domain/Deployment.ts"
import type { Claim } from "../../src/port/Claim.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { activeDeployments, type DeploymentRow, type MemoryTables } from "../../src/port/MemoryState.ts"
import { altered, type Broken } from "./Broken.ts"

const rowOf = ({ deployments }: MemoryTables, claim: Claim): DeploymentRow | undefined =>
  deployments.get(claim.deployment.id)

/** Does something as if nobody had asked this Deployment to stop. */
const unasked = <A, E, R>(row: DeploymentRow | undefined, effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const stopAs = row?.stopAs
    if (row !== undefined) row.stopAs = undefined
    return Effect.ensuring(
      effect,
      Effect.sync(() => {
        if (row !== undefined) row.stopAs = stopAs
      })
    )
  })

/** DeploymentStores that are broken in `begin`, `admit`, `requestCancel`, `stopRequested`, `activate` or `finish`. */
export const brokenStops: ReadonlyArray<Broken> = [
  {
    what: "a DeploymentStore that stops what is in progress under every Policy",
    contract: "DeploymentStore",
    violates: ["U8 under queue"],
    layer: altered(DeploymentStore, (original, state) => ({
      begin: (request) =>
        Effect.tap(original.begin(request), () =>
          Effect.sync(() => {
            const { inProgress } = activeDeployments(state, request.app)
            if (inProgress !== undefined) inProgress.stopAs ??= "superseded"
          })
        )
    }))
  },
  {
    what: "a DeploymentStore that says nothing of what a request displaces",
    contract: "DeploymentStore",
    violates: ["U8 under queue", "U5 of eight", "U9 a delivery"],
    layer: altered(DeploymentStore, (original, state) => ({
      begin: (request) =>
        Effect.suspend(() => {
          const { queued } = activeDeployments(state, request.app)
          return Effect.tap(original.begin(request), () =>
            Effect.sync(() => {
              if (queued !== undefined) queued.deployment = { ...queued.deployment, status: "cancelled" }
            })
          )
        })
    }))
  },
  {
    what: "a DeploymentStore that admits what waits for another of its App",
    contract: "DeploymentStore",
    violates: ["U8 under queue", "U5 under supersede"],
    layer: altered(DeploymentStore, (original, state) => ({
      admit: (request) =>
        Effect.suspend(() => {
          const asked = request.deployment === undefined ? undefined : state.deployments.get(request.deployment)
          const { inProgress } =
            asked === undefined ? { inProgress: undefined } : activeDeployments(state, asked.deployment.app)
          if (inProgress === undefined) return original.admit(request)
          const { deployment } = inProgress
          inProgress.deployment = { ...deployment, status: "failed" }
          return Effect.ensuring(
            original.admit(request),
            Effect.sync(() => (inProgress.deployment = deployment))
          )
        })
    }))
  },
  {
    what: "a DeploymentStore that lets nobody pass one that waits for its App",
    contract: "DeploymentStore",
    violates: ["U5 a Deployment that waits"],
    layer: altered(DeploymentStore, (original, state) => ({
      admit: (request) =>
        Effect.suspend(() => {
          const asked = request.deployment === undefined ? undefined : state.deployments.get(request.deployment)
          const isBehind = [...state.deployments.values()].some(
            ({ deployment, position }) =>
              asked !== undefined &&
              deployment.status === "queued" &&
              position < asked.position &&
              state.apps.get(deployment.app)?.app.tenant === state.apps.get(asked.deployment.app)?.app.tenant
          )
          return isBehind ? Effect.undefined : original.admit(request)
        })
    }))
  },
  {
    what: "a DeploymentStore that knows no Policy but reject unless it is asked for one",
    contract: "DeploymentStore",
    violates: ["U8 a webhook", "U8 under queue"],
    layer: altered(DeploymentStore, (original) => ({
      begin: (request) => original.begin({ ...request, policy: request.policy ?? "reject" })
    }))
  },
  {
    what: "a DeploymentStore that lets who was asked to stop go on",
    contract: "DeploymentStore",
    violates: [
      "U5 under supersede",
      "B30 a Deployment in progress",
      "INV-4 of a request to cancel",
      "X5 who was asked"
    ],
    layer: altered(DeploymentStore, (original, state) => ({
      activate: (claim) => unasked(rowOf(state, claim), original.activate(claim)),
      finish: (claim, outcome) => unasked(rowOf(state, claim), original.finish(claim, outcome))
    }))
  },
  {
    what: "a DeploymentStore that only asks a queued Deployment to stop",
    contract: "DeploymentStore",
    violates: ["X5 a queued Deployment"],
    layer: altered(DeploymentStore, (original, state) => ({
      requestCancel: (id) =>
        Effect.suspend(() => {
          const row = state.deployments.get(id)
          if (row?.deployment.status !== "queued") return original.requestCancel(id)
          row.stopAs ??= "cancelled"
          return original.get(id)
        })
    }))
  },
  {
    what: "a DeploymentStore that forgets a request to stop with its holder",
    contract: "DeploymentStore",
    violates: ["B30 a request to stop outlives"],
    layer: altered(DeploymentStore, (original, state) => ({
      claimAbandoned: (request, limit) =>
        Effect.tap(original.claimAbandoned(request, limit), (claims) =>
          Effect.sync(() => {
            for (const claim of claims) {
              const row = rowOf(state, claim)
              if (row !== undefined) row.stopAs = undefined
            }
          })
        )
    }))
  },
  {
    what: "a DeploymentStore in which the last request to stop counts",
    contract: "DeploymentStore",
    violates: ["X5 who was asked", "X5 how one was asked"],
    layer: altered(DeploymentStore, (original, state) => ({
      requestCancel: (id) =>
        Effect.suspend(() => {
          const row = state.deployments.get(id)
          if (row !== undefined && !isTerminal(row.deployment.status)) row.stopAs = undefined
          return original.requestCancel(id)
        })
    }))
  },
  {
    what: "a DeploymentStore that asks what has ended to stop",
    contract: "DeploymentStore",
    violates: ["X5 cancelling what has ended"],
    layer: altered(DeploymentStore, (original, state) => ({
      requestCancel: (id) =>
        Effect.tap(original.requestCancel(id), () =>
          Effect.sync(() => {
            const row = state.deployments.get(id)
            if (row !== undefined) row.stopAs ??= "cancelled"
          })
        )
    }))
  }
]
