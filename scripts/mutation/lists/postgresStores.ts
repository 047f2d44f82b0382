// The guards of the stores on PostgreSQL, but for those of Deployments and Envs.

import { joined, lawsOf, listing } from "./listing.ts"

const tests = ["contracts", "races", "holders", "concurrency"].map(
  (name) => `packages/adapter-postgres/test/${name}.test.ts`
)

const upsert = "the statement does not run without it; what it does then is a mutation of its own"

/** What is listed of them. */
export const postgresStores = joined([
  listing("packages/adapter-postgres/src/PostgresAppStore.ts", tests, {
    named: lawsOf("AppStore", "AppStatus"),
    mutations: [
      {
        guards: ["place: status <> 'deleted'"],
        says: "the name of a deleted App stays taken",
        find: "and name = ${name} and status <> 'deleted'",
        replace: "and name = ${name}"
      },
      {
        guards: ["place: status <> 'deleted' #3"],
        says: "the port of a deleted App stays taken",
        find: "where host_port = c.port and status <> 'deleted'",
        replace: "where host_port = c.port"
      },
      {
        guards: ["register: on conflict do nothing"],
        says: "a second App of a Tenant makes the Tenant again",
        find: " on conflict do nothing",
        replace: ""
      },
      {
        guards: ["register: for update"],
        says: "registrations choose ports at the same time",
        find: "where name = 'host_ports' for update",
        replace: "where name = 'host_ports'"
      },
      {
        guards: ["get: a.status <> 'deleted'"],
        says: "a deleted App is answered",
        find: "where a.id = ${app} and a.status <> 'deleted'",
        replace: "where a.id = ${app}"
      },
      {
        guards: ["list: a.status <> 'deleted'"],
        says: "deleted Apps are listed",
        find: "where a.status <> 'deleted'\n",
        replace: "where true\n"
      },
      {
        guards: ["update: status = 'live'"],
        says: "an App that is not live is changed",
        find: "where id = ${id} and status = 'live'",
        replace: "where id = ${id}"
      },
      {
        guards: ["change: for no key update"],
        says: "the App is read without its lock",
        find: "where id = ${app} for no key update",
        replace: "where id = ${app}"
      },
      {
        guards: ['change: row.status === "deleted"'],
        says: "a deleted App is only not live",
        find: 'row === undefined || row.status === "deleted"',
        replace: "row === undefined"
      }
    ],
    leftOut: [
      {
        guards: ["place: status <> 'deleted' #2"],
        reason: "saves work: the ports after those of deleted Apps would be candidates too, and each is looked up"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/PostgresEventFeed.ts", tests, {
    named: lawsOf("EventFeed"),
    mutations: [
      {
        guards: ["read: pg_snapshot_xmin"],
        says: "Events are answered while older transactions run",
        find: "xid < pg_snapshot_xmin(pg_current_snapshot())",
        replace: "true"
      }
    ]
  }),
  listing(
    "packages/adapter-postgres/src/internal/releases.ts",
    [...tests, "packages/adapter-postgres/test/images.test.ts"],
    {
      mutations: [
        {
          guards: ["unneeded: d.status in ('queued', 'building', 'deploying')"],
          says: "nobody needs the image of what is under way",
          find: " and d.status in ('queued', 'building', 'deploying')",
          replace: " and false"
        },
        {
          guards: ["unneeded: o.released_at is null"],
          says: "what was ever started is needed for ever",
          find: "where o.released_at is null and d.image",
          replace: "where d.image"
        },
        {
          guards: ["unneeded: j.status in ('queued', 'running')"],
          says: "nobody needs the image of a Job that waits or runs",
          find: "and j.status in ('queued', 'running')",
          replace: "and false"
        },
        {
          guards: ["unneeded: o.released_at is null #2"],
          says: "what a Job ever started is needed for ever",
          find: "where o.released_at is null and j.image",
          replace: "where j.image"
        },
        {
          guards: ["unneeded: a.status <> 'deleted'"],
          says: "the images of deleted Apps are needed",
          find: " and a.status <> 'deleted'",
          replace: ""
        }
      ]
    }
  ),
  listing("packages/adapter-postgres/src/PostgresLeases.ts", tests, {
    named: lawsOf("Leases"),
    mutations: [
      {
        guards: ["acquire: l.fence + 1"],
        says: "a new holder has the old one's Fence",
        find: "else l.fence + 1 end",
        replace: "else l.fence end"
      },
      {
        guards: ["acquire: l.until <= clock_timestamp()"],
        says: "a lease is taken before it is over",
        find: "l.until <= clock_timestamp()",
        replace: "true"
      }
    ],
    leftOut: [{ guards: ["acquire: on conflict (name) do update"], reason: upsert }]
  }),
  listing(
    "packages/adapter-postgres/src/PostgresSealedSecrets.ts",
    ["packages/adapter-postgres/test/rotation.test.ts"],
    {
      mutations: [
        {
          guards: ["replace: for no key update"],
          says: "a value is replaced while somebody may be changing its row",
          find: " for no key update skip locked",
          replace: ""
        },
        {
          guards: ["replace: skip locked"],
          says: "a run waits for whoever has a row",
          find: " skip locked",
          replace: ""
        },
        {
          guards: [],
          says: "a value is replaced whatever it is by now",
          find: " and t.${sql.literal(column)} = ${before}",
          replace: ""
        }
      ]
    }
  )
])
