// The guards around who begins a Deployment and who is given it, on PostgreSQL.

import { joined, lawsOf, listing } from "./listing.ts"

const tests = ["contracts", "races", "holders", "concurrency", "admission"].map(
  (name) => `packages/adapter-postgres/test/${name}.test.ts`
)

const named = lawsOf("DeploymentStore", "AppStatus", "AppStore")

/** What is listed of them. */
export const postgresAdmission = joined([
  listing("packages/adapter-postgres/src/internal/claims.ts", tests, {
    named,
    mutations: [
      {
        guards: ["take: fence = f.last_fence"],
        says: "every holder has the same Fence",
        find: "fence = f.last_fence",
        replace: "fence = 1"
      },
      {
        guards: ["take: d.status = 'queued'"],
        says: "a Deployment is taken in any status",
        find: "where d.id = ${id} and d.status = 'queued'",
        replace: "where d.id = ${id}"
      },
      {
        guards: ["take: last_fence = last_fence + 1"],
        says: "the Fence of an App does not grow",
        find: "last_fence = last_fence + 1",
        replace: "last_fence = greatest(last_fence, 1)"
      },
      {
        guards: ["takeOver: for no key update", "takeOver: skip locked"],
        says: "the App is not locked",
        find: "where id = ${app} for no key update skip locked",
        replace: "where id = ${app}"
      },
      {
        guards: ["takeOver: skip locked"],
        says: "an App that somebody holds is waited for",
        find: " skip locked`",
        replace: "`"
      },
      {
        guards: ["lost: lease_until <= clock_timestamp()"],
        says: "who holds a lease is told as lost",
        find: "and lease_until <= clock_timestamp()\n          and (${deployment",
        replace: "and lease_until is not null\n          and (${deployment"
      },
      {
        guards: ["takeOver: last_fence + 1"],
        says: "the new holder has the old one's Fence",
        find: "select last_fence + 1 from apps",
        replace: "select last_fence from apps"
      },
      {
        guards: ["takeOver: lease_until <= clock_timestamp()"],
        says: "a lease that goes on is taken over",
        find: "where id = ${id} and status in ('building', 'deploying') and lease_until <= clock_timestamp()",
        replace: "where id = ${id} and status in ('building', 'deploying')"
      },
      {
        guards: ["takeOver: last_fence = moved.fence"],
        says: "the Fence of the App stays behind",
        find: "set last_fence = moved.fence",
        replace: "set last_fence = a.last_fence"
      },
      {
        guards: ["takeOver: fence = moved.fence"],
        says: "the Slot keeps the old Fence",
        find: "set fence = moved.fence",
        replace: "set fence = s.fence"
      }
    ],
    leftOut: [
      {
        guards: ["lost: status in ('building', 'deploying')", "takeOver: status in ('building', 'deploying')"],
        reason: "follows from the lease: `deployments_lease` allows one only in these statuses"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/beginDeployment.ts", tests, {
    named,
    mutations: [
      {
        guards: ["lockedApp: for no key update"],
        says: "the Tenant is not locked",
        find: " for no key update of t",
        replace: ""
      },
      {
        guards: ["lockedApp: for no key update #2"],
        says: "the App is read without its lock",
        find: "where id = ${app} for no key update`",
        replace: "where id = ${app}`"
      },
      {
        guards: ["facts: status = 'queued' #2"],
        says: "what has ended counts as queued",
        find: "where tenant = ${tenant} and status = 'queued'",
        replace: "where tenant = ${tenant}",
        named: "X6 a Tenant"
      },
      {
        guards: ["facts: status in ('building', 'deploying')"],
        says: "what is deploying is in nobody's way",
        find: "status in ('building', 'deploying')) as",
        replace: "status in ('building')) as"
      },
      {
        guards: ["facts: status = 'queued'"],
        says: "what waits is in nobody's way",
        find: "where app = ${app} and status = 'queued') as waiting",
        replace: "where app = ${app} and status = 'none') as waiting"
      },
      {
        guards: ["start: status = 'stopped'"],
        says: "a start says that a live App became live",
        find: "where id = ${app} and status = 'stopped' returning",
        replace: "where id = ${app} and status = 'live' returning"
      },
      {
        guards: ['begun: status !== "stopped"'],
        says: "a live App is started",
        find: 'if (isStart && status !== "stopped") return',
        replace: "if (isStart && known.queued < 0) return"
      },
      {
        guards: ['begun: app.status === "deleted"'],
        says: "a deleted App is only not live",
        find: 'app === undefined || app.status === "deleted"',
        replace: "app === undefined"
      },
      {
        guards: ['begun: status !== "live"'],
        says: "an App that is not live is deployed",
        find: 'if (!isStart && status !== "live") return',
        replace: "if (known.queued < 0) return"
      }
    ],
    leftOut: [
      {
        guards: ["supersede: d.status = 'queued'"],
        reason:
          "tells a Deployment that was cancelled meanwhile from one that waits: nothing but a cancel comes between, and it ends either way"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/deploymentRows.ts", tests, {
    named,
    mutations: [
      {
        guards: ["deploymentColumns: d.status = 'queued'"],
        says: "what is not queued has a place in the queue",
        find: "case when d.status = 'queued' then",
        replace: "case when true then"
      },
      {
        guards: ["requestStop: status in ('building', 'deploying')"],
        says: "what waits or has ended is asked to stop",
        find: " and status in ('building', 'deploying') and stop_as is null",
        replace: " and stop_as is null"
      },
      {
        guards: ["requestStop: status in ('building', 'deploying')"],
        says: "the last request to stop counts",
        find: " and status in ('building', 'deploying') and stop_as is null",
        replace: " and status in ('building', 'deploying')"
      },
      {
        guards: ["waitingUpTo: q.status = 'queued'"],
        says: "a Deployment that has ended stands in the queue",
        find: "      where q.tenant = ${row}.tenant and q.status = 'queued' and",
        replace: "      where q.tenant = ${row}.tenant and"
      },
      {
        guards: ["waitingUpTo: q.status = 'queued' #2"],
        says: "a Job that has ended stands in the queue",
        find: "from jobs q where q.tenant = ${row}.tenant and q.status = 'queued' and",
        replace: "from jobs q where q.tenant = ${row}.tenant and",
        named: lawsOf("JobStore")
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/appRows.ts", tests, {
    named,
    mutations: [
      {
        guards: ["appColumns: d.status in ('queued', 'building', 'deploying')"],
        says: "what has ended is active",
        find: "where d.app = a.id and d.status in ('queued', 'building', 'deploying') order",
        replace: "where d.app = a.id order"
      }
    ]
  })
])
