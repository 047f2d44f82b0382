// The guards of sweeps: in memory, in the statements, and what the database holds against any of them.

import type { Mutation } from "../Guard.ts"
import { joined, lawsOf, listing } from "./listing.ts"

type Entry = Omit<Mutation, "file" | "tests">

const testsOf = (...names: ReadonlyArray<string>) =>
  names.map((name) => `packages/adapter-postgres/test/${name}.test.ts`)

/** What is locked is passed over by others. */
const waits = (kind: string, find: string, replace: string): Entry => ({
  guards: [`${kind}: skip locked`],
  says: "a sweep waits for who has something in hand",
  find,
  replace
})

const schema = listing("packages/adapter-postgres/src/migrations/0011_retention.ts", testsOf("retentionHolds"), {
  mutations: [
    {
      guards: ["isDeleted: a.status = 'deleted'"],
      says: "what belongs to a deleted App is held too",
      find: `where a.id = old.app and a.status = 'deleted')"`,
      replace: `where a.id = old.app and false)"`
    },
    {
      guards: ["retention: held.status = 'succeeded'"],
      says: "a Batch that is done is held",
      find: "when held.status = 'succeeded' or held.kind",
      replace: "when held.kind"
    },
    {
      guards: ["retention: a.status = 'deleted'"],
      says: "a Batch of an App that is not deleted is let go",
      find: "where a.id = held.app and a.status = 'deleted')",
      replace: "where a.id = held.app)"
    },
    {
      guards: ["retention: old.status = 'done'"],
      says: "what is done may be forgotten",
      find: "old.status = 'done' and new is distinct from old",
      replace: "false"
    },
    {
      guards: ["retention: old.released_at is null"],
      says: "an open intent may be deleted",
      find: `"old.released_at is null"`,
      replace: `"false"`
    },
    {
      guards: ["retention: old.status in ('queued', 'building', 'deploying')"],
      says: "a Deployment in progress may be deleted when there is a newer one",
      find: "old.status in ('queued', 'building', 'deploying') or (not",
      replace: "(not"
    },
    {
      guards: ["retention: status in ('queued', 'building', 'deploying')"],
      says: "the Revision of a Deployment in progress is not needed",
      find: "where app = of_app and status in ('queued', 'building', 'deploying'))",
      replace: "where app = of_app and false)"
    },
    {
      guards: ["retention: d.fence > old.fence"],
      says: "the last Deployment that had a Fence may be deleted",
      find: "d.finished_at is not null and d.fence > old.fence",
      replace: "d.id <> old.id"
    },
    {
      guards: ["retention: constraint logs_swept"],
      says: "taken away",
      find: "logs_swept check (",
      replace: "logs_swept check (true or "
    },
    {
      guards: ["retention: constraint jobs_ttl_seconds_check"],
      says: "taken away",
      find: "jobs_ttl_seconds_check check (",
      replace: "jobs_ttl_seconds_check check (true or "
    }
  ],
  leftOut: [
    {
      guards: [
        "retention: status = 'succeeded'",
        "retention: status in ('failed', 'cancelled', 'superseded')",
        "retention: status = 'deleted'"
      ],
      reason: "of an index: nothing but speed depends on it"
    },
    {
      guards: ["retention: old.status <> 'deleted'"],
      reason:
        "a foreign key refuses the same of an App that ever had anything, and what is left is an App that nobody has used"
    }
  ]
})

