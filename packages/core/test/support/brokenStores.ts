// Stores that make the mistakes their contracts exist for.

import { DateTime, Effect, Result } from "effect"
import { defaultHealthCheck } from "../../src/domain/HealthCheck.ts"
import { apply, type Env, type EnvChange } from "../../src/domain/Env.ts"
import { Fence } from "../../src/domain/Lease.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import type { AdmissionRequest, Claim } from "../../src/port/Claim.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { EnvStore } from "../../src/port/EnvStore.ts"
import { EventFeed } from "../../src/port/EventFeed.ts"
import { appOf, type DeploymentRow, MemoryState, type MemoryTables } from "../../src/port/MemoryState.ts"
import { AppStoreContract } from "../../src/testing/AppStoreContract.ts"
import { DeploymentStoreContract } from "../../src/testing/DeploymentStoreContract.ts"
import { EnvStoreContract } from "../../src/testing/EnvStoreContract.ts"
import { EventFeedContract } from "../../src/testing/EventFeedContract.ts"
import { altered, type Broken } from "./Broken.ts"

/** The next queued Deployment of its Tenant, whatever the cap says. */
const nextQueued = (state: MemoryTables, { deployment }: AdmissionRequest): DeploymentRow | undefined => {
  const tenant = (row: DeploymentRow) => state.apps.get(row.deployment.app)?.app.tenant
  const queued = [...state.deployments.values()].filter((row) => row.deployment.status === "queued")
  const wanted = queued.find((row) => deployment === undefined || row.deployment.id === deployment)
  return queued.find((row) => wanted !== undefined && tenant(row) === tenant(wanted)) === wanted ? wanted : undefined
}

const taken = Effect.fnUntraced(function* (state: MemoryTables, row: DeploymentRow, request: AdmissionRequest) {
  const app = state.apps.get(row.deployment.app)
  if (app === undefined) return undefined
  row.deployment = { ...row.deployment, status: "building", startedAt: yield* DateTime.now }
  const fence = Fence.make(++app.lastFence)
  const { replica } = request
  Object.assign(row, { fence, replica, leaseUntil: Number.POSITIVE_INFINITY })
  const claim: Claim = { deployment: row.deployment, app: appOf(state, app), source: row.source, fence, replica }
  return claim
})

const current = (state: MemoryTables, claim: Claim): Claim => ({
  ...claim,
  fence: state.deployments.get(claim.deployment.id)?.fence ?? claim.fence
})

const replacement = (from: Env, to: Env): EnvChange =>
  new Map([...[...from.keys()].map((key) => [key, null] as const), ...to])

