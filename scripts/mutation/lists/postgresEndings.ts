// The guards around the end of a Deployment on PostgreSQL.

import { joined, lawsOf, listing } from "./listing.ts"

const tests = ["contracts", "races", "holders", "concurrency"].map(
  (name) => `packages/adapter-postgres/test/${name}.test.ts`
)

const named = lawsOf("DeploymentStore", "AppStatus")

/** What is listed of them. */
export const postgresEndings = joined([
  listing("packages/adapter-postgres/src/internal/endings.ts", tests, {
    named,
    mutations: [
      {
        guards: ["orLost: new LeaseLost"],
        says: "a change of nothing is taken for one that was made",
        find: "(yield* new LeaseLost({ work: claim.deployment.id }))",
        replace: "(rows.length > 0 ? yield* new LeaseLost({ work: claim.deployment.id }) : claim.deployment)"
      },
      {
        guards: ["lockLive: for no key update"],
        says: "the App is read without its lock",
        find: "where id = ${app.id} for no key update",
        replace: "where id = ${app.id}"
      },
      {
        guards: ['lockLive: row?.status === "live"'],
        says: "any App that is there is live",
        find: 'row?.status === "live"',
        replace: "row !== undefined"
      },
      {
        guards: ["renew: fence = ${claim.fence}"],
        says: "renew under any Fence",
        find: "fence = ${claim.fence} and status in",
        replace: "fence is not null and status in"
      },
      {
        guards: ["renew: lease_until > clock_timestamp()"],
        says: "renew a lease that has run out",
        find: "\n            and lease_until > clock_timestamp()",
        replace: ""
      },
      {
        guards: ["renew: new LeaseLost"],
        says: "renew nothing without saying so",
        find: "renewed.length === 0",
        replace: "renewed.length < 0"
      },
      {
        guards: ["built: d.fence = ${claim.fence}"],
        says: "built under any Fence",
        find: "d.fence = ${claim.fence} and d.status = 'building'",
        replace: "d.fence is not null and d.status = 'building'"
      },
      {
        guards: ["built: d.status = 'building'"],
        says: "built a second time",
        find: "d.status = 'building'",
        replace: "d.status in ('building', 'deploying')"
      },
      {
        guards: ["lockUnstopped: fence = ${claim.fence}"],
        says: "activate and end healthy under any Fence",
        find: "fence = ${claim.fence} and status = 'deploying' for",
        replace: "fence is not null and status = 'deploying' for"
      },
      {
        guards: ["lockUnstopped: status = 'deploying'"],
        says: "activate and end healthy from any status",
        find: " and status = 'deploying' for",
        replace: " for"
      },
      {
        guards: ["lockUnstopped: for no key update"],
        says: "the Deployment is read without its lock",
        find: "status = 'deploying' for no key update",
        replace: "status = 'deploying'"
      },
      {
        guards: ["lockUnstopped: new LeaseLost"],
        says: "activate and end healthy what is not held",
        find: "if (held === undefined) return yield* new LeaseLost({ work: deployment })",
        replace: "if (held === undefined) return"
      },
      {
        guards: ["ended: d.fence = ${claim.fence}"],
        says: "end failed or cancelled under any Fence",
        find: "d.fence = ${claim.fence} and d.status in",
        replace: "d.fence is not null and d.status in"
      },
      {
        guards: ["ended: d.status in ('building', 'deploying')"],
        says: "end failed or cancelled a second time",
        find: " and d.status in ('building', 'deploying')",
        replace: ""
      }
    ],
    leftOut: [
      {
        guards: ["renew: status in ('building', 'deploying')"],
        reason: "follows from the lease: `deployments_lease` allows one only in these statuses"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/PostgresDeploymentStore.ts", tests, {
    named,
    mutations: [
      {
        guards: ["withdrawal: d.status = 'queued'"],
        says: "withdraw what is not queued",
        find: " and d.status = 'queued' returning",
        replace: " returning"
      },
      {
        guards: ["requestCancel: for no key update"],
        says: "who cancels does not wait for who admits",
        find: " where id = ${deployment} for no key update`",
        replace: " where id = ${deployment}`",
        tests: ["packages/adapter-postgres/test/deploymentInterleavings.test.ts"],
        named: "admit and requestCancel"
      },
      {
        guards: ["serving: a.status = 'live'"],
        says: "an App that is not live serves",
        find: "where a.status = 'live' order",
        replace: "order"
      },
      {
        guards: ["used: status = 'queued'"],
        says: "what has ended counts as queued",
        find: "from deployments where tenant = n.tenant and status = 'queued'",
        replace: "from deployments where tenant = n.tenant"
      },
      {
        guards: ["used: status = 'queued' #2"],
        says: "a Job that has ended counts as queued",
        find: "from jobs where tenant = n.tenant and status = 'queued'",
        replace: "from jobs where tenant = n.tenant",
        named: lawsOf("JobStore")
      },
      {
        guards: ["setCap: on conflict (name) do update"],
        says: "the cap of a Tenant that is known stays",
        find: "on conflict (name) do update set job_cap = excluded.job_cap",
        replace: "on conflict do nothing"
      }
    ],
    leftOut: [
      {
        guards: ["abandon: status in ('building', 'deploying')"],
        reason: "follows from the lease: `deployments_lease` allows one only in these statuses"
      },
      {
        guards: ["abandon: lease_until > clock_timestamp()"],
        reason: "saves writes: a lease that has run out ends a second time, and is over either way"
      }
    ]
  })
])
