// The guards of the schema. That `schema.sql` differs is no reason to say that a test noticed: each is broken in fact.

import { joined, listing } from "./listing.ts"
import type { Mutation } from "../Guard.ts"

const file = "packages/adapter-postgres/src/migrations/0001_foundation.ts"
const tests = ["constraints", "rows"].map((name) => `packages/adapter-postgres/test/${name}.test.ts`)

type Entry = Omit<Mutation, "file" | "tests">

/** Takes a whole clause away. */
const without = (guard: string, find: string, replace = ""): Entry => ({
  guards: [guard],
  says: "taken away",
  find,
  replace
})

const notUnique = (name: string): Entry =>
  without(`foundation: create unique index ${name}`, `create unique index ${name} `, `create index ${name} `)

/** The check of a constraint with a name of its own holds for every row. */
const always = (guard: string, find: string): Entry => without(guard, find, `${find}true or `)

const tables = listing(file, tests, {
  mutations: [
    without(
      "tenants: check (name ~ '^[a-z][a-z0-9-]{0,62}$')",
      "name text primary key check (name ~ '^[a-z][a-z0-9-]{0,62}$')",
      "name text primary key"
    ),
    without("tenants: check (job_cap between 0 and 10000)", " check (job_cap between 0 and 10000)"),
    without(
      "apps: references tenants",
      "tenant text not null references tenants (name),\n  name",
      "tenant text not null,\n  name"
    ),
    always("apps: constraint apps_secret_of_git", "apps_secret_of_git check ("),
    notUnique("apps_position"),
    notUnique("apps_one_name"),
    notUnique("apps_one_port"),
    without(
      "releases: references apps",
      "app text not null references apps (id),\n  number",
      "app text not null,\n  number"
    ),
    without("releases: check (id ~ '^rel_[a-z0-9]{1,64}$')", " check (id ~ '^rel_[a-z0-9]{1,64}$')"),
    without("releases: check (number >= 1)", "check (number >= 1),\n  image", ",\n  image"),
    without(
      "releases: check (env_revision >= 0)",
      "check (env_revision >= 0),\n  commit text,\n  deployment",
      ",\n  commit text,\n  deployment"
    ),
    without(
      "releases: unique",
      "deployment text not null unique,\n  created_at",
      "deployment text not null,\n  created_at"
    ),
    without(
      "releases: unique (app, number)",
      "current boolean not null,\n  unique (app, number)",
      "current boolean not null"
    ),
    notUnique("releases_one_current"),
    without(
      "slots: references tenants",
      "tenant text not null references tenants (name),\n  number",
      "tenant text not null,\n  number"
    ),
    without("slots: check (number between 1 and 10000)", " check (number between 1 and 10000)"),
    without("slots: unique", "deployment text not null unique,\n  fence", "deployment text not null,\n  fence"),
    without(
      "slots: check (fence >= 1)",
      "fence bigint not null check (fence >= 1),\n  primary key (tenant",
      "fence bigint not null,\n  primary key (tenant"
    ),
    without(
      "deployment_history: references deployments",
      "references deployments (id),\n  position bigint generated always as identity,\n  status",
      ",\n  position bigint generated always as identity,\n  status"
    ),
    without("deployment_history: primary key (deployment, position)", ",\n  primary key (deployment, position)"),
    without("intents: references deployments", "references deployments (id),\n  fence", ",\n  fence"),
    without(
      "intents: check (fence >= 1)",
      "check (fence >= 1),\n  replica text not null,\n  workload",
      ",\n  replica text not null,\n  workload"
    ),
    always("intents: constraint intents_confirmed", "intents_confirmed check ("),
    without(
      "logs: check (name ~ '^(deployment|workload)/dep_[a-z0-9]{1,64}$')",
      " check (name ~ '^(deployment|workload)/dep_[a-z0-9]{1,64}$')"
    ),
    without("logs: check (lines >= 0)", " check (lines >= 0)"),
    without("logs: check (bytes >= 0)", " check (bytes >= 0)"),
    without("events: primary key (xid, id)", ",\n  primary key (xid, id)"),
    without("leases: check (fence >= 1)", "check (fence >= 1),\n  until", ",\n  until"),
    without(
      "routes: check (host_port between 1 and 65535)",
      "check (host_port between 1 and 65535),\n  fence bigint not null",
      ",\n  fence bigint not null"
    ),
    without("routes: check (fence >= 0)", " check (fence >= 0)"),
    without("routes: check (address_port between 1 and 65535)", " check (address_port between 1 and 65535)"),
    without("routes: unique", "version bigint not null unique", "version bigint not null"),
    always("routes: constraint routes_address", "routes_address check (")
  ],
  leftOut: [
    {
      guards: ["log_lines: check (seq >= 1)", "log_lines: primary key (log, seq)"],
      reason: "a later migration packs what the table holds and drops it"
    },
    {
      guards: ["tenants: primary key", "releases: primary key", "deployments: primary key"],
      reason: "foreign keys refer to it: the schema cannot be made without"
    },
    {
      guards: ["apps: primary key", "slots: primary key (tenant, number)"],
      reason: "foreign keys refer to it: the schema cannot be made without"
    },
    {
      guards: ["apps: unique (id, tenant)"],
      reason: "the key that `foreign key (app, tenant)` of Deployments refers to; the id alone is unique already"
    },
    {
      guards: ["intents: primary key", "logs: primary key", "leases: primary key", "routes: primary key"],
      reason: "`on conflict` of its store needs it: no write runs without"
    },
    {
      guards: [
        "envs: primary key",
        "envs: references apps",
        "envs: check (revision >= 1)",
        "envs: check (bytes between 2 and 65536)",
        "env_revisions: references apps",
        "env_revisions: check (revision >= 1)",
        "env_revisions: check (total >= 0)",
        "env_revisions: primary key (app, revision)"
      ],
      reason: "migration 3 drops the table"
    },
    {
      guards: ["counters: primary key"],
      reason: "the migration writes both rows, and no program adds or renames one"
    },
    {
      guards: [
        "foundation: status = 'queued'",
        "foundation: released_at is null",
        "foundation: released_at is null #2"
      ],
      reason: "the part of the rows that an index for speed holds"
    }
  ]
})

