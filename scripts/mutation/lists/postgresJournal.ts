// The guards of the Journal on PostgreSQL.

import { lawsOf, listing } from "./listing.ts"

const tests = ["contracts", "races", "jobRaces"].map((name) => `packages/adapter-postgres/test/${name}.test.ts`)

/** What is listed of them. */
export const postgresJournal = listing("packages/adapter-postgres/src/PostgresJournal.ts", tests, {
  named: lawsOf("Journal", "AppStatus"),
  mutations: [
    {
      guards: ["written: fence = ${fence}"],
      says: "an intent is written under any Fence",
      find: "and app = ${id} and fence = ${fence}\n",
      replace: "and app = ${id} and fence is not null\n"
    },
    {
      guards: ["written: d.status not in ('building', 'deploying')"],
      says: "who intends locks the App, so that what is abandoned is passed by",
      find: "and d.id = ${deployment} and d.status not in ('building', 'deploying') for share of a",
      replace: "and d.id = ${deployment} for share of a",
      tests: ["packages/adapter-postgres/test/deploymentInterleavings.test.ts"],
      named: "intend and claimAbandoned"
    },
    {
      guards: ["written: for share"],
      says: "the App is read without its lock",
      find: " for share of a`",
      replace: "`",
      tests: ["packages/adapter-postgres/test/storeInterleavings.test.ts"],
      named: "intend for what serves"
    },
    {
      guards: ["written: for share #2"],
      says: "the Deployment is read without its lock",
      find: 'or ${app?.status === "live"}) for share',
      replace: 'or ${app?.status === "live"})'
    },
    {
      guards: ["written: status in ('building', 'deploying')", 'written: app?.status === "live"'],
      says: "what has ended is started again, whatever became of its App",
      find: "            and (status in ('building', 'deploying') or ${app?.status === \"live\"}) for share",
      replace: "            for share"
    },
    {
      guards: ["written: status in ('building', 'deploying')"],
      says: "nothing is intended for an App that is ending, though its Deployment is in progress",
      find: "(status in ('building', 'deploying') or ${app?.status === \"live\"})",
      replace: '(${app?.status === "live"})'
    },
    {
      guards: [],
      says: "an intent that waited while its Deployment ended is refused, though its App is live",
      find: "(yield* write) || (yield* write)",
      replace: "yield* write"
    },
    {
      guards: ["again: i.fence = excluded.fence"],
      says: "an intent replaces that of an older Fence",
      find: "\n      and i.fence = excluded.fence",
      replace: ""
    },
    {
      guards: ["writtenFor: fence = ${fence}"],
      says: "an intent of a Job is written under any Fence",
      find: "and fence = ${fence} and status = 'running' for share",
      replace: "and status = 'running' for share"
    },
    {
      guards: ["writtenFor: status = 'running'"],
      says: "an intent is written of a Job that has ended",
      find: "and fence = ${fence} and status = 'running' for share",
      replace: "and fence = ${fence} for share"
    },
    {
      guards: ["writtenFor: for share"],
      says: "the Job is read without its lock",
      find: "and status = 'running' for share",
      replace: "and status = 'running'",
      tests: ["packages/adapter-postgres/test/jobRaces.test.ts"]
    },
    {
      guards: ["intend: new LeaseLost"],
      says: "an intent that is not written is none that was refused",
      find: "if (!isWritten) return",
      replace: "if (isWritten && !isWritten) return"
    },
    {
      guards: ["held: i.released_at is null"],
      says: "a released intent is held",
      find: "where i.app = ${app} and i.deployment is not null and i.released_at is null",
      replace: "where i.app = ${app} and i.deployment is not null"
    },
    {
      guards: ["heldBy: i.released_at is null"],
      says: "a released intent is held by its replica",
      find: "where i.replica = ${replica} and i.deployment is not null and i.released_at is null",
      replace: "where i.replica = ${replica} and i.deployment is not null"
    },
    {
      guards: ["heldFor: i.released_at is null"],
      says: "a released intent is held for its Job",
      find: "where i.job = ${job} and i.released_at is null",
      replace: "where i.job = ${job}"
    },
    {
      guards: ["unowned: i.released_at is null"],
      says: "a released intent is unowned",
      find: "where i.released_at is null and case",
      replace: "where case"
    },
    {
      guards: ["unowned: j.status <> 'running'"],
      says: "a Job that has ended owns what it made",
      find: "then j.status <> 'running' or j.fence <> i.fence",
      replace: "then j.fence <> i.fence"
    },
    {
      guards: ["unowned: j.fence <> i.fence"],
      says: "a Job that runs owns what it made, whoever has it",
      find: "then j.status <> 'running' or j.fence <> i.fence",
      replace: "then j.status <> 'running'"
    },
    {
      guards: ["unowned: d.status not in ('building', 'deploying')"],
      says: "the intent of a Deployment in progress is unowned",
      find: "else d.status not in ('building', 'deploying') and not exists",
      replace: "else not exists"
    },
    {
      guards: ["unowned: a.status = 'live'"],
      says: "the intent of an App that has ended is owned",
      find: "and r.current and a.status = 'live'",
      replace: "and r.current"
    },
    {
      guards: ["unknown: i.released_at is null"],
      says: "a name that was released is known",
      find: "where i.name = n.name and i.released_at is null",
      replace: "where i.name = n.name"
    }
  ],
  leftOut: [
    {
      guards: ["again: on conflict (name) do update"],
      reason: "the statement does not run without it; what it does then is a mutation of its own"
    },
    {
      guards: ["released: released_at is null"],
      reason: "keeps when it was released first, for who reads the table: nothing in the product does"
    }
  ]
})
