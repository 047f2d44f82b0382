// Stores that break an invariant where Jobs and Deployments share Slots, for the model that must notice.

import { Effect } from "effect"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import type { MemoryTables } from "../../src/port/MemoryState.ts"
import * as Models from "../../../../test/harness/models/models.ts"
import { altered } from "../broken/Broken.ts"
import type { BrokenStore } from "./brokenStores.ts"

/** Does something while no Tenant has a cap. */
const uncapped = <A, E>(state: MemoryTables, self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const before = new Map(state.caps)
    for (const { app } of state.apps.values()) state.caps.set(app.tenant, null)
    return Effect.ensuring(
      self,
      Effect.sync(() => {
        state.caps.clear()
        for (const [tenant, cap] of before) state.caps.set(tenant, cap)
      })
    )
  })

/** Broken stores of Jobs. */
export const brokenJobStores: ReadonlyArray<BrokenStore> = [
  {
    what: "INV-3: a store that begins Jobs above the cap",
    model: Models.jobs,
    width: 1,
    layer: altered(JobStore, (original, state) => ({
      begin: (request) => uncapped(state, original.begin(request))
    }))
  },
  {
    what: "K3: a store that takes the cap for what it was at first",
    model: Models.jobs,
    width: 1,
    layer: altered(DeploymentStore, (original, state) => ({
      setCap: (tenant, jobCap) =>
        Effect.tap(original.setCap(tenant, jobCap), () => Effect.sync(() => state.caps.delete(tenant)))
    }))
  },
  {
    what: "K3: a store that lets a Job go to the end of the queue when it is given back",
    model: Models.jobs,
    width: 1,
    layer: altered(JobStore, (original, state) => ({
      giveBack: (claim) =>
        Effect.tap(original.giveBack(claim), ({ id }) =>
          Effect.sync(() => {
            const row = state.jobs.get(id)
            if (row !== undefined) row.position = ++state.sequence
          })
        )
    }))
  },
  {
    what: "INV-1: a store that ends Jobs under any Fence",
    model: Models.jobs,
    width: 1,
    layer: altered(JobStore, (original, state) => ({
      finish: (claim, outcome) =>
        original.finish({ ...claim, fence: state.jobs.get(claim.job.id)?.fence ?? claim.fence }, outcome)
    }))
  }
]
