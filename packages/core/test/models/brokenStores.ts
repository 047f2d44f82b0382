// Stores that break an invariant, each for the model that must notice.

import { Effect, type Layer } from "effect"
import { Fence } from "../../src/domain/Lease.ts"
import { defaultJobCap } from "../../src/domain/Tenant.ts"
import type { Claim } from "../../src/port/Claim.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { EnvStore } from "../../src/port/EnvStore.ts"
import { Journal } from "../../src/port/Journal.ts"
import { type DeploymentRow, type MemoryTables, publish } from "../../src/port/MemoryState.ts"
import * as Models from "../../../../test/harness/models/models.ts"
import { altered } from "../broken/Broken.ts"
import { overwriting } from "../broken/brokenEnvStores.ts"
import type { MemoryPorts } from "../support/layerMemory.ts"

/** A store that is broken on purpose. */
export interface BrokenStore {
  readonly what: string
  readonly model: Models.Model
  /** How many are asked at the same time for it to show. */
  readonly width: number
  readonly layer: Layer.Layer<MemoryPorts>
}

type Store = typeof DeploymentStore.Service

const alteredStore = (alter: (original: Store, state: MemoryTables) => Partial<Store>) =>
  altered(DeploymentStore, alter)

const rowsOf = (state: MemoryTables, ...statuses: ReadonlyArray<string>): ReadonlyArray<DeploymentRow> =>
  [...state.deployments.values()].filter(({ deployment }) => statuses.includes(deployment.status))

const tenantOf = (state: MemoryTables, row: DeploymentRow) => state.apps.get(row.deployment.app)?.app.tenant

const current = (state: MemoryTables, claim: Claim): Claim => ({
  ...claim,
  fence: state.deployments.get(claim.deployment.id)?.fence ?? claim.fence
})

/** Does something while Deployments are taken for some that have ended. */
const overlooking = <A, E>(rows: ReadonlyArray<DeploymentRow>, self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const overlooked = rows.map((row) => ({ row, deployment: row.deployment }))
    for (const { deployment, row } of overlooked) row.deployment = { ...deployment, status: "failed" }
    return Effect.ensuring(
      self,
      Effect.sync(() => {
        for (const { deployment, row } of overlooked) row.deployment = deployment
      })
    )
  })

/** Does something, and takes back what it asked of Deployments. */
const unasked = <A, E>(rows: ReadonlyArray<DeploymentRow>, self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const before = rows.map((row) => ({ row, stopAs: row.stopAs }))
    return Effect.ensuring(
      self,
      Effect.sync(() => {
        for (const { row, stopAs } of before) row.stopAs = stopAs
      })
    )
  })

/** Does something while every App is taken for a live one. */
const reviving = <A, E>(state: MemoryTables, self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const apps = [...state.apps.values()].map((row) => ({ row, app: row.app }))
    for (const { app, row } of apps) row.app = { ...app, status: "live" }
    return Effect.ensuring(
      self,
      Effect.sync(() => {
        for (const { app, row } of apps) row.app = app
      })
    )
  })

