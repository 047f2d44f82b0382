// The guards around how Jobs begin on PostgreSQL, and whose turn it is of all that waits for a Slot.

import { joined, lawsOf, listing } from "./listing.ts"

const tests = ["contracts", "jobRaces", "jobsTogether", "corruptRows"].map(
  (name) => `packages/adapter-postgres/test/${name}.test.ts`
)
const named = lawsOf("JobStore", "CheckpointStore", "Journal")

const deployments = {
  tests: ["contracts", "races", "holders", "concurrency", "admission", "jobRaces"].map(
    (name) => `packages/adapter-postgres/test/${name}.test.ts`
  ),
  named: lawsOf("DeploymentStore", "JobStore", "AppStatus")
}

const ground = listing("packages/adapter-postgres/src/internal/jobGround.ts", tests, {
  named,
  mutations: [
    {
      guards: ["made: on conflict do nothing"],
      says: "a Tenant that was made meanwhile is made again",
      find: " on conflict do nothing`",
      replace: "`"
    },
    {
      guards: ["ofApp: for no key update"],
      says: "the Tenant of an App is read without its lock",
      find: "where t.name = (select tenant from apps where id = ${app}) for no key update of t",
      replace: "where t.name = (select tenant from apps where id = ${app})"
    },
    {
      guards: ["ofApp: for share"],
      says: "the App is read without its lock",
      find: "where a.id = ${app} for share of a`",
      replace: "where a.id = ${app}`"
    },
    {
      guards: ['ensureLive: status !== "live"'],
      says: "Jobs of an App that is not live begin",
      find: 'if (status !== "live") return yield* refuse({ _tag: "AppNotLive", app, status })',
      replace: ""
    },
    {
      guards: ['ensureLive: status === "deleted"'],
      says: "a deleted App is only not live",
      find: 'if (status === "deleted") return yield* refuse({ _tag: "AppGone", app })',
      replace: ""
    },
    {
      guards: ["lengthOf: status = 'queued'"],
      says: "a Job that has ended counts as waiting",
      tests: ["packages/adapter-postgres/test/jobQueue.test.ts"],
      find: "(select 1 from jobs where tenant = ${tenant} and status = 'queued' limit",
      replace: "(select 1 from jobs where tenant = ${tenant} limit"
    },
    {
      guards: ["lengthOf: status = 'queued' #2"],
      says: "a Deployment that has ended counts as waiting",
      tests: ["packages/adapter-postgres/test/jobQueue.test.ts"],
      find: "(select 1 from deployments where tenant = ${tenant} and status = 'queued' limit",
      replace: "(select 1 from deployments where tenant = ${tenant} limit"
    }
  ]
})

const rerun = listing("packages/adapter-postgres/src/internal/rerunJob.ts", tests, {
  named,
  mutations: [
    {
      guards: ['ended: status === "queued"'],
      says: "what waits is run again",
      find: 'status === "queued" || status === "running"',
      replace: 'status === "running"'
    },
    {
      guards: ["again: status = 'failed'"],
      says: "a Batch is run again from its first Item",
      find: "where job = ${job} and status = 'failed'",
      replace: "where job = ${job}"
    },
    {
      guards: ["standing: fence = j.fence + 1"],
      says: "every holder has the same Fence",
      find: "fence = j.fence + 1",
      replace: "fence = 1"
    }
  ],
  leftOut: [
    {
      guards: ["entered: j.status in ('failed', 'cancelled')"],
      reason: "follows from the lock: nobody leads a Job out of its end who does not hold its Tenant"
    },
    {
      guards: ["standing: status = 'queued'", "standing: status = 'running'"],
      reason: "what a Job becomes, and no condition"
    }
  ]
})

const rows = listing("packages/adapter-postgres/src/internal/jobRows.ts", tests, {
  named,
  mutations: [
    {
      guards: ["inSlots: status = 'running'"],
      says: "what waits takes a Slot",
      find: "from moved where status = 'running')`",
      replace: "from moved)`"
    },
    {
      guards: ["jobColumns: j.status = 'queued'"],
      says: "what does not wait has a place in the queue",
      find: "case when j.status = 'queued' then",
      replace: "case when true then"
    },
    {
      guards: ["endJobsOf: status = 'queued'"],
      says: "what runs or has ended is cancelled with its App",
      find: "and status = 'queued' returning *",
      replace: "returning *"
    },
    {
      guards: ["endJobsOf: for no key update"],
      says: "what changes hands while its App ends is overlooked",
      find: "order by id for no key update`,",
      replace: "order by id`,"
    },
    {
      guards: ["endJobsOf: status = 'running'"],
      says: "what has ended is asked to stop",
      find: "and status = 'running' and stop_requested_at is null",
      replace: "and status = 'queued' and stop_requested_at is null"
    }
  ],
  leftOut: [
    {
      guards: ["endJobsOf: status in ('queued', 'running')"],
      reason: "which rows are held: what has ended stays as it is"
    }
  ]
})

const queue = listing("packages/adapter-postgres/src/internal/slots.ts", deployments.tests, {
  named: deployments.named,
  mutations: [
    {
      guards: ["next: d.status = 'queued'"],
      says: "the first Deployment is next, queued or not",
      find: "and d.status = 'queued' and not exists",
      replace: "and not exists"
    },
    {
      guards: ["next: o.status in ('building', 'deploying')"],
      says: "what waits for another of its App stands in everybody's way",
      find: "where o.app = d.app and o.status in ('building', 'deploying')",
      replace: "where o.app = d.app and o.status = 'building' and o.status = 'deploying'"
    },
    {
      guards: ["next: j.status = 'queued'"],
      says: "the first Job is next, queued or not",
      find: "where j.tenant = ${tenant} and j.status = 'queued' order",
      replace: "where j.tenant = ${tenant} order"
    },
    {
      guards: ["isFree: < t.job_cap"],
      says: "Tenants whose cap is reached are candidates",
      find: "(t.job_cap is null or (select count(*) from slots s where s.tenant = t.name) < t.job_cap)",
      replace: "true"
    },
    {
      guards: ["skip: skip locked"],
      says: "the first try waits for the Tenant too",
      find: 'served === undefined ? "" : "skip locked"',
      replace: '""'
    },
    {
      guards: ["skip: skip locked #2"],
      says: "who takes of several Tenants waits for each",
      tests: ["packages/adapter-postgres/test/jobsTogether.test.ts"],
      find: 'isOnly ? "" : "skip locked"',
      replace: '""'
    },
    {
      guards: ["held: for no key update #3"],
      says: "Tenants are read without their locks",
      find: " for no key update of t ${skip}`)",
      replace: "`)"
    },
    {
      guards: ["held: for no key update"],
      says: "the Tenant is read without its lock",
      find: "and ${turn} for no key update ${skip}`",
      replace: "and ${turn}`"
    },
    {
      guards: ["held: for no key update #2"],
      says: "the Tenant is read without its lock where that sets the limits",
      find: "and ${turn} for no key update of t ${skip}`",
      replace: "and ${turn}`"
    }
  ],
  leftOut: [
    {
      guards: ["tenantsIn: status = 'queued'", "tenantsIn: q.status = 'queued'"],
      reason: "narrows where to look: what is next of each Tenant is looked up anew"
    }
  ]
})

/** What is listed of them. */
export const postgresSlots = joined([ground, rerun, rows, queue])
