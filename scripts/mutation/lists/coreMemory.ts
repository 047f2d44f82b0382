// The guards of the stores in memory, which say what the ports mean.

import { joined, listing } from "./listing.ts"

const tests = ["packages/core/test/contracts.test.ts"]

/** What is listed of them. */
export const coreMemory = joined([
  listing("packages/core/src/port/AppStore.ts", tests, {
    mutations: [
      {
        guards: ['register: app.status === "deleted"'],
        says: "the name and the port of a deleted App stay taken",
        find: 'if (app.status === "deleted") continue',
        replace: ""
      },
      {
        guards: ['get: row.app.status === "deleted"'],
        says: "a deleted App is answered",
        find: 'row === undefined || row.app.status === "deleted") return yield* new AppGone({ app: id })\n        return appOf',
        replace: "row === undefined) return yield* new AppGone({ app: id })\n        return appOf"
      },
      {
        guards: ['rows: row.app.status !== "deleted"'],
        says: "deleted Apps are listed",
        find: 'row.app.status !== "deleted" && row.position < before',
        replace: "row.position < before"
      },
      {
        guards: ['change: row.app.status === "deleted"'],
        says: "a deleted App is only not live",
        find: 'row === undefined || row.app.status === "deleted") return yield* new AppGone({ app: id })\n        if',
        replace: "row === undefined) return yield* new AppGone({ app: id })\n        if"
      },
      {
        guards: ['change: row.app.status !== "live"'],
        says: "an App that is not live is changed",
        find: 'if (row.app.status !== "live") return yield* new AppNotLive({ app: id, status: row.app.status })',
        replace: ""
      }
    ]
  }),
  listing("packages/core/src/port/EnvStore.ts", tests, {
    mutations: [
      {
        guards: ['appRow: row.app.status === "deleted"'],
        says: "a deleted App has an Env",
        find: 'row === undefined || row.app.status === "deleted" ?',
        replace: "row === undefined ?"
      },
      {
        guards: ['isChangeable: status === "live"', 'isChangeable: status === "stopped"'],
        says: "the Env of an App in any status is changed",
        find: 'status === "live" || status === "stopped"',
        replace: "status.length > 0"
      },
      {
        guards: ['isChangeable: status === "stopped"'],
        says: "the Env of a stopped App is not changed",
        find: 'status === "live" || status === "stopped"',
        replace: 'status === "live"'
      }
    ]
  }),
  listing("packages/core/src/port/IdempotencyStore.ts", tests, {
    mutations: [
      {
        guards: ["isFree: .leaseUntil <= now"],
        says: "the lease of a key never ends",
        find: "row.expiresAt <= now || (row.answer === undefined && row.leaseUntil <= now)",
        replace: "row.expiresAt <= now"
      }
    ]
  }),
  listing("packages/core/src/port/Journal.ts", tests, {
    mutations: [
      {
        guards: ['isInProgress: status === "building"'],
        says: "what is building does not own its intents",
        find: 'status === "building" || ',
        replace: ""
      },
      {
        guards: ['isInProgress: status === "deploying"'],
        says: "what is deploying does not own its intents",
        find: ' || status === "deploying"',
        replace: ""
      },
      {
        guards: ['isLive: ?.app.status === "live"'],
        says: "any App is live",
        find: 'state.apps.get(app)?.app.status === "live"',
        replace: "state.apps.has(app)"
      },
      {
        guards: ["isWanted: row?.fence === intent.fence"],
        says: "an intent is written under any Fence",
        find: "row?.fence === intent.fence && (",
        replace: "row !== undefined && ("
      },
      {
        guards: ["isRunning: row.fence === fence"],
        says: "an intent of a Job is written under any Fence, and owned",
        find: " && row.fence === fence",
        replace: ""
      },
      {
        guards: ["intend: new LeaseLost"],
        says: "an intent is written that nobody wants",
        find: "if (isTaken || !isWanted(intent)) return yield* new LeaseLost({ work })",
        replace: "if (isTaken && isWanted(intent)) return"
      },
      {
        guards: ["isTaken: earlier.fence !== fence"],
        says: "a name that another Deployment has intended is taken from it",
        find: "earlier !== undefined && (earlier.work !== work || earlier.fence !== fence)",
        replace: "earlier === undefined && name.length === 0"
      }
    ]
  }),
  listing("packages/core/src/port/Leases.ts", tests, {
    mutations: [
      {
        guards: ["top: .until > now"],
        says: "a lease never ends",
        find: "!isMine && row.until > now",
        replace: "!isMine"
      }
    ]
  }),
  listing("packages/core/src/port/MemoryState.ts", tests, {
    mutations: [
      {
        guards: [
          'activeDeployments: deployment.status === "queued"',
          'activeDeployments: deployment.status !== "queued"'
        ],
        says: "what waits and what is in progress are taken for each other",
        find: 'queued: active.find(({ deployment }) => deployment.status === "queued"),\n    inProgress: active.find(({ deployment }) => deployment.status !== "queued")',
        replace:
          'queued: active.find(({ deployment }) => deployment.status !== "queued"),\n    inProgress: active.find(({ deployment }) => deployment.status === "queued")'
      }
    ]
  }),
  listing("packages/core/src/port/ContainerRuntime.ts", tests, {
    mutations: [
      {
        guards: ["run: Effect.acquireUseRelease"],
        says: "what a command ran in is left",
        find: "          () => Effect.sync(() => state.workloads.delete(spec.name))",
        replace: "          () => Effect.void"
      }
    ]
  }),
  listing("packages/core/src/port/memoryDeployments.ts", tests, {
    mutations: [
      {
        guards: ['isRetained: ?.app.status !== "deleted"'],
        says: "the images of deleted Apps are needed",
        find: 'state.apps.get(release.app)?.app.status !== "deleted" &&\n    ',
        replace: ""
      }
    ]
  }),
  listing("packages/core/src/port/memoryBegin.ts", tests, {
    mutations: [
      {
        guards: ['beginInMemory: row.app.status === "deleted"'],
        says: "a deleted App is only not live",
        find: 'row === undefined || row.app.status === "deleted"',
        replace: "row === undefined"
      },
      {
        guards: ['beginInMemory: status !== "stopped"'],
        says: "a live App is started",
        find: 'if (isStart && status !== "stopped")',
        replace: 'if (isStart && status === "deleting")'
      },
      {
        guards: ['beginInMemory: status !== "live"'],
        says: "an App that is not live is deployed",
        find: 'if (!isStart && status !== "live")',
        replace: 'if (!isStart && status === "deleted")'
      }
    ]
  }),
  listing("packages/core/src/port/memoryDeploymentStore.ts", tests, {
    mutations: [
      {
        guards: ['withdraw: row?.deployment.status === "queued"'],
        says: "withdraw what is not queued",
        find: 'if (row?.deployment.status === "queued") moved',
        replace: "if (row !== undefined) moved"
      },
      {
        guards: ["held: row.fence !== claim.fence"],
        says: "hold under any Fence",
        find: " || row.fence !== claim.fence",
        replace: ""
      },
      {
        guards: ["held: row.fence !== claim.fence", "held: new LeaseLost"],
        says: "hold what has ended, under any Fence",
        find: "status === undefined || isTerminal(status) || row.fence !== claim.fence) {\n      return yield* new LeaseLost({ work: claim.deployment.id })",
        replace: 'status === undefined) {\n      return yield* Effect.die("no such Deployment")'
      },
      {
        guards: ["held: new LeaseLost #2"],
        says: "a status changes to any other",
        find: "if (to !== undefined && !deploymentTransitions[status].includes(to)) {\n      return yield* new LeaseLost({ work: claim.deployment.id })\n    }",
        replace: ""
      },
      {
        guards: ["renew: new LeaseLost"],
        says: "renew a lease that has run out",
        find: "if (row.leaseUntil <= millis) return yield* new LeaseLost({ work: claim.deployment.id })",
        replace: ""
      },
      {
        guards: ['liveApp: row?.app.status === "live"'],
        says: "any App that is there is live",
        find: 'row?.app.status === "live" ? row',
        replace: "row !== undefined ? row"
      },
      {
        guards: ['error: outcome.status === "failed"', 'error: status === "failed"'],
        says: "what failed has no error",
        find: 'outcome.status === "failed" && status === "failed" ? outcome.error : null',
        replace: "null"
      },
      {
        guards: ["finish: new LeaseLost"],
        says: "end healthy what was not activated",
        find: "if (image === null || !row.activated) return yield* new LeaseLost({ work: claim.deployment.id })",
        replace: 'if (image === null) return yield* Effect.die("no image")'
      },
      {
        guards: ["lost: .leaseUntil <= millis"],
        says: "a lease that goes on is taken over",
        find: " && row.leaseUntil <= millis",
        replace: ""
      },
      {
        guards: ['serving: app?.app.status !== "live"'],
        says: "an App that is not live serves",
        find: 'app?.app.status !== "live" ||',
        replace: "app === undefined ||"
      }
    ],
    leftOut: [
      {
        guards: ['finish: outcome.status !== "healthy"'],
        reason: "tells the outcomes apart, whose types differ: it does not compile without"
      }
    ]
  }),
  listing("packages/core/src/port/SourceFetcher.ts", tests, {
    mutations: [
      {
        guards: ["fetch: Effect.acquireRelease"],
        says: "a tree is still there when its Scope has closed",
        find: "() => Effect.sync(() => state.trees.delete(directory))",
        replace: "() => Effect.void"
      }
    ]
  })
])