/** Broken stores, several for most invariants. */
export const brokenStores: ReadonlyArray<BrokenStore> = [
  {
    what: "INV-13: a store that ends Deployments under any Fence",
    model: Models.holding,
    width: 1,
    layer: alteredStore((original, state) => ({
      finish: (claim, outcome) => original.finish(current(state, claim), outcome)
    }))
  },
  {
    what: "INV-13: a store that gives the next holder the Fence of the one before",
    model: Models.holding,
    width: 1,
    layer: alteredStore((original, state) => ({
      claimAbandoned: (request, limit) =>
        Effect.map(original.claimAbandoned(request, limit), (claims) =>
          claims.map((claim) => {
            const fence = Fence.make(claim.fence - 1)
            const row = state.deployments.get(claim.deployment.id)
            if (row !== undefined) row.fence = fence
            return { ...claim, fence }
          })
        )
    }))
  },
  {
    what: "INV-1: a store that leaves what is deploying to its dead holder",
    model: Models.holding,
    width: 1,
    layer: alteredStore((original, state) => ({
      claimAbandoned: (request, limit) =>
        rowsOf(state, "deploying").length > 0 ? Effect.succeed([]) : original.claimAbandoned(request, limit)
    }))
  },
  {
    what: "INV-2: a store that begins a Deployment while another one is queued",
    model: Models.activity,
    width: 1,
    layer: alteredStore((original, state) => ({
      begin: (request) =>
        overlooking(
          rowsOf(state, "queued").filter(({ deployment }) => deployment.app === request.app),
          original.begin(request)
        )
    }))
  },
  {
    what: "INV-2: a store that takes each delivery for a new one",
    model: Models.activity,
    width: 1,
    layer: alteredStore((original) => ({
      begin: (request) => original.begin({ ...request, trigger: { kind: request.trigger.kind } })
    }))
  },
  {
    what: "U5: a store that takes the Policy supersede for queue",
    model: Models.stops,
    width: 1,
    layer: alteredStore((original, state) => ({
      begin: (request) => unasked(rowsOf(state, "building", "deploying"), original.begin(request))
    }))
  },
  {
    what: "U5: a store that begins under every Policy",
    model: Models.activity,
    width: 1,
    layer: alteredStore((original) => ({
      begin: (request) => original.begin({ ...request, policy: request.policy === "reject" ? "queue" : request.policy })
    }))
  },
  {
    what: "INV-4: a store that makes healthy what was asked to stop after its traffic moved",
    model: Models.stops,
    width: 1,
    layer: alteredStore((original, state) => ({
      finish: (claim, outcome) => {
        const row = state.deployments.get(claim.deployment.id)
        if (row !== undefined && outcome.status === "healthy") row.stopAs = undefined
        return original.finish(claim, outcome)
      }
    }))
  },
  {
    what: "INV-4: a store that cancels what has begun and leaves what waits",
    model: Models.stops,
    width: 1,
    layer: alteredStore((original, state) => ({
      requestCancel: (id) =>
        state.deployments.get(id)?.deployment.status === "queued" ? original.get(id) : original.requestCancel(id)
    }))
  },
  {
    what: "INV-3: a store that does not count what is deploying",
    model: Models.slots,
    width: 1,
    layer: alteredStore((original, state) => ({
      admit: (request) => overlooking(rowsOf(state, "deploying"), original.admit(request))
    }))
  },
  {
    what: "INV-3: a store that serves who came last",
    model: Models.slots,
    width: 1,
    layer: alteredStore((original, state) => ({
      admit: (request) => original.admit({ deployment: rowsOf(state, "queued").at(-1)?.deployment.id, ...request })
    }))
  },
  {
    what: "INV-3: a store that looks, waits and takes",
    model: Models.slots,
    width: 4,
    layer: alteredStore((original, state) => ({
      admit: Effect.fnUntraced(function* (request) {
        const ofTenant = Map.groupBy(rowsOf(state, "building", "deploying"), (row) => tenantOf(state, row))
        yield* Effect.yieldNow
        const free = rowsOf(state, "building", "deploying").filter(
          (row) => (ofTenant.get(tenantOf(state, row)) ?? []).length < defaultJobCap
        )
        return yield* overlooking(free, original.admit(request))
      })
    }))
  },
  {
    what: "INV-5: a store that reads, waits and overwrites",
    model: Models.envs,
    width: 4,
    layer: overwriting
  },
  {
    what: "INV-5: a store that answers the present Env for every Revision",
    model: Models.envs,
    width: 1,
    layer: altered(EnvStore, (original) => ({
      readAt: (app) => Effect.map(original.read(app), ({ env }) => env)
    }))
  },
  {
    what: "INV-6: a store that begins Deployments of Apps that are not live",
    model: Models.liveness,
    width: 1,
    layer: alteredStore((original, state) => ({ begin: (request) => reviving(state, original.begin(request)) }))
  },
  {
    what: "INV-6: a store that checks an App before it moves the traffic and not when it ends the Deployment",
    model: Models.liveness,
    width: 1,
    layer: alteredStore((original, state) => ({
      finish: (claim, outcome) => reviving(state, original.finish(claim, outcome))
    }))
  },
  {
    what: "INV-6: a store that deletes an App of which a Deployment is in progress",
    model: Models.ownership,
    width: 1,
    layer: altered(AppStore, (original, state) => ({
      settle: (ending) => overlooking(rowsOf(state, "building", "deploying"), original.settle(ending))
    }))
  },
  {
    what: "INV-7: a Journal that forgets what a Deployment made when it ends",
    model: Models.ownership,
    width: 1,
    layer: altered(Journal, () => ({ unowned: () => Effect.succeed([]) }))
  },
  {
    what: "INV-7: a Journal that gives one name to two Deployments",
    model: Models.ownership,
    width: 1,
    layer: altered(Journal, (original, { intents }) => ({
      intend: (intent) =>
        Effect.andThen(
          Effect.sync(() => intents.delete(intent.name)),
          original.intend(intent)
        )
    }))
  },
  {
    what: "INV-8: a store that takes the Release away when the next Deployment fails",
    model: Models.releases,
    width: 1,
    layer: alteredStore((original, state) => ({
      finish: Effect.fnUntraced(function* (claim, outcome) {
        const ended = yield* original.finish(claim, outcome)
        if (outcome.status === "healthy") return ended
        for (const row of state.releases.values()) row.release = { ...row.release, current: false }
        return ended
      })
    }))
  },
  {
    what: "INV-8: a store that ends healthy what was never activated",
    model: Models.releases,
    width: 1,
    layer: alteredStore((original, state) => ({
      finish: (claim, outcome) => {
        const row = state.deployments.get(claim.deployment.id)
        if (row !== undefined) row.activated = true
        return original.finish(claim, outcome)
      }
    }))
  },
  {
    what: "U7: a store that tells of a withdrawal that changed nothing",
    model: Models.events,
    width: 1,
    layer: alteredStore((original, state) => ({
      withdraw: Effect.fnUntraced(function* (id) {
        const row = state.deployments.get(id)
        const app = row === undefined ? undefined : state.apps.get(row.deployment.app)
        if (row !== undefined && app !== undefined && row.deployment.status !== "queued") {
          publish(state, row.deployment.createdAt, "deployment.cancelled", app.app, id)
        }
        return yield* original.withdraw(id)
      })
    }))
  }
]