const statements = listing(
  "packages/adapter-postgres/src/internal/sweeping.ts",
  testsOf("retention", "contracts", "idempotency"),
  {
    named: lawsOf("RetentionStore"),
    mutations: [
      {
        guards: ["reservations: for update", "reservations: skip locked"],
        says: "who deletes what has expired waits for who holds it",
        find: "order by expires_at limit ${limit} for update skip locked",
        replace: "order by expires_at limit ${limit}"
      },
      waits(
        "reservations",
        "order by expires_at limit ${limit} for update skip locked",
        "order by expires_at limit ${limit} for update"
      ),
      {
        guards: ["jobs: for update", "jobs: skip locked"],
        says: "a Job that somebody has in hand is deleted",
        find: "for update of j skip locked",
        replace: ""
      },
      waits("jobs", "for update of j skip locked", "for update of j"),
      {
        guards: ["jobs: a.status = 'deleted'"],
        says: "a Batch of an App that is not deleted is asked for",
        find: "where a.status = 'deleted' and j.finished_at",
        replace: "where a.status <> 'deleted' and j.finished_at"
      },
      {
        guards: ["deployments: d.status in ('failed', 'cancelled', 'superseded')"],
        says: "Deployments with a Release are asked for",
        find: "d.status in ('failed', 'cancelled', 'superseded') and d.finished_at",
        replace: "d.finished_at"
      },
      {
        guards: ["deployments: a.status = 'deleted'"],
        says: "the newest Deployment of an App that is deleted stays",
        find: "and (a.status = 'deleted' or (\n            (select count(*) from deployments n",
        replace: "and (false or (\n            (select count(*) from deployments n"
      },
      {
        guards: ["isPassed: n.fence > d.fence"],
        says: "the Deployment under whose Fence traffic is led is asked for",
        find: "and n.finished_at is not null and n.fence > d.fence",
        replace: "and n.id <> d.id"
      },
      {
        guards: ["isUnnamed: o.status in ('queued', 'building', 'deploying')"],
        says: "a Release of which a Deployment is in progress goes",
        find: "where o.of_release = r.id and o.status in ('queued', 'building', 'deploying'))",
        replace: "where o.of_release = r.id and false)"
      },
      {
        guards: ["revisions: a.status = 'deleted'"],
        says: "Revisions of an App that is deleted stay",
        find: "where (a.status = 'deleted' or exists (select from env_snapshots s where s.app = a.id))",
        replace: "where exists (select from env_snapshots s where s.app = a.id)"
      },
      {
        guards: ["apps: a.status = 'deleted'"],
        says: "an App that is not deleted is asked for",
        find: "where a.status = 'deleted' and a.settled",
        replace: "where a.settled"
      },
      {
        guards: [],
        says: "a Run is asked for of which something may be left",
        find: "where finished_at <= ${before(terms)} and cleanup = 'done'",
        replace: "where finished_at <= ${before(terms)}"
      },
      {
        guards: [],
        says: "a Job is asked for before the Run in its Slot",
        find: "\n    and not exists (select from runs u where u.job = j.id)",
        replace: ""
      },
      {
        guards: [],
        says: "the last lines of a Run that has ended stay",
        find: "u.id = substring(g.name from 5) and u.finished_at is not null",
        replace: "u.id = substring(g.name from 5) and false"
      }
    ],
    leftOut: [
      {
        guards: [
          "subscriptions: for update",
          "subscriptions: skip locked",
          "events: for update",
          "events: skip locked",
          "logs: for update",
          "logs: for no key update",
          "logs: skip locked",
          "intents: for update",
          "intents: skip locked",
          "runs: for update",
          "runs: skip locked",
          "deployments: for update",
          "deployments: skip locked",
          "apps: for update",
          "apps: skip locked"
        ],
        reason:
          "what is swept here does not come back to life: without the lock two that sweep at once wait for each other, and each row still goes once"
      },
      {
        guards: ["releases: for update", "releases: skip locked"],
        reason:
          "it orders a sweep and a rollback; without it the foreign key of what the rollback begins refuses one of both"
      },
      {
        guards: ["releases: a.status = 'deleted'"],
        reason: "with it Releases of a deleted App go a little earlier than with the App"
      },
      {
        guards: ["revisions: for no key update", "revisions: skip locked"],
        reason: "it orders a sweep and who begins a Deployment; what that names is held by the database either way"
      },
      {
        guards: ["jobs: status = 'succeeded'", "jobs: j.status <> 'succeeded'"],
        reason: "it is what the index is for; which Jobs go is looked at again under the lock, by `is_held`"
      }
    ]
  }
)

const memory = listing("packages/core/src/port/memoryRetention.ts", ["packages/core/test/contracts.test.ts"], {
  named: "memory layer of RetentionStore",
  mutations: [
    {
      guards: ['isDeleted: ?.app.status === "deleted"'],
      says: "every App is taken for one that is not deleted",
      find: 'app !== null && state.apps.get(app)?.app.status === "deleted"',
      replace: 'app !== null && state.apps.get(app)?.app.status === "expired"'
    },
    {
      guards: ['deployments: status !== "healthy"'],
      says: "Deployments go without their Release",
      find: 'isTerminal(status) && status !== "healthy" &&',
      replace: "isTerminal(status) &&"
    },
    {
      guards: ['apps: app.status === "deleted"'],
      says: "an App that is live goes",
      find: 'app.status === "deleted" && isBefore',
      replace: "isBefore"
    },
    {
      guards: [],
      says: "a Run goes of which something may be left",
      find: ' && run.cleanup === "done")',
      replace: ")"
    },
    {
      guards: [],
      says: "a Job goes before the Run in its Slot",
      find: " && !isOfRun(row.job.id)",
      replace: ""
    }
  ]
})

/** What is listed of them. */
export const retention = joined([schema, statements, memory])
