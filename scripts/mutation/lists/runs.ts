// The guards of Runs, in memory and on PostgreSQL. Those of what a holder writes are in heldRuns.ts, those of their table in
// runSchema.ts.

import { joined, lawsOf, listing } from "./listing.ts"

const testsOf = (...names: ReadonlyArray<string>) =>
  names.map((name) => `packages/adapter-postgres/test/${name}.test.ts`)

const named = lawsOf("RunStore")

const memory = listing("packages/core/src/port/memoryRuns.ts", ["packages/core/test/contracts.test.ts"], {
  named: "memory layer of RunStore",
  mutations: [
    {
      guards: ["held: row.fence !== fence"],
      says: "an older holder writes",
      find: "row === undefined || row.fence !== fence ||",
      replace: "row === undefined ||"
    },
    {
      guards: ['keepUntil: status === "cancelled"'],
      says: "a Run that ends as cancelled is kept on",
      find: 'status === "cancelled" || error?.code',
      replace: "error?.code"
    },
    {
      guards: ["create: known.fence === fence"],
      says: "a Run is made again under any Fence",
      find: "known.job === job && known.fence === fence",
      replace: "known.job === job",
      named: "memory layer of RunStore"
    },
    {
      guards: ["create: holder.fence !== fence"],
      says: "a Run is made by an older holder of its Job",
      find: " || holder.fence !== fence",
      replace: ""
    },
    {
      guards: ["create: new LeaseLost"],
      says: "it is not said that a Run could not be made",
      find: "known !== undefined) {\n      return yield* new LeaseLost({ work: job })",
      replace: 'known !== undefined) {\n      return yield* Effect.die("there is no Run")'
    },
    {
      guards: [],
      says: "a Run is made of a Job that has ended",
      find: 'holder?.job.status !== "running" || ',
      replace: "holder === undefined || "
    },
    {
      guards: ["take: row.fence > fence", "take: new LeaseLost"],
      says: "an older holder takes a Run",
      find: "if (row.fence > fence)",
      replace: "if (row.fence > fence + 1_000)"
    },
    {
      guards: ["finish: new LeaseLost"],
      says: "it is not said that a Run does not end",
      find: "includes(row.outcome)) {\n      return yield* new LeaseLost({ work: row.job })",
      replace: 'includes(row.outcome)) {\n      return yield* Effect.die("it does not end")'
    },
    {
      guards: ['requestCancel: row.run.status === "cancelled"'],
      says: "what was cancelled is not to be cancelled again",
      find: 'if (row.run.status === "cancelled") return row.run\n',
      replace: "\n"
    },
    {
      guards: [],
      says: "a Run ends that is not torn down",
      find: "row.outcome === undefined || !runTransitions[row.run.status].includes(row.outcome)",
      replace: "row.outcome === undefined"
    }
  ]
})

const storeTests = testsOf("contracts", "runRaces")

const store = listing("packages/adapter-postgres/src/PostgresRunStore.ts", storeTests, {
  named,
  mutations: [
    {
      guards: ["list: r.status = coalesce"],
      says: "Runs in any status are listed",
      find: "and r.status = coalesce(${status ?? null}, r.status)",
      replace: "and coalesce(${status ?? null}, r.status) is not null"
    },
    {
      guards: ["made: j.fence = ${fence}"],
      says: "a Run is made by an older holder of its Job",
      find: "and j.fence = ${fence} and j.status = 'running'",
      replace: "and ${fence}::bigint > 0 and j.status = 'running'"
    },
    {
      guards: ["made: j.status = 'running'"],
      says: "a Run is made of a Job that has ended",
      find: "and j.fence = ${fence} and j.status = 'running'",
      replace: "and j.fence = ${fence}"
    },
    {
      guards: ["made: for share"],
      says: "a Run is made of a Job as it was before a wait",
      find: " for share of j\n",
      replace: "\n"
    },
    {
      guards: ["made: on conflict do nothing"],
      says: "a Run that is made again is an error",
      find: "on conflict do nothing returning *",
      replace: "returning *"
    },
    {
      guards: ["create: r.fence = ${fence}"],
      says: "a Run is made again under any Fence",
      find: "and r.job = ${job} and r.fence = ${fence}",
      replace: "and r.job = ${job} and ${fence}::bigint > 0"
    },
    {
      guards: ["create: new LeaseLost"],
      says: "it is not said that a Run could not be made",
      find: "row === undefined ? yield* new LeaseLost({ work: job }) : yield* claimOf(row)",
      replace: 'row === undefined ? yield* Effect.die("there is no Run") : yield* claimOf(row)'
    },
    {
      guards: ["take: fence = ${fence}"],
      says: "who takes a Run has it under the old Fence",
      find: "update runs set fence = ${fence} where job",
      replace: "update runs set fence = fence where job"
    },
    {
      guards: ["take: fence <= ${fence}"],
      says: "an older holder takes a Run",
      find: "and fence <= ${fence} returning *",
      replace: "returning *"
    },
    {
      guards: ["take: new LeaseLost"],
      says: "an older holder is told that there is no Run",
      find: "return other === undefined ? undefined : yield* new LeaseLost({ work: job })",
      replace: "return other?.id === undefined ? undefined : undefined"
    },
    {
      guards: ["keep: r.status in ('provisioning', 'running')"],
      says: "what is torn down is kept",
      find: "sql`r.status in ('provisioning', 'running') and r.cancel_requested_at is null",
      replace: "sql`r.finished_at is null and r.cancel_requested_at is null"
    },
    {
      guards: [],
      says: "what was asked to end is kept",
      find: "sql`r.status in ('provisioning', 'running') and r.cancel_requested_at is null",
      replace: "sql`r.status in ('provisioning', 'running')"
    },
    {
      guards: [],
      says: "what is to end as cancelled is kept",
      find: "and r.outcome is distinct from 'cancelled' and",
      replace: "and"
    },
    {
      guards: [],
      says: "what was lost is kept",
      find: "and r.error_code is distinct from 'server_lost'",
      replace: ""
    },
    {
      guards: [],
      says: "what is done in the Slot of a Job that was asked to end is kept",
      find: "where j.id = r.job and j.stop_requested_at is not null)",
      replace: "where j.id = r.job and false)"
    },
    {
      guards: [],
      says: "what has ended is asked to end",
      find: "sql`r.finished_at is null`",
      replace: "sql`true`"
    },
    {
      guards: [],
      says: "what was cancelled is not to be cancelled again",
      find: "return over.status === as ? over :",
      replace: "return over.status === as && false ? over :"
    },
    {
      guards: [],
      says: "what came out otherwise is answered as if it could be cancelled",
      find: "return over.status === as ? over :",
      replace: "return as !== undefined ? over :"
    },
    {
      guards: [],
      says: "what cannot be removed is in the way of all others",
      find: "and r.cleanup = 'pending' order by random()",
      replace: "and r.cleanup = 'pending' order by r.finished_at"
    },
    {
      guards: [],
      says: "nothing is left of what has not ended",
      find: "and r.finished_at is not null and r.cleanup = 'pending'`)",
      replace: "and r.cleanup = 'pending'`)"
    },
    {
      guards: [],
      says: "what has ended is still somebody's",
      find: "where r.id = u.id and r.finished_at is null)",
      replace: "where r.id = u.id)"
    }
  ]
})

/** What is listed of them. */
export const runs = joined([memory, store])
