// The guards of what is said of where a Deployment stands: in the store, in memory and in the decision.

import { joined, lawsOf, listing } from "./listing.ts"

const contracts = ["packages/core/test/contracts.test.ts"]
const explain = ["packages/core/test/program/explain.test.ts"]

/** What is listed of them. */
export const standing = joined([
  listing("packages/core/src/domain/Explanation.ts", explain, {
    mutations: [
      {
        guards: ['explained: status === "queued"'],
        says: "what waits is said to have ended",
        find: 'if (status === "queued") return waiting(standing)',
        replace: "if (standing.behind !== null) return waiting(standing)"
      }
    ]
  }),
  listing("packages/core/src/port/memoryStanding.ts", contracts, {
    mutations: [
      {
        guards: ['holderOf: status !== "building"', 'holderOf: status !== "deploying"'],
        says: "what has ended is in somebody's hands",
        find: 'if (replica === undefined || (status !== "building" && status !== "deploying")) return null\n  const step = activated ? ("switching" as const) : status',
        replace:
          'if (replica === undefined) return null\n  const step = activated ? ("switching" as const) : ("building" as const)'
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/standing.ts", ["packages/adapter-postgres/test/contracts.test.ts"], {
    named: lawsOf("DeploymentStore"),
    mutations: [
      {
        guards: ["standing: h.status = 'deploying'"],
        says: "a step begins with the last status that there was",
        find: " and h.status = 'deploying'\n",
        replace: " and h.status = 'building'\n"
      },
      {
        guards: ["standing: d.lease_until <= clock_timestamp()"],
        says: "no lease is lost",
        find: "coalesce(d.lease_until <= clock_timestamp(), false)",
        replace: "false"
      },
      {
        guards: ["standing: o.status in ('building', 'deploying')"],
        says: "what has ended stands before another",
        find: " and o.status in ('building', 'deploying')\n",
        replace: " limit 1\n"
      }
    ]
  })
])
