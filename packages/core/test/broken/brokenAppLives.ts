// AppStores that end Apps in a way they should not.

import { Effect } from "effect"
import { AppStore } from "../../src/port/AppStore.ts"
import { erase } from "../../src/port/memoryErase.ts"
import { altered, type Broken } from "./Broken.ts"

/** AppStores that are broken where Apps end. */
export const brokenAppLives: ReadonlyArray<Broken> = [
  {
    what: "an AppStore that stops what is being deleted",
    contract: "AppLife",
    violates: ["R4"],
    layer: altered(AppStore, (original, { apps }) => ({
      mark: (id, to) =>
        Effect.suspend(() => {
          const row = apps.get(id)
          if (row?.app.status === "deleting") row.app = { ...row.app, status: "live" }
          return original.mark(id, to)
        })
    }))
  },
  {
    what: "an AppStore that leaves what is queued where it is",
    contract: "AppLife",
    violates: ["INV-6 with an App"],
    layer: altered(AppStore, (original, { deployments }) => ({
      mark: (id, to) =>
        Effect.suspend(() => {
          const queued = [...deployments.values()].find(
            ({ deployment }) => deployment.app === id && deployment.status === "queued"
          )
          const before = queued?.deployment
          return Effect.tap(original.mark(id, to), () =>
            Effect.sync(() => {
              if (queued !== undefined && before !== undefined) queued.deployment = before
            })
          )
        })
    }))
  },
  {
    what: "an AppStore that keeps the secrets of what is deleted",
    contract: "AppLife",
    violates: ["INV-6 with a deleted App"],
    layer: altered(AppStore, (original, { revisions }) => ({
      settle: (ending) =>
        Effect.suspend(() => {
          const before = revisions.get(ending.app.id) ?? []
          return Effect.tap(original.settle(ending), () => Effect.sync(() => revisions.set(ending.app.id, before)))
        })
    }))
  },
  {
    what: "an AppStore that erases the secrets of what is stopped, too",
    contract: "AppLife",
    violates: ["INV-6 with a deleted App"],
    layer: altered(AppStore, (original, state) => ({
      settle: (ending) =>
        Effect.tap(original.settle(ending), () =>
          Effect.sync(() => {
            const row = state.apps.get(ending.app.id)
            if (row !== undefined) erase(state, row)
          })
        )
    }))
  },
  {
    what: "an AppStore that sets the expiry of any App",
    contract: "AppLife",
    violates: ["R7"],
    layer: altered(AppStore, (original, { apps }) => ({
      setExpiry: (id, expiresAt) =>
        Effect.suspend(() => {
          const row = apps.get(id)
          if (row !== undefined && row.app.status !== "deleted") row.app = { ...row.app, expiresAt }
          return original.setExpiry(id, expiresAt)
        })
    }))
  },
  {
    what: "an AppStore that looks for what is due, waits, and answers it",
    contract: "AppLife",
    violates: ["R5"],
    layer: altered(AppStore, (original, { apps }) => ({
      claimExpired: Effect.fnUntraced(function* (limit: number) {
        const due = [...apps.values()].filter(
          ({ app }) => app.expiresAt !== null && (app.status === "live" || app.status === "stopped")
        )
        yield* Effect.yieldNow
        yield* original.claimExpired(limit)
        return due.map(({ app }) => app).filter(({ status }) => status === "expired")
      })
    }))
  },
  {
    what: "an AppStore that deletes Apps of which something is left",
    contract: "AppLife",
    violates: ["B8"],
    layer: altered(AppStore, (original, { intents }) => ({
      settle: (ending) =>
        Effect.suspend(() => {
          const held = [...intents.values()].filter((row) => row.app === ending.app.id && !row.released)
          for (const row of held) row.released = true
          return Effect.ensuring(
            original.settle(ending),
            Effect.sync(() => {
              for (const row of held) row.released = false
            })
          )
        })
    }))
  },
  {
    what: "an AppStore that deletes what is expired",
    contract: "AppLife",
    violates: ["B7"],
    layer: altered(AppStore, (original, { apps }) => ({
      settle: (ending) =>
        Effect.suspend(() => {
          const row = apps.get(ending.app.id)
          if (row?.app.status === "expired") row.app = { ...row.app, status: "deleting" }
          return original.settle(ending)
        })
    }))
  }
]