/** Broken stores. */
export const brokenStores: ReadonlyArray<Broken> = [
  {
    what: "an AppStore that lists the oldest first",
    contract: AppStoreContract,
    violates: ["AppStore-6"],
    layer: altered(AppStore, (original) =>
      Effect.succeed({
        ...original,
        list: (tenant, page) =>
          Effect.map(original.list(tenant, page), ({ items, nextCursor }) => ({
            items: [...items].reverse(),
            nextCursor
          }))
      })
    )
  },
  {
    what: "an AppStore whose change sets what it was not asked for",
    contract: AppStoreContract,
    violates: ["AppStore-7"],
    layer: altered(AppStore, (original) =>
      Effect.succeed({
        ...original,
        change: (app, change) => original.change(app, { healthCheck: defaultHealthCheck, ...change })
      })
    )
  },
  {
    what: "an EnvStore that reads, waits and overwrites",
    contract: EnvStoreContract,
    violates: ["E1", "E12", "E2"],
    layer: altered(EnvStore, (original) =>
      Effect.succeed({
        ...original,
        revise: Effect.fnUntraced(function* (edit) {
          const before = yield* original.read(edit.app)
          const change = yield* Effect.fromResult(edit.decide(before))
          const applied = yield* Effect.fromResult(apply(before.env, change))
          yield* Effect.yieldNow
          const overwrite = ({ env }: { readonly env: Env }) => Result.succeed(replacement(env, applied.env))
          const { revision } = yield* original.revise({ ...edit, decide: overwrite })
          return { revision, applied }
        })
      })
    )
  },
  {
    what: "an EnvStore that answers the present Env for every revision",
    contract: EnvStoreContract,
    violates: ["INV-9"],
    layer: altered(EnvStore, (original) =>
      Effect.succeed({ ...original, readAt: (app) => Effect.map(original.read(app), ({ env }) => env) })
    )
  },
  {
    what: "a DeploymentStore that admits over the cap",
    contract: DeploymentStoreContract,
    violates: ["INV-3", "INV-3", "K3"],
    layer: altered(
      DeploymentStore,
      Effect.fnUntraced(function* (original) {
        const state = yield* MemoryState
        const admit = Effect.fnUntraced(function* (request: AdmissionRequest) {
          const claim = yield* original.admit(request)
          const row = claim === undefined ? nextQueued(state, request) : undefined
          return row === undefined ? claim : yield* taken(state, row, request)
        })
        return { ...original, admit }
      })
    )
  },
  {
    what: "a DeploymentStore that looks, waits and takes",
    contract: DeploymentStoreContract,
    violates: ["INV-2", "INV-3"],
    layer: altered(
      DeploymentStore,
      Effect.fnUntraced(function* (original) {
        const state = yield* MemoryState
        const admit = Effect.fnUntraced(function* (request: AdmissionRequest) {
          const row = nextQueued(state, request)
          yield* Effect.yieldNow
          const claim = yield* original.admit(request)
          return claim ?? (row?.deployment.status === "building" ? yield* taken(state, row, request) : undefined)
        })
        return { ...original, admit }
      })
    )
  },
  {
    what: "a DeploymentStore that ends Deployments under any Fence",
    contract: DeploymentStoreContract,
    violates: ["R9", "INV-1"],
    layer: altered(
      DeploymentStore,
      Effect.fnUntraced(function* (original) {
        const state = yield* MemoryState
        return { ...original, finish: (claim, outcome) => original.finish(current(state, claim), outcome) }
      })
    )
  },
  {
    what: "a DeploymentStore that renews what has run out",
    contract: DeploymentStoreContract,
    violates: ["INV-1", "INV-1"],
    layer: altered(
      DeploymentStore,
      Effect.fnUntraced(function* (original) {
        const { deployments } = yield* MemoryState
        const revive = (claim: Claim) =>
          Effect.sync(() => {
            const row = deployments.get(claim.deployment.id)
            if (row !== undefined) row.leaseUntil = Number.POSITIVE_INFINITY
          })
        return { ...original, renew: (claim, terms) => Effect.andThen(revive(claim), original.renew(claim, terms)) }
      })
    )
  },
  {
    what: "a DeploymentStore that takes each delivery for a new one",
    contract: DeploymentStoreContract,
    violates: ["U9"],
    layer: altered(DeploymentStore, (original) =>
      Effect.succeed({
        ...original,
        begin: (request) => original.begin({ ...request, trigger: { kind: request.trigger.kind } })
      })
    )
  },
  {
    what: "an EventFeed that answers the last Event again",
    contract: EventFeedContract,
    violates: ["X12", "X12"],
    layer: altered(
      EventFeed,
      Effect.fnUntraced(function* (original) {
        const { events } = yield* MemoryState
        return {
          ...original,
          read: (query) =>
            Effect.map(original.read(query), (found) => [...events.filter(({ id }) => id === query.after), ...found])
        }
      })
    )
  },
  {
    what: "an EventFeed that shows a Tenant the Events of all",
    contract: EventFeedContract,
    violates: ["EventFeed-2"],
    layer: altered(EventFeed, (original) =>
      Effect.succeed({ ...original, read: ({ tenant: _, ...query }) => original.read(query) })
    )
  }
]