const deployments = listing(file, tests, {
  mutations: [
    without("deployments: check (id ~ '^dep_[a-z0-9]{1,64}$')", " check (id ~ '^dep_[a-z0-9]{1,64}$')"),
    without("deployments: check (number >= 1)", "check (number >= 1),\n  status", ",\n  status"),
    without(
      "deployments: check (status in ('queued', 'building', 'deploying', 'healthy', 'failed', 'cancelled', 'superseded'))",
      "\n    check (status in ('queued', 'building', 'deploying', 'healthy', 'failed', 'cancelled', 'superseded'))"
    ),
    without("deployments: check (env_revision >= 0)", "check (env_revision >= 0),\n  release", ",\n  release"),
    without("deployments: references releases", " references releases (id)"),
    without(
      "deployments: check (fence >= 1)",
      "fence bigint check (fence >= 1),\n  replica text,\n  lease_until",
      "fence bigint,\n  replica text,\n  lease_until"
    ),
    without(
      "deployments: foreign key (app, tenant) references apps",
      "\n  foreign key (app, tenant) references apps (id, tenant),"
    ),
    without(
      "deployments: foreign key (tenant, slot) references slots",
      "\n  foreign key (tenant, slot) references slots (tenant, number),"
    ),
    without("deployments: unique (app, number)", "\n  unique (app, number),\n  constraint", "\n  constraint"),
    without(
      "deployments: constraint deployments_one_delivery",
      "\n  constraint deployments_one_delivery unique (app, delivery_id),"
    ),
    ...["secret_of_git", "held", "lease", "slot", "built", "healthy", "release", "failed", "finished"].map((name) =>
      always(`deployments: constraint deployments_${name}`, `deployments_${name} check (`)
    ),
    notUnique("deployments_position"),
    notUnique("deployments_one_active"),
    notUnique("deployments_one_queued"),
    notUnique("deployments_of_release"),
    notUnique("deployments_in_slot"),
    without(
      "foundation: foreign key (deployment) references deployments",
      "\n    `alter table slots add constraint slots_deployment_fkey foreign key (deployment) references deployments (id)`,"
    ),
    without(
      "foundation: foreign key (deployment) references deployments #2",
      "\n    `alter table releases add constraint releases_deployment_fkey foreign key (deployment) references deployments (id)`,"
    )
  ]
})

/** What is listed of them. */
export const postgresSchema = joined([
  tables,
  deployments,
  listing("packages/adapter-postgres/src/migrations/0003_env_changes.ts", tests, {
    mutations: [
      without("env_changes: references apps", " references apps (id),\n  first", ",\n  first"),
      without("env_changes: primary key (app, first)", "\n  primary key (app, first),"),
      always("env_changes: constraint env_changes_one_entry_each", "env_changes_one_entry_each check ("),
      without("env_snapshots: references apps", " references apps (id),\n  revision", ",\n  revision"),
      without("env_snapshots: check (revision >= 1)", " check (revision >= 1)"),
      without("env_snapshots: primary key (app, revision)", ",\n  primary key (app, revision)")
    ]
  }),
  listing("packages/adapter-postgres/src/migrations/0005_installation.ts", tests, {
    mutations: [
      without("installation: primary key", "boolean primary key", "boolean"),
      without("installation: check (single)", " check (single)"),
      without(
        "installation: check (id ~ '^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$')",
        " check (id ~ '^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$')"
      )
    ]
  }),
  listing("packages/adapter-postgres/src/migrations/0006_lifecycle.ts", tests, {
    mutations: [
      without(
        "lifecycle: check (stop_as in ('cancelled', 'superseded'))",
        " check (stop_as in ('cancelled', 'superseded'))"
      ),
      without("lifecycle: references releases", " references releases (id)"),
      always("lifecycle: constraint deployments_stop", "deployments_stop check ("),
      always("lifecycle: constraint deployments_stopped", "deployments_stopped check (")
    ],
    leftOut: [
      {
        guards: [
          "lifecycle: status in ('live', 'stopped')",
          "lifecycle: status in ('queued', 'building', 'deploying')"
        ],
        reason: "the condition of an index; what is answered does not depend on it"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/migrations/0008_log_chunks.ts", tests, {
    mutations: [
      without("log_chunks: check (first >= 1)", " check (first >= 1)"),
      without("log_chunks: primary key (log, first)", "\n  primary key (log, first),"),
      always("log_chunks: constraint log_chunks_range", "log_chunks_range check ("),
      always("log_chunks: constraint log_chunks_output", "log_chunks_output check (")
    ]
  }),
  listing(
    "packages/adapter-postgres/src/PostgresInstallation.ts",
    ["packages/adapter-postgres/test/installation.test.ts"],
    {
      mutations: [
        {
          guards: ["propose: on conflict do nothing"],
          says: "who proposes an id at the same time as another is refused",
          find: " on conflict do nothing",
          replace: ""
        }
      ]
    }
  )
])
