// The guards around what is done with many Jobs at once: how they gather, are admitted and end.

import { joined, lawsOf, listing } from "./listing.ts"

const tests = ["contracts", "jobRaces", "jobsTogether", "corruptRows"].map(
  (name) => `packages/adapter-postgres/test/${name}.test.ts`
)
const named = lawsOf("JobStore", "CheckpointStore", "Journal")

const admission = listing("packages/adapter-postgres/src/internal/admitJobs.ts", tests, {
  named,
  mutations: [
    {
      guards: ["taken: fence = j.fence + 1"],
      says: "every holder has the same Fence",
      find: "fence = j.fence + 1",
      replace: "fence = 1"
    },
    {
      guards: ["taken: j.status = 'queued'"],
      says: "what was cancelled meanwhile comes back",
      find: "where j.id = held.job and j.status = 'queued' returning",
      replace: "where j.id = held.job returning"
    },
    {
      guards: ["stillWaiting: lease_until < clock_timestamp()"],
      says: "a caller that still asks is not heard",
      find: "lease_until < clock_timestamp() + ${",
      replace: "lease_until < created_at + ${"
    }
  ],
  leftOut: [
    {
      guards: ["skip: skip locked"],
      reason: "who is not waited for; whoever waits for the row finds the same, later"
    },
    {
      guards: ["taken: for no key update"],
      reason: "sets an order in which several rows are taken; the update takes each of them anyway"
    },
    {
      guards: ["stillWaiting: status = 'queued'"],
      reason: "spares a statement on what runs: a lease of a Job that runs is longer than what is compared with"
    }
  ]
})

const finish = listing("packages/adapter-postgres/src/internal/finishJobs.ts", tests, {
  named,
  mutations: [
    {
      guards: ["rows: j.fence = e.fence"],
      says: "end under any Fence",
      find: " and j.fence = e.fence and j.status = 'running'",
      replace: " and j.status = 'running'"
    },
    {
      guards: ["rows: j.status = 'running'"],
      says: "end a second time",
      find: " and j.fence = e.fence and j.status = 'running'",
      replace: " and j.fence = e.fence"
    },
    {
      guards: ["rows: e.status <> 'succeeded'"],
      says: "a Batch succeeds with Items left",
      find: "and (e.status <> 'succeeded' or j.items_done = j.items_total)",
      replace: ""
    },
    {
      guards: ["waited: new LeaseLost"],
      says: "an end of nothing is taken for one",
      find: "row === undefined ? yield* new LeaseLost({ work: ended.claim.job.id }) : yield* answerOf(row)",
      replace: "row === undefined ? ended.claim.job : yield* answerOf(row)"
    },
    {
      guards: ["send: skip locked"],
      says: "whoever waits for a row holds up all that end at the same time",
      find: 'finished(all, "skip locked")',
      replace: 'finished(all, "")'
    }
  ],
  leftOut: [
    {
      guards: ["rows: for no key update", "finished: skip locked"],
      reason: "who is not waited for; the update takes the row anyway"
    }
  ]
})

const gathering = listing(
  "packages/adapter-postgres/src/internal/gathering.ts",
  ["packages/adapter-postgres/test/gathering.test.ts"],
  {
    mutations: [
      {
        guards: ["sent: Effect.onInterrupt"],
        says: "what was sent is never answered when it is given up",
        find: "      Effect.onInterrupt(() => endAll(batch, closed)),\n",
        replace: ""
      },
      {
        guards: ["gathering: Effect.addFinalizer"],
        says: "nobody is told when it ends",
        find: "  yield* Effect.addFinalizer(() =>",
        replace: "  void (() =>"
      }
    ]
  }
)

/** What is listed of them. */
export const postgresJobsTogether = joined([admission, finish, gathering])
