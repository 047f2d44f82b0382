// The guards of the schema of Jobs and of the Slots that they share with Deployments.

import { joined, listing } from "./listing.ts"
import type { Mutation } from "../Guard.ts"

const file = "packages/adapter-postgres/src/migrations/0009_jobs.ts"
const tests = ["packages/adapter-postgres/test/jobConstraints.test.ts"]

type Entry = Omit<Mutation, "file" | "tests">

const without = (guard: string, find: string, replace = ""): Entry => ({
  guards: [guard],
  says: "taken away",
  find,
  replace
})

/** The check of a constraint with a name of its own holds for every row. */
const always = (name: string, check = "check ("): Entry =>
  without(`jobs: constraint ${name}`, `constraint ${name} ${check}`, `constraint ${name} ${check}true or `)

/** A check of one column. */
const check = (condition: string, table = "jobs"): Entry =>
  without(`${table}: check (${condition})`, ` check (${condition})`)

const transitions = listing(
  "packages/adapter-postgres/src/migrations/0013_job_transitions.ts",
  ["packages/adapter-postgres/test/jobTransitions.test.ts"],
  {
    mutations: [
      {
        guards: ["jobTransitions: new.status in ('running', 'cancelled')"],
        says: "what waits succeeds at once",
        find: "when 'queued' then new.status in ('running', 'cancelled')",
        replace: "when 'queued' then true"
      },
      {
        guards: ["jobTransitions: new.status in ('queued', 'succeeded', 'failed', 'cancelled')"],
        says: "what runs cannot wait again",
        find: "new.status in ('queued', 'succeeded', 'failed', 'cancelled')",
        replace: "new.status in ('succeeded', 'failed', 'cancelled')"
      },
      {
        guards: ["jobTransitions: new.status in ('queued', 'running')"],
        says: "what has ended ends anew",
        find: "else new.status in ('queued', 'running') and",
        replace: "else"
      },
      {
        guards: [],
        says: "what has ended comes back as the same attempt",
        find: " and new.attempt = old.attempt + 1",
        replace: ""
      },
      {
        guards: [],
        says: "what succeeded is run again",
        find: "when 'succeeded' then false\n",
        replace: "when 'succeeded' then true\n"
      }
    ],
    leftOut: [
      {
        guards: ["jobTransitions: old.status <> new.status"],
        reason: "spares a call where the status is written again as it is"
      }
    ]
  }
)

/** What is listed of them. */
export const jobSchema = joined([
  transitions,
  listing(file, tests, {
    mutations: [
      always("slots_one_holder"),
      without("jobs: constraint slots_job_key", ",\n  add constraint slots_job_key unique (job)"),
      without("jobs: primary key", "id text primary key default", "id text unique default"),
      check("id ~ '^job_[a-z0-9]{1,64}$'"),
      without("jobs: references tenants", "tenant text not null references tenants (name)", "tenant text not null"),
      check("kind in ('command', 'batch', 'slot')"),
      check("status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')"),
      check("attempt >= 1"),
      check("jsonb_typeof(command) = 'array'"),
      check("timeout_seconds >= 1"),
      check("item_concurrency >= 1"),
      check("on_item_failure in ('continue', 'stop')"),
      check("on_full in ('reject', 'queue')"),
      without("jobs: references releases", "release text references releases (id)", "release text"),
      check("env_revision >= 0"),
      check("items_done >= 0"),
      check("items_failed >= 0"),
      check("recoveries >= 0"),
      check("fence >= 0"),
      without(
        "jobs: foreign key (app, tenant) references apps",
        "  foreign key (app, tenant) references apps (id, tenant),\n"
      ),
      without(
        "jobs: foreign key (tenant, slot, id) references slots",
        "  constraint jobs_slot_fkey foreign key (tenant, slot, id) references slots (tenant, number, job),\n"
      ),
      without("jobs: constraint jobs_one_key", "  constraint jobs_one_key unique (tenant, key),\n"),
      always("jobs_items"),
      always("jobs_all_done"),
      always("jobs_held"),
      always("jobs_slot"),
      always("jobs_finished"),
      always("jobs_of_release"),
      always("jobs_in_app"),
      always("jobs_lease"),
      without(
        "jobs: foreign key (job) references jobs",
        "    `alter table slots add constraint slots_job_fkey foreign key (job) references jobs (id)`,\n"
      ),
      without(
        "jobs: foreign key (tenant, slot, id) references slots #2",
        ",\n  add constraint deployments_slot_fkey foreign key (tenant, slot, id) references slots (tenant, number, deployment)"
      ),
      without(
        "jobs: create unique index jobs_in_slot",
        "    `create unique index jobs_in_slot on jobs (tenant, slot) where slot is not null`,\n"
      ),
      without("job_items: references jobs", "job text not null references jobs (id)", "job text not null"),
      check("number >= 1", "job_items"),
      check("status in ('pending', 'done', 'failed')", "job_items"),
      without("job_items: primary key (job, number)", "  primary key (job, number),\n"),
      without(
        "job_items: constraint job_items_finished",
        "job_items_finished check (",
        "job_items_finished check (true or "
      ),
      without("jobs: references jobs", "add column job text references jobs (id)", "add column job text"),
      always("intents_one_owner"),
      without(
        "jobs: constraint logs_name_check",
        ",\n  add constraint logs_name_check check (name ~ '^((deployment|workload)/dep_|job/job_)[a-z0-9]{1,64}$')"
      ),
      {
        guards: [],
        says: "two who take the last Slot count the same",
        find: "update tenants set served = nextval('tenants_served_seq') where name = new.tenant\n    returning coalesce(job_cap, 10000) into cap;",
        replace: "select coalesce(job_cap, 10000) into cap from tenants where name = new.tenant;"
      },
      {
        guards: [],
        says: "a Slot more than the cap",
        find: "where tenant = new.tenant) >= cap then",
        replace: "where tenant = new.tenant) > cap then"
      }
    ],
    leftOut: [
      {
        guards: ["jobs: check (served >= 0)"],
        reason: "a sequence gives nothing else; it says what the column is"
      },
      {
        guards: ["jobs: constraint slots_of_deployment", "jobs: constraint slots_of_job"],
        reason: "what foreign keys refer to: they are not made without it, and are mutations of their own"
      },
      {
        guards: ["jobs: check (items_total >= 0)"],
        reason: "follows from the others: no fewer than none have ended, and no more than there are"
      },
      {
        guards: ["jobs: create unique index jobs_listed"],
        reason: "no two rows have the same: the database counts them, and nobody may write it"
      },
      {
        guards: ["jobs: status = 'queued'", "jobs: status in ('queued', 'running')", "jobs: status = 'pending'"],
        reason: "which rows an index has; what is found by it is the same without it"
      }
    ]
  })
])
