// The guards of Events that are brought to a Subscriber: in the store, in its schema, in memory, and in the program that
// tells.

import { joined, lawsOf, listing } from "./listing.ts"

const postgresTests = ["contracts", "subscriptions"].map((name) => `packages/adapter-postgres/test/${name}.test.ts`)

const store = listing("packages/adapter-postgres/src/PostgresSubscriptions.ts", postgresTests, {
  named: lawsOf("Subscriptions"),
  mutations: [
    {
      guards: ["present: pg_snapshot_xmin"],
      says: "a Subscription begins after what is not committed yet",
      find: "pg_snapshot_xmin(pg_current_snapshot())",
      replace: "pg_snapshot_xmax(pg_current_snapshot())"
    },
    {
      guards: ["write: fence = excluded.fence"],
      says: "the newest Fence is not kept",
      find: "fence = excluded.fence, told_at",
      replace: "fence = s.fence, told_at"
    },
    {
      guards: ["write: s.fence <= excluded.fence"],
      says: "an older Fence takes and advances",
      find: "where s.fence <= excluded.fence",
      replace: "where true"
    },
    {
      guards: ["begin: on conflict (name) do nothing"],
      says: "a Subscription begins anew",
      find: "on conflict (name) do nothing",
      replace: "on conflict (name) do update set xid = excluded.xid, row = excluded.row"
    }
  ],
  leftOut: [
    {
      guards: ["write: on conflict (name) do update"],
      reason: "the statement does not run without it; what it does then is a mutation of its own"
    }
  ]
})

const schema = listing(
  "packages/adapter-postgres/src/migrations/0007_subscriptions.ts",
  ["packages/adapter-postgres/test/rows.test.ts"],
  {
    mutations: [
      {
        guards: ["subscriptions: check (name ~ '^[a-z][a-z0-9-]{0,62}$')"],
        says: "taken away",
        find: " check (name ~ '^[a-z][a-z0-9-]{0,62}$')",
        replace: ""
      },
      { guards: ["subscriptions: check (row >= 0)"], says: "taken away", find: " check (row >= 0)", replace: "" },
      { guards: ["subscriptions: check (fence >= 0)"], says: "taken away", find: " check (fence >= 0)", replace: "" }
    ],
    leftOut: [
      {
        guards: ["subscriptions: primary key"],
        reason: "`on conflict` of its store needs it: no write runs without"
      }
    ]
  }
)

const memory = listing("packages/core/src/port/Subscriptions.ts", ["packages/core/test/contracts.test.ts"], {
  mutations: [
    {
      guards: ["written: row.fence > fence"],
      says: "an older Fence takes and advances",
      find: "if (row.fence > fence) return",
      replace: "if (row.fence < 0) return"
    }
  ]
})

const program = listing("packages/core/src/program/deliver.ts", ["packages/core/test/program/deliver.test.ts"], {
  mutations: [
    {
      guards: ["renewal: fence === current"],
      says: "who hears that somebody else has the lease goes on",
      find: 'fence === current ? "renewed" : "refused"',
      replace: '(fence === current ? "renewed" : "renewed")'
    },
    {
      guards: ["turn: untilLost"],
      says: "who cannot renew the lease goes on",
      find: "untilLost(terms, renewal(fence), sentAt)",
      replace: "Effect.never"
    },
    {
      guards: ["deliver: Effect.ensuring"],
      says: "who stops keeps the lease until it is over",
      find: "\n    Effect.forever,\n    Effect.ensuring(release)",
      replace: "\n    Effect.forever"
    }
  ]
})

/** What is listed of them. */
export const subscriptions = joined([store, schema, memory, program])
