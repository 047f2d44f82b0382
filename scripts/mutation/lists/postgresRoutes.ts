// The guards of routes, logs, migrations and of the way to the database.

import { joined, lawsOf, listing } from "./listing.ts"

const testOf = (name: string): string => `packages/adapter-postgres/test/${name}.test.ts`
const tests = ["contracts", "races", "concurrency"].map(testOf)

/** What is listed of them. */
export const postgresRoutes = joined([
  listing("packages/adapter-postgres/src/PostgresRouteStore.ts", tests, {
    named: lawsOf("RouteStore"),
    mutations: [
      {
        guards: ["unlessNewer: fence = excluded.fence"],
        says: "a route keeps its first Fence",
        find: "fence = excluded.fence, address_host",
        replace: "fence = r.fence, address_host"
      },
      {
        guards: ["unlessNewer: r.fence <= excluded.fence"],
        says: "an older Fence replaces the route of a newer one",
        find: "where r.fence <= excluded.fence",
        replace: "where true"
      }
    ],
    leftOut: [
      {
        guards: ["unlessNewer: on conflict (app) do update"],
        reason: "the statement does not run without it; what it does then is a mutation of its own"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/PostgresLogStore.ts", tests, {
    named: lawsOf("LogStore"),
    mutations: [
      {
        guards: ["appendFitting: on conflict (name) do update"],
        says: "a log that is there is not locked and not appended to",
        find: "do update set name = excluded.name\n",
        replace: "do nothing\n"
      },
      {
        guards: ["end: on conflict (name) do update"],
        says: "a log that is there does not end",
        find: "on conflict (name)\n          do update set ended = true, writers = '{}'",
        replace: "on conflict (name)\n          do nothing"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/PostgresHealth.ts", [testOf("faults")], {
    mutations: [
      {
        guards: ["inTime: Effect.onExit"],
        says: "a question that hangs is not taken back",
        find: "Effect.onExit(() => Effect.forkDetach(Fiber.interrupt(fiber)))",
        replace: "Effect.onExit(() => Effect.void)"
      }
    ]
  })
])
