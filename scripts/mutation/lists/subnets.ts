// The guards of pools of Subnets: in memory, on PostgreSQL, and in its schema.

import { joined, lawsOf, listing } from "./listing.ts"

const postgresTests = ["contracts", "subnets"].map((name) => `packages/adapter-postgres/test/${name}.test.ts`)
const rowTests = ["packages/adapter-postgres/test/rows.test.ts"]
const named = lawsOf("SubnetPool")

const memory = listing("packages/core/src/port/SubnetPool.ts", ["packages/core/test/contracts.test.ts"], {
  named: "SubnetPool",
  mutations: [
    {
      guards: ["top: row.lease.fence !== lease.fence"],
      says: "an earlier owner gives back what is another's",
      find: "row === undefined || row.lease.fence !== lease.fence",
      replace: "row === undefined"
    },
    {
      guards: ["reserve: .until <= now"],
      says: "what was given back does not rest",
      find: "if (resting.until <= now)",
      replace: "if (now > 0)"
    }
  ]
})

const store = listing("packages/adapter-postgres/src/PostgresSubnetPool.ts", postgresTests, {
  named,
  mutations: [
    {
      guards: ["release: fence = ${fence}"],
      says: "an earlier owner gives back what is another's",
      find: "and owner = ${owner} and fence = ${fence} returning net",
      replace: "and owner = ${owner} and ${fence}::bigint > 0 returning net"
    },
    {
      guards: ["release: on conflict"],
      says: "a block that is cut off another range too cannot be given back",
      find: "\n        on conflict (prefix, net) do update set reusable_at = excluded.reusable_at",
      replace: ""
    },
    {
      guards: ["claimLapsed: lease_until <= now()"],
      says: "leases are claimed before they are over",
      find: "and lease_until <= now()",
      replace: "and true"
    },
    {
      guards: ["claimLapsed: for update", "claimLapsed: skip locked"],
      says: "several claim one lease",
      find: " for update skip locked",
      replace: ""
    },
    {
      guards: ["claimLapsed: skip locked"],
      says: "who claims waits for who holds a row",
      find: " for update skip locked",
      replace: " for update"
    },
    {
      guards: ["claimLapsed: fence = nextval"],
      says: "who claims has the Fence of the earlier owner",
      find: "clearing = true, fence = nextval('subnets_fence_seq'),",
      replace: "clearing = true,"
    }
  ]
})

const free = listing("packages/adapter-postgres/src/internal/freeSubnets.ts", postgresTests, {
  named,
  mutations: [
    {
      guards: ["given: for update", "given: skip locked"],
      says: "who asks waits for who is at the first block",
      find: 'for update of l ${sql.literal(locked === "skip" ? "skip locked" : "")}',
      replace: '${sql.literal(locked === "skip" ? "" : "")}'
    },
    {
      guards: ["given: skip locked"],
      says: "who asks waits for the lock of who is at the first block",
      find: '"skip" ? "skip locked" : ""',
      replace: '"skip" ? "" : ""'
    },
    {
      guards: ["cutMore: on conflict do nothing"],
      says: "a range cannot be cut of which a part is cut",
      find: "        on conflict do nothing\n",
      replace: ""
    }
  ],
  leftOut: [
    {
      guards: ["lockedRange: on conflict"],
      reason: "the statement does not run a second time without it"
    }
  ]
})

const schema = listing("packages/adapter-postgres/src/migrations/0012_subnets.ts", rowTests, {
  mutations: [
    {
      guards: ["subnets: check (pool ~ '^[a-z0-9_-]{1,64}$')"],
      says: "taken away",
      find: " check (pool ~ '^[a-z0-9_-]{1,64}$')",
      replace: ""
    },
    {
      guards: ["subnets: check (owner ~ '^[!-~]{1,200}$')"],
      says: "taken away",
      find: " check (owner ~ '^[!-~]{1,200}$')",
      replace: ""
    },
    {
      guards: ["subnets: check (family(net) = 4)"],
      says: "taken away",
      find: " check (family(net) = 4),\n  fence",
      replace: ",\n  fence"
    },
    {
      guards: ["subnets: check (fence >= 1)"],
      says: "taken away",
      find: " check (fence >= 1)",
      replace: ""
    },
    {
      guards: ["subnets: constraint subnets_disjoint"],
      says: "blocks may overlap",
      find: ",\n  constraint subnets_disjoint exclude using gist (net inet_ops with &&)",
      replace: ""
    },
    {
      guards: ["free_subnets: check (family(net) = 4)"],
      says: "taken away",
      find: " check (family(net) = 4),\n  reusable_at",
      replace: ",\n  reusable_at"
    },
    {
      guards: ["free_subnets: constraint free_subnets_prefix"],
      says: "taken away",
      find: "constraint free_subnets_prefix check (",
      replace: "constraint free_subnets_prefix check (true or "
    },
    {
      guards: ["subnet_ranges: constraint subnet_ranges_prefix"],
      says: "taken away",
      find: "constraint subnet_ranges_prefix check (",
      replace: "constraint subnet_ranges_prefix check (true or "
    },
    {
      guards: ["subnet_ranges: constraint subnet_ranges_cut"],
      says: "taken away",
      find: "constraint subnet_ranges_cut check (",
      replace: "constraint subnet_ranges_cut check (true or "
    },
    {
      guards: ["subnets: primary key (pool, owner)"],
      says: "an owner may have several",
      find: "  primary key (pool, owner),\n",
      replace: "",
      tests: postgresTests,
      named
    }
  ],
  leftOut: [
    {
      guards: ["free_subnets: primary key (prefix, net)", "subnet_ranges: primary key (range, prefix)"],
      reason: "`on conflict` needs it: no write runs without"
    }
  ]
})

/** What is listed of them. */
export const subnets = joined([memory, store, free, schema])
