// The guards of what the holder of a Run writes, on PostgreSQL.

import { lawsOf, listing } from "./listing.ts"

const tests = ["contracts", "runRaces"].map((name) => `packages/adapter-postgres/test/${name}.test.ts`)

/** What is listed of them. */
export const heldRuns = listing("packages/adapter-postgres/src/internal/heldRuns.ts", tests, {
  named: lawsOf("RunStore"),
  mutations: [
    {
      guards: ["isHeld: r.fence = ${fence}"],
      says: "an older holder writes",
      find: "and r.fence = ${fence} and r.finished_at is null",
      replace: "and ${fence}::bigint > 0 and r.finished_at is null"
    },
    {
      guards: [],
      says: "a Run is written that has ended",
      find: " and r.finished_at is null`",
      replace: "`"
    },
    {
      guards: ["advanced: for no key update"],
      says: "a Run is moved on by who held it before a wait",
      find: "where ${isHeld(claim)} for no key update)",
      replace: "where ${isHeld(claim)})"
    },
    {
      guards: ["running: r.status = 'provisioning'"],
      says: "a Run runs anew that runs",
      find: "sql`r.status = 'provisioning'`",
      replace: "sql`true`"
    },
    {
      guards: ["tearDown: r.status in ('provisioning', 'running')"],
      says: "what is torn down is torn down anew",
      find: "sql`r.status in ('provisioning', 'running') and ${isSeen}`",
      replace: "isSeen"
    },
    {
      guards: [],
      says: "a Run is torn down whatever its holder has seen",
      find: "sql`date_trunc('milliseconds', r.keep_until) is not distinct from ${instant(seen.keepUntil)}::timestamptz`",
      replace: "sql`true`"
    },
    {
      guards: ["running: status = 'running'"],
      says: "a Run that runs does not say so",
      find: "sql`status = 'running', started_at",
      replace: "sql`started_at"
    },
    {
      guards: ["tearDown: status = 'teardown'"],
      says: "a Run that is torn down does not say so",
      find: "sql`status = 'teardown', keep_until",
      replace: "sql`keep_until"
    },
    {
      guards: ["finish: r.status = 'teardown'"],
      says: "a Run ends that is not torn down",
      find: "and r.status = 'teardown' and r.outcome is not null",
      replace: "and r.outcome is not null"
    },
    {
      guards: [],
      says: "a Run ends of which it is not decided how",
      find: "and r.status = 'teardown' and r.outcome is not null",
      replace: "and r.status = 'teardown'"
    },
    {
      guards: [],
      says: "who says last how a Run ends is right",
      find: "sql`coalesce(r.outcome, case when r.cancel_requested_at is null then ${status} else 'cancelled' end)`",
      replace: "sql`case when r.cancel_requested_at is null then ${status} else 'cancelled' end`"
    },
    {
      guards: [],
      says: "a Run that ends as cancelled is kept on",
      find: "case when ${outcome} = 'cancelled' or ${code} =",
      replace: "case when ${code} ="
    },
    {
      guards: [],
      says: "a Run whose server was lost is kept on",
      find: "= 'cancelled' or ${code} = 'server_lost' then null",
      replace: "= 'cancelled' then null"
    },
    {
      guards: [],
      says: "what was asked to end is not cancelled",
      find: "case when r.cancel_requested_at is null then ${status} else 'cancelled' end)",
      replace: "${status})"
    },
    {
      guards: [],
      says: "who says last what a Run has shown is right",
      find: "case when ${isOpen} then ${verdict} else r.verdict end",
      replace: "case when ${isOpen} or true then ${verdict} else r.verdict end"
    },
    {
      guards: [],
      says: "a Run that is cancelled has failed too",
      find: "sql`r.outcome is null and r.cancel_requested_at is null`",
      replace: "sql`r.outcome is null`"
    },
    {
      guards: [],
      says: "nothing is left of a Run before something is recorded again",
      find: "update runs r set cleanup = 'pending',",
      replace: "update runs r set"
    }
  ]
})
