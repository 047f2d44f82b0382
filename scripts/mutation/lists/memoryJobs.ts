// The guards of Jobs in memory, which say what the ports mean.

import { joined, listing } from "./listing.ts"

const tests = ["packages/core/test/contracts.test.ts"]
const named = "memory layer of (AppLife|AppStatus|AppStore|CheckpointStore|DeploymentStore|JobStore|Journal)"

/** What is listed of them. */
export const memoryJobs = joined([
  listing("packages/core/src/domain/Job.ts", ["packages/core/test/transitions.test.ts"], {
    mutations: [
      {
        guards: ['hasEnded: status !== "queued"'],
        says: "what waits has ended",
        find: 'status !== "queued" && status !== "running"',
        replace: 'status !== "running"'
      }
    ]
  }),
  listing("packages/core/src/port/CheckpointStore.ts", tests, {
    named,
    mutations: [
      {
        guards: ["record: row.fence !== claim.fence"],
        says: "record under any Fence",
        find: " || row.fence !== claim.fence",
        replace: ""
      },
      {
        guards: ["record: row.fence !== claim.fence", "record: new LeaseLost"],
        says: "record of a Job that has ended, under any Fence",
        find: 'row?.job.status !== "running" || row.fence !== claim.fence || item === undefined) {\n          return yield* new LeaseLost({ work: claim.job.id })',
        replace: 'row === undefined || item === undefined) {\n          return yield* Effect.die("no such Item")'
      }
    ]
  }),
  listing("packages/core/src/port/memorySlots.ts", tests, {
    named,
    mutations: [
      {
        guards: ['isQueued: deployment.status === "queued"'],
        says: "what is building waits",
        find: 'deployment.status === "queued"',
        replace: 'deployment.status === "queued" || deployment.status === "building"'
      },
      {
        guards: ['holdsSlot: status === "building"'],
        says: "what is building holds no Slot",
        find: 'status === "building" || ',
        replace: ""
      },
      {
        guards: ['holdsSlot: status === "deploying"'],
        says: "what is deploying holds no Slot",
        find: ' || status === "deploying"',
        replace: ""
      },
      {
        guards: ['waiting: job.status === "queued"'],
        says: "a Job that has ended waits",
        find: 'job.tenant === tenant && job.status === "queued"',
        replace: "job.tenant === tenant"
      }
    ]
  }),
  listing("packages/core/src/port/memoryJobs.ts", tests, {
    named,
    mutations: [
      {
        guards: ['countsOf: status === "failed"'],
        says: "what is left counts as failed",
        find: 'status === "failed").length',
        replace: 'status !== "done").length'
      },
      {
        guards: ['endJobsOf: row.job.status !== "queued"'],
        says: "what has ended is cancelled with its App",
        find: 'if (row.job.status !== "queued") continue',
        replace: ""
      }
    ]
  }),
  listing("packages/core/src/port/memoryJobStore.ts", tests, {
    named,
    mutations: [
      {
        guards: ['queuePosition: row.job.status === "queued"'],
        says: "what does not wait has a place in the queue",
        find: 'row.job.status === "queued" ? waiting',
        replace: "row.fence >= 0 ? waiting"
      },
      {
        guards: ['isAdmissible: job.status === "queued"'],
        says: "a Job is taken in any status",
        find: 'job.status === "queued" && hasFreeSlot',
        replace: "hasFreeSlot"
      },
      {
        guards: ['placed: app.status === "deleted"'],
        says: "a deleted App is only not live",
        find: 'app === undefined || app.status === "deleted"',
        replace: "app === undefined"
      },
      {
        guards: ['placed: app.status !== "live"'],
        says: "Jobs of an App that is not live begin",
        find: 'if (app.status !== "live") return yield* refuse({ _tag: "AppNotLive", app: app.id, status: app.status })',
        replace: ""
      },
      {
        guards: ['rerun: item.status === "failed"'],
        says: "a Batch is run again from its first Item",
        find: 'if (item.status === "failed") row.items[index]',
        replace: "row.items[index]"
      },
      {
        guards: ["held: row.fence !== fence"],
        says: "hold under any Fence",
        find: " || row.fence !== fence",
        replace: ""
      },
      {
        guards: ["held: row.fence !== fence", "held: new LeaseLost"],
        says: "hold what has ended, under any Fence",
        find: 'if (row?.job.status !== "running" || row.fence !== fence) return yield* new LeaseLost({ work: job.id })',
        replace: 'if (row === undefined) return yield* Effect.die("no such Job")'
      },
      {
        guards: ["renew: new LeaseLost"],
        says: "renew a lease that has run out",
        find: "if (row.leaseUntil <= millis) return yield* new LeaseLost({ work: claim.job.id })",
        replace: ""
      },
      {
        guards: ['requestCancel: row.job.status === "queued"'],
        says: "what waits is only asked to stop",
        find: 'if (row.job.status === "queued") return moved(now, row, { status: "cancelled", finishedAt: now })',
        replace: ""
      },
      {
        guards: ["finish: new LeaseLost"],
        says: "a Batch succeeds with Items left",
        find: 'if (status === "succeeded" && done < total) return yield* new LeaseLost({ work: claim.job.id })',
        replace: "if (done > total) return row.job"
      },
      {
        guards: ["giveBack: new LeaseLost"],
        says: "what only its caller carries out waits for whoever comes",
        find: "if (row.task.command === null && !row.isStopRequested) return yield* new LeaseLost({ work: claim.job.id })",
        replace: ""
      },
      {
        guards: ['isForgotten: row.job.status === "queued"'],
        says: "what its caller has lost while it ran is cancelled at once",
        find: 'row.job.status === "queued" && row.task.command === null',
        replace: 'row.job.status !== "cancelled" && row.task.command === null'
      },
      {
        guards: ["isForgotten: .leaseUntil <= millis"],
        says: "a caller that still asks is forgotten",
        find: " && row.leaseUntil <= millis\n      if",
        replace: "\n      if"
      }
    ],
    leftOut: [
      {
        guards: ['admitJob: asked?.job.status === "queued"'],
        reason:
          "a caller that asks for what it has already is given nothing; that its lease lasts longer then harms nobody"
      }
    ]
  })
])
