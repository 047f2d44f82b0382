// Stores that do not ask what an App's status is where they should.

import { Effect } from "effect"
import type { AppId } from "../../src/domain/App.ts"
import { AppNameTaken, type AppRequest, AppStore } from "../../src/port/AppStore.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { type EnvEdit, EnvStore } from "../../src/port/EnvStore.ts"
import type { MemoryTables } from "../../src/port/MemoryState.ts"
import { altered, type Broken } from "./Broken.ts"

/** Does something while Apps that are there pass for live ones: one, or all. */
const unasked = <A, E, R>({ apps }: MemoryTables, only: AppId | undefined, effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const rows = [...apps.values()].filter(({ app }) => app.status !== "deleted" && (only ?? app.id) === app.id)
    const before = rows.map((row) => ({ row, status: row.app.status }))
    for (const row of rows) row.app = { ...row.app, status: "live" }
    const restore = Effect.sync(() => {
      for (const { row, status } of before) row.app = { ...row.app, status }
    })
    return Effect.ensuring(effect, restore)
  })

/** Stores that are broken where Apps are not live. */
export const brokenAppStatuses: ReadonlyArray<Broken> = [
  {
    what: "an AppStore that changes Apps whatever their status is",
    contract: "AppStatus",
    violates: ["R7"],
    layer: altered(AppStore, (original, state) => ({
      change: (app, change) => unasked(state, app, original.change(app, change))
    }))
  },
  {
    what: "an EnvStore that does not ask whether the App is live",
    contract: "AppStatus",
    violates: ["E5"],
    layer: altered(EnvStore, (original, state) => ({
      revise: <E>(edit: EnvEdit<E>) => unasked(state, edit.app, original.revise(edit))
    }))
  },
  {
    what: "an AppStore whose names are unique among deleted Apps too",
    contract: "AppStatus",
    violates: ["INV-6 a deleted App"],
    layer: altered(AppStore, (original, { apps }) => {
      const register = Effect.fnUntraced(function* (request: AppRequest) {
        const isTaken = [...apps.values()].some(({ app }) => app.tenant === request.tenant && app.name === request.name)
        return isTaken ? yield* new AppNameTaken(request) : yield* original.register(request)
      })
      return { register }
    })
  },
  {
    what: "a DeploymentStore that asks for the status when it begins, and not when it activates",
    contract: "AppStatus",
    violates: ["INV-6 a Deployment of an App"],
    layer: altered(DeploymentStore, (original, state) => ({
      activate: (claim) => unasked(state, claim.app.id, original.activate(claim))
    }))
  },
  {
    what: "a DeploymentStore that has every current Release serve",
    contract: "AppStatus",
    violates: ["INV-7"],
    layer: altered(DeploymentStore, (original, state) => ({ serving: unasked(state, undefined, original.serving) }))
  }
]
