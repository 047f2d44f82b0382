// DeploymentStores that make mistakes where Deployments begin and are read.

import { DateTime, Effect } from "effect"
import type { AppId } from "../../src/domain/App.ts"
import { Cursor } from "../../src/domain/Page.ts"
import { DeploymentRefused, queueLimit } from "../../src/port/DeploymentRequest.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { activeDeployment, appOf, type MemoryTables, publish } from "../../src/port/MemoryState.ts"
import { altered, type Broken } from "./Broken.ts"

/** Does something as if the App had no active Deployment. */
const unseen = <A, E, R>(state: MemoryTables, app: AppId, effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const row = activeDeployment(state, app)
    if (row === undefined) return effect
    const { status } = row.deployment
    row.deployment = { ...row.deployment, status: "cancelled" }
    return Effect.ensuring(
      effect,
      Effect.sync(() => (row.deployment = { ...row.deployment, status }))
    )
  })

/** DeploymentStores that are broken in `begin`, `get` or `list`. */
export const brokenBegins: ReadonlyArray<Broken> = [
  {
    what: "a DeploymentStore that answers the position in the queue from zero on",
    contract: "DeploymentStore",
    violates: ["DeploymentStore-1"],
    layer: altered(DeploymentStore, (original) => ({
      begin: (request) =>
        Effect.map(original.begin(request), ({ created, deployment }) => ({
          created,
          deployment: created ? { ...deployment, queuePosition: (deployment.queuePosition ?? 1) - 1 } : deployment
        }))
    }))
  },
  {
    what: "a DeploymentStore that keeps the App's commit where a request names a ref",
    contract: "DeploymentStore",
    violates: ["DeploymentStore-2"],
    layer: altered(DeploymentStore, (original, { apps }) => ({
      begin: ({ ref, ...request }) => {
        const own = apps.get(request.app)?.source
        const isKept = ref !== undefined && request.source === undefined && own?.type === "git"
        return original.begin(isKept ? { ...request, source: { ...own, ref } } : { ...request, ref })
      }
    }))
  },
  {
    what: "a DeploymentStore that looks the Env revision up when a Deployment is read",
    contract: "DeploymentStore",
    violates: ["E11"],
    layer: altered(DeploymentStore, (original, state) => ({
      get: (id) =>
        Effect.map(original.get(id), (deployment) => {
          const row = state.apps.get(deployment.app)
          return row === undefined ? deployment : { ...deployment, envRevision: appOf(state, row).envRevision }
        })
    }))
  },
  {
    what: "a DeploymentStore that looks for an active Deployment, waits, and begins",
    contract: "DeploymentStore",
    violates: ["INV-2 of eight requests"],
    layer: altered(DeploymentStore, (original, state) => ({
      begin: Effect.fnUntraced(function* (request) {
        if (activeDeployment(state, request.app) !== undefined) return yield* original.begin(request)
        yield* Effect.yieldNow
        return yield* unseen(state, request.app, original.begin(request))
      })
    }))
  },
  {
    what: "a DeploymentStore for which only what is queued stands in the way of another Deployment",
    contract: "DeploymentStore",
    violates: [
      "INV-2 while a Deployment",
      "U5 under supersede",
      "U8 a webhook",
      "X5 who was asked",
      "X5 how one was asked"
    ],
    layer: altered(DeploymentStore, (original, state) => ({
      begin: (request) =>
        Effect.suspend(() =>
          activeDeployment(state, request.app)?.deployment.status === "queued"
            ? original.begin(request)
            : unseen(state, request.app, original.begin(request))
        )
    }))
  },
  {
    what: "a DeploymentStore that takes each delivery for a new one",
    contract: "DeploymentStore",
    violates: ["U9 a delivery"],
    layer: altered(DeploymentStore, (original) => ({
      begin: (request) => original.begin({ ...request, trigger: { kind: request.trigger.kind } })
    }))
  },
  {
    what: "a DeploymentStore whose deliveries are unique over all Apps",
    contract: "DeploymentStore",
    violates: ["U9 one delivery"],
    layer: altered(DeploymentStore, (original, { deployments }) => ({
      begin: (request) => {
        const { deliveryId } = request.trigger
        const seen = [...deployments.values()].find(
          ({ deployment }) => deliveryId !== undefined && deployment.trigger.deliveryId === deliveryId
        )
        return seen === undefined
          ? original.begin(request)
          : Effect.succeed({ deployment: seen.deployment, created: false })
      }
    }))
  },
  {
    what: "a DeploymentStore that writes the Event of a request before it looks whether it may begin",
    contract: "DeploymentStore",
    violates: ["U8 a request is refused"],
    layer: altered(DeploymentStore, (original, state) => ({
      begin: (request) =>
        Effect.tapError(original.begin(request), () =>
          Effect.map(DateTime.now, (now) => {
            const row = state.apps.get(request.app)
            if (row !== undefined) publish(state, now, "deployment.queued", row.app, "dep_refused")
          })
        )
    }))
  },
  {
    what: "a DeploymentStore with one queue limit for all Tenants",
    contract: "DeploymentStore",
    violates: ["X6 a Tenant's queue"],
    layer: altered(DeploymentStore, (original, { deployments }) => ({
      begin: Effect.fnUntraced(function* (request) {
        const queued = [...deployments.values()].filter(({ deployment }) => deployment.status === "queued")
        if (queued.length < queueLimit) return yield* original.begin(request)
        return yield* new DeploymentRefused({ reason: { _tag: "QueueFull", limit: queueLimit } })
      })
    }))
  },
  {
    what: "a DeploymentStore whose pages begin with the last item of the page before",
    contract: "DeploymentStore",
    violates: ["DeploymentStore-3"],
    layer: altered(DeploymentStore, (original) => ({
      list: (app, { cursor, limit }) =>
        original.list(app, {
          limit,
          cursor: cursor === undefined ? undefined : Cursor.make(String(Number(cursor) + 1))
        })
    }))
  },
  {
    what: "a DeploymentStore that dies where a Deployment is not there",
    contract: "DeploymentStore",
    violates: ["DeploymentStore-4"],
    layer: altered(DeploymentStore, (original) => ({ get: (id) => Effect.orDie(original.get(id)) }))
  }
]
