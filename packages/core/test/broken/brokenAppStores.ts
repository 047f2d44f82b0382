// AppStores that make the mistakes their contract exists for.

import { DateTime, Effect } from "effect"
import { type AppId, HostPort } from "../../src/domain/App.ts"
import { defaultHealthCheck } from "../../src/domain/HealthCheck.ts"
import { Cursor } from "../../src/domain/Page.ts"
import { AppNameTaken, AppNotLive, type AppRequest, AppStore } from "../../src/port/AppStore.ts"
import { type MemoryTables, publish } from "../../src/port/MemoryState.ts"
import { freshAppName } from "../../src/testing/Fixture.ts"
import { altered, type Broken } from "./Broken.ts"

const sameName = ({ apps }: MemoryTables, { name }: Pick<AppRequest, "name">) =>
  [...apps.values()].filter(({ app }) => app.status !== "deleted" && app.name === name)

const sameTenant = (state: MemoryTables, request: AppRequest) =>
  sameName(state, request).find(({ app }) => app.tenant === request.tenant)

/** Broken AppStores. */
export const brokenAppStores: ReadonlyArray<Broken> = [
  {
    what: "an AppStore that forgets the health check it was given",
    contract: "AppStore",
    violates: ["AppStore-1"],
    layer: altered(AppStore, ({ register }) => ({
      register: ({ healthCheck: _, ...request }) => register(request)
    }))
  },
  {
    what: "an AppStore whose names are unique over all Tenants",
    contract: "AppStore",
    violates: ["AppStore-2"],
    layer: altered(AppStore, (original, state) => {
      const register = Effect.fnUntraced(function* (request: AppRequest) {
        if (sameName(state, request).length > 0) return yield* new AppNameTaken(request)
        return yield* original.register(request)
      })
      return { register }
    })
  },
  {
    what: "an AppStore that looks for the name, waits, and registers",
    contract: "AppStore",
    violates: ["AppStore-3"],
    layer: altered(AppStore, (original, state) => {
      const register = Effect.fnUntraced(function* (request: AppRequest) {
        if (sameTenant(state, request) !== undefined) return yield* new AppNameTaken(request)
        yield* Effect.yieldNow
        const { id } = yield* original.register({ ...request, name: yield* freshAppName })
        const row = state.apps.get(id)
        if (row !== undefined) row.app = { ...row.app, name: request.name }
        return yield* Effect.orDie(original.get(id))
      })
      return { register }
    })
  },
  {
    what: "an AppStore that takes the port after the last one, which it read before it waited",
    contract: "AppStore",
    violates: ["AppStore-4"],
    layer: altered(AppStore, (original, { apps }) => {
      const register = Effect.fnUntraced(function* (request: AppRequest) {
        const last = Math.max(20_000, ...[...apps.values()].map(({ app }) => app.hostPort))
        yield* Effect.yieldNow
        const { id } = yield* original.register(request)
        const row = apps.get(id)
        if (row !== undefined) row.app = { ...row.app, hostPort: HostPort.make(last + 1) }
        return yield* Effect.orDie(original.get(id))
      })
      return { register }
    })
  },
  {
    what: "an AppStore that takes an App that is not there for one that is not live",
    contract: "AppStore",
    violates: ["AppStore-5"],
    layer: altered(AppStore, (original) => ({
      change: (app, change) =>
        Effect.catchTag(original.change(app, change), "AppGone", () => new AppNotLive({ app, status: "deleted" }))
    }))
  },
  {
    what: "an AppStore that lists the oldest first",
    contract: "AppStore",
    violates: ["AppStore-6"],
    layer: altered(AppStore, (original) => ({
      list: (tenant, page) =>
        Effect.map(original.list(tenant, page), ({ items, nextCursor }) => ({
          items: [...items].reverse(),
          nextCursor
        }))
    }))
  },
  {
    what: "an AppStore whose pages begin with the last item of the page before",
    contract: "AppStore",
    violates: ["AppStore-6"],
    layer: altered(AppStore, (original) => ({
      list: (tenant, { cursor, limit }) =>
        original.list(tenant, {
          limit,
          cursor: cursor === undefined ? undefined : Cursor.make(String(Number(cursor) + 1))
        })
    }))
  },
  {
    what: "an AppStore whose change sets what it was not asked for",
    contract: "AppStore",
    violates: ["AppStore-7"],
    layer: altered(AppStore, (original) => ({
      change: (app, change) => original.change(app, { healthCheck: defaultHealthCheck, ...change })
    }))
  },
  {
    what: "an AppStore that takes a command that is to be taken away for one that is to stay",
    contract: "AppStore",
    violates: ["X9"],
    layer: altered(AppStore, (original) => ({
      change: (app, { preDeploy, ...change }) =>
        original.change(app, preDeploy === null ? change : { ...change, preDeploy })
    }))
  },
  {
    what: "an AppStore that lists Sources as they are stored",
    contract: "AppStore",
    violates: ["INV-11"],
    layer: altered(AppStore, (original, { apps }) => {
      const stored = (app: AppId) => apps.get(app)?.source ?? null
      return {
        list: (tenant, page) =>
          Effect.map(original.list(tenant, page), ({ items, nextCursor }) => ({
            items: items.map((app) => ({ ...app, source: stored(app.id) })),
            nextCursor
          }))
      }
    })
  },
  {
    what: "an AppStore that writes the Event before it has looked for the name",
    contract: "AppStore",
    violates: ["X12"],
    layer: altered(AppStore, (original, state) => {
      const register = (request: AppRequest) =>
        Effect.tapError(original.register(request), () =>
          Effect.map(DateTime.now, (now) => {
            const row = sameTenant(state, request)
            if (row !== undefined) publish(state, now, "app.live", row.app, row.app.id)
          })
        )
      return { register }
    })
  }
]
