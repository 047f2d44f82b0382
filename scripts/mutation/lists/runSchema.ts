// The guards of the table of Runs.

import { listing } from "./listing.ts"
import type { Mutation } from "../Guard.ts"

const tests = ["packages/adapter-postgres/test/runConstraints.test.ts"]

type Entry = Omit<Mutation, "file" | "tests">

const without = (guard: string, find: string, replace = ""): Entry => ({
  guards: [`runs: ${guard}`],
  says: "taken away",
  find,
  replace
})

/** The check of a constraint with a name of its own holds for every row. */
const always = (name: string, find = `constraint ${name} check (`): Entry =>
  without(`constraint ${name}`, find, `${find}true or `)

/** A check of one column. */
const check = (condition: string): Entry => without(`check (${condition})`, ` check (${condition})`)

/** What is listed of them. */
export const runSchema = listing("packages/adapter-postgres/src/migrations/0014_runs.ts", tests, {
  mutations: [
    without("primary key", "id text primary key check", "id text check"),
    check("id ~ '^run_[a-z0-9]{1,64}$'"),
    without("references jobs", "job text not null references jobs (id)", "job text not null"),
    without("references tenants", "tenant text not null references tenants (name)", "tenant text not null"),
    check("fence >= 1"),
    check("name ~ '^[a-z][a-z0-9-]{0,62}$'"),
    check("target ~ '^[a-z][a-z0-9-]{0,62}$'"),
    without(
      "check (status in ('provisioning', 'running', 'teardown', 'succeeded', 'failed', 'cancelled'))",
      "\n    check (status in ('provisioning', 'running', 'teardown', 'succeeded', 'failed', 'cancelled'))"
    ),
    check("jsonb_typeof(topology -> 'nodes') = 'array'"),
    check("jsonb_typeof(nodes) = 'object'"),
    check("jsonb_typeof(steps) = 'object'"),
    check("family(subnet) = 4"),
    check("outcome in ('succeeded', 'failed', 'cancelled')"),
    check("verdict in ('pass', 'fail', 'inconclusive')"),
    check("cleanup in ('none', 'pending', 'done')"),
    without("constraint runs_one_of_job", "  constraint runs_one_of_job unique (job),\n"),
    always("runs_network"),
    always("runs_error"),
    always("runs_decided"),
    always("runs_as_decided"),
    always("runs_finished"),
    always("runs_kept"),
    always("runs_cleanup"),
    always("runs_erased"),
    without(
      "new.status in ('running', 'teardown')",
      "when 'provisioning' then new.status in ('running', 'teardown')",
      "when 'provisioning' then true"
    ),
    without("new.status = 'teardown'", "when 'running' then new.status = 'teardown'", "when 'running' then true"),
    without(
      "new.status in ('succeeded', 'failed', 'cancelled')",
      "when 'teardown' then new.status in ('succeeded', 'failed', 'cancelled')",
      "when 'teardown' then true"
    ),
    { guards: [], says: "what has ended goes on", find: "else false\n", replace: "else true\n" },
    {
      guards: [],
      says: "a Run goes that has not ended",
      find: "if old.finished_at is null or old.cleanup <> 'done' then",
      replace: "if old.finished_at is not null and old.cleanup <> 'done' then"
    },
    {
      guards: [],
      says: "a Run goes of which something may be left",
      find: "if old.finished_at is null or old.cleanup <> 'done' then",
      replace: "if old.finished_at is null then"
    },
    without(
      "constraint logs_name_check",
      ",\n  add constraint logs_name_check check (name ~ '^((deployment|workload)/dep_|job/job_|run/run_)[a-z0-9]{1,64}$')"
    )
  ],
  leftOut: [
    {
      guards: ["runs: create unique index runs_position"],
      reason: "no two rows have the same: the database counts them, and nobody may write it"
    },
    {
      guards: ["runs: old.status <> new.status"],
      reason: "spares a call where the status is written again as it is"
    }
  ]
})
