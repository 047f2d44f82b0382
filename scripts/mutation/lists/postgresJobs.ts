// The guards around Jobs, their Slots and their Items on PostgreSQL.

import { joined, lawsOf, listing } from "./listing.ts"

const tests = ["contracts", "jobRaces", "jobConstraints", "corruptRows"].map(
  (name) => `packages/adapter-postgres/test/${name}.test.ts`
)

const named = lawsOf("JobStore", "CheckpointStore", "Journal")
const store = listing("packages/adapter-postgres/src/PostgresJobStore.ts", tests, {
  named,
  mutations: [
    {
      guards: ["list: j.status = coalesce"],
      says: "Jobs in any status are listed",
      find: "and j.status = coalesce(${status ?? null}, j.status)",
      replace: "and coalesce(${status ?? null}, j.status) is not null"
    },
    {
      guards: ["renew: fence = ${fence}"],
      says: "renew under any Fence",
      find: "and fence = ${fence} and status = 'running' and lease_until > clock_timestamp()",
      replace: "and status = 'running' and lease_until > clock_timestamp()"
    },
    {
      guards: ["renew: lease_until > clock_timestamp()"],
      says: "renew a lease that has run out",
      find: "and status = 'running' and lease_until > clock_timestamp()\n          returning id",
      replace: "and status = 'running' returning id"
    },
    {
      guards: ["renew: new LeaseLost"],
      says: "renew nothing without saying so",
      find: "if (renewed.length === 0) return",
      replace: "if (renewed.length > 1) return"
    },
    {
      guards: ["requestCancel: for no key update"],
      says: "a Job is asked to stop by what was read of it before a wait",
      find: "yield* sql`select from jobs where id = ${job} for no key update`",
      replace: "yield* sql`select from jobs where id = ${job}`"
    },
    {
      guards: ["requestCancel: status = 'running'"],
      says: "what waits or has ended is asked to stop",
      find: "where id = ${job} and status = 'running' and stop_requested_at is null",
      replace: "where id = ${job} and stop_requested_at is null"
    },
    {
      guards: ["requestCancel: j.status = 'queued'"],
      says: "what has ended is cancelled",
      find: "where j.id = ${job} and j.status = 'queued' returning j.*",
      replace: "where j.id = ${job} and j.status <> 'running' returning j.*"
    },
    {
      guards: ["giveBack: j.fence = ${fence}"],
      says: "give back under any Fence",
      find: "and j.fence = ${fence} and j.status = 'running'",
      replace: "and j.status = 'running'"
    },
    {
      guards: ["giveBack: j.status = 'running'"],
      says: "give back what has ended",
      find: "and j.fence = ${fence} and j.status = 'running'",
      replace: "and j.fence = ${fence}"
    },
    {
      guards: ["giveBack: new LeaseLost"],
      says: "give nothing back without saying so",
      find: "if (given.length === 0) return",
      replace: "if (given.length > 1) return"
    },
    {
      guards: ["forgotten: j.status = 'queued'"],
      says: "what its caller has lost while it ran is cancelled at once",
      find: "where j.status = 'queued' and j.lease_until <= clock_timestamp()",
      replace: "where j.lease_until <= clock_timestamp()"
    },
    {
      guards: ["forgotten: j.lease_until <= clock_timestamp()"],
      says: "a caller that still asks is forgotten",
      find: "where j.status = 'queued' and j.lease_until <= clock_timestamp()",
      replace: "where j.status = 'queued' and j.lease_until is not null"
    },
    {
      guards: ["takeOver: fence = fence + 1"],
      says: "the new holder has the old one's Fence",
      find: "update jobs set fence = fence + 1, recoveries",
      replace: "update jobs set fence = fence, recoveries"
    },
    {
      guards: ["takeOver: lease_until <= clock_timestamp()"],
      says: "of several who take a Job over each has it",
      find: "and status = 'running' and lease_until <= clock_timestamp()\n            returning *",
      replace: "and status = 'running' returning *"
    },
    {
      guards: ["takeOver: fence = moved.fence"],
      says: "the Slot keeps the old Fence",
      find: "set fence = moved.fence",
      replace: "set fence = s.fence"
    },
    {
      guards: ["claimAbandoned: lease_until <= clock_timestamp()"],
      says: "what goes on takes the place of what is abandoned",
      find: "from jobs where lease_until <= clock_timestamp()",
      replace: "from jobs where lease_until is not null and lease_until > clock_timestamp()"
    },
    {
      guards: ['claimAbandoned: status === "queued"'],
      says: "what nobody waits for any more waits for ever",
      find: 'if (lost.some(({ status }) => status === "queued"))',
      replace: 'if (lost.every(({ status }) => status === "cancelled"))'
    }
  ],
  leftOut: [
    {
      guards: ["renew: status = 'running'", "takeOver: status = 'running'"],
      reason:
        "follows from the Fence, the lease and `jobs_lease`: what waits has another Fence, and what has ended no lease"
    },
    {
      guards: ["abandon: lease_until > clock_timestamp()"],
      reason: "leaves what is abandoned already as it is: it is abandoned either way"
    },
    {
      guards: ['claimAbandoned: status === "queued" #2'],
      reason: "spares a statement that finds nothing"
    }
  ]
})

const checkpoints = listing("packages/adapter-postgres/src/PostgresCheckpointStore.ts", tests, {
  named,
  mutations: [
    {
      guards: ["remaining: i.status = 'pending'"],
      says: "what has ended is left",
      find: "and i.status = 'pending' and i.number > ${after}",
      replace: "and i.number > ${after}"
    },
    {
      guards: ["record: fence = ${fence}"],
      says: "record under any Fence",
      find: "and fence = ${fence} and status = 'running' for no key update",
      replace: "and status = 'running' for no key update"
    },
    {
      guards: ["record: status = 'running'"],
      says: "record of a Job that has ended",
      find: "and fence = ${fence} and status = 'running' for no key update",
      replace: "and fence = ${fence} for no key update"
    },
    {
      guards: ["record: for no key update"],
      says: "the Job is read without its lock",
      find: " for no key update`",
      replace: "`"
    },
    {
      guards: ["record: new LeaseLost"],
      says: "who holds nothing records",
      find: "if (held.length === 0) return",
      replace: "if (held.length > 1) return"
    },
    {
      guards: ["record: status = 'pending'"],
      says: "what is recorded last stands",
      find: "and number = ${number} and status = 'pending' returning",
      replace: "and number = ${number} returning"
    },
    {
      guards: ["record: r.status = 'done'"],
      says: "what failed counts as done",
      find: "(r.status = 'done')::int",
      replace: "(r.status <> 'pending')::int"
    },
    {
      guards: ["record: r.status = 'failed'"],
      says: "what is done counts as failed",
      find: "(r.status = 'failed')::int",
      replace: "(r.status <> 'pending')::int"
    },
    {
      guards: ["record: new LeaseLost #2"],
      says: "an Item that is not there is a defect",
      find: "return item ?? (yield* new LeaseLost({ work: job.id }))",
      replace: 'return item ?? (yield* Effect.die("no such Item"))'
    }
  ]
})

/** What is listed of them. */
export const postgresJobs = joined([store, checkpoints])
