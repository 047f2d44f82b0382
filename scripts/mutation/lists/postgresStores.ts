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
          find: "where o.released_at is null and",
          replace: "where"
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
  listing("packages/adapter-postgres/src/PostgresJournal.ts", tests, {
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
        guards: ["written: i.fence = excluded.fence"],
        says: "an intent replaces that of an older Fence",
        find: "i.deployment = excluded.deployment and i.fence = excluded.fence",
        replace: "i.deployment = excluded.deployment"
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
        find: "where i.app = ${app} and i.released_at is null",
        replace: "where i.app = ${app}"
      },
      {
        guards: ["heldBy: i.released_at is null"],
        says: "a released intent is held by its replica",
        find: "where i.replica = ${replica} and i.released_at is null",
        replace: "where i.replica = ${replica}"
      },
      {
        guards: ["unowned: i.released_at is null"],
        says: "a released intent is unowned",
        find: "where i.released_at is null and d.status",
        replace: "where d.status"
      },
      {
        guards: ["unowned: d.status not in ('building', 'deploying')"],
        says: "the intent of a Deployment in progress is unowned",
        find: "is null and d.status not in ('building', 'deploying')",
        replace: "is null"
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
      { guards: ["written: on conflict (name) do update"], reason: upsert },
      {
        guards: ["released: released_at is null"],
        reason: "keeps when it was released first, for who reads the table: nothing in the product does"
      }
    ]
  }),
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
