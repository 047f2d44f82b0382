// The guards of the adapters that start processes, serve HTTP and bring a database: mostly what cleans up.

import { joined, listing } from "./listing.ts"

const httpTest = (name: string): string => `packages/adapter-http/test/${name}.test.ts`
const processTest = (name: string): string => `packages/adapter-process/test/${name}.test.ts`
const postgresTest = (name: string): string => `packages/adapter-postgres/test/${name}.test.ts`

const http = [
  listing("packages/adapter-http/src/ProxyRouter.ts", [httpTest("ProxyRouter"), httpTest("ProxyRouterReplicas")], {
    mutations: [
      {
        guards: [],
        says: "a route that was not switched stays wanted",
        find: '(reason === "stale" ? Effect.void : putBack(route, before))',
        replace: '(reason === "stale" ? putBack(route, before) : Effect.void)'
      },
      {
        guards: ["swap: Effect.onInterrupt"],
        says: "a route whose switch was interrupted stays wanted",
        find: "\n      Effect.onInterrupt(() => Effect.ignore(putBack(route, before)))",
        replace: ""
      }
    ],
    leftOut: [
      {
        guards: ["putBack: now.fence !== route.fence"],
        reason:
          "saves a write: `put` of the store refuses the older Fence, and a route that was replaced has another address"
      }
    ]
  }),
  listing("packages/adapter-http/src/internal/Stopping.ts", [httpTest("events")], {
    mutations: [
      {
        guards: ["saysStopping: Effect.addFinalizer"],
        says: "a stream that never ends holds up the stop of the server",
        find: "Deferred.succeed(stopping, undefined)",
        replace: "Deferred.isDone(stopping)"
      }
    ]
  }),
  listing("packages/adapter-http/src/handlers/apps.ts", [httpTest("releases")], {
    mutations: [
      {
        guards: ['appsHandlers: status !== "live"'],
        says: "a stopped App is answered as it is",
        find: 'if (status !== "live") {',
        replace: 'if (status === "live") {'
      }
    ]
  }),
  listing("packages/adapter-http/src/handlers/deployments.ts", [httpTest("releases")], {
    mutations: [
      {
        guards: ['deploymentsHandlers: status === "cancelled"'],
        says: "what was cancelled has ended otherwise",
        find: 'if (status === "cancelled") return deployment',
        replace: ""
      }
    ]
  }),
  listing("packages/adapter-http/src/handlers/jobs.ts", [httpTest("jobs")], {
    mutations: [
      {
        guards: ['jobsHandlers: job.status !== "failed"'],
        says: "a Job that has failed is cancelled once more",
        find: ' && job.status !== "failed"',
        replace: ""
      }
    ],
    leftOut: [
      {
        guards: ["jobsHandlers: Effect.uninterruptible", "jobsHandlers: Effect.uninterruptible #2"],
        reason: "a Claim of a Job that is lost so is recovered after its lease, as one of a killed server is"
      }
    ]
  }),
  listing("packages/adapter-http/src/handlers/outcomes.ts", [httpTest("releases")], {
    mutations: [
      {
        guards: ['refusedStart: reason.status === "live"'],
        says: "an App in any status is as it should be",
        find: 'if (reason.status === "live") return Effect.void',
        replace: 'if (reason.status !== "deleted") return Effect.void'
      }
    ]
  }),
  listing("packages/adapter-http/src/handlers/envOutcomes.ts", [httpTest("problems"), httpTest("envErrors")], {
    mutations: [
      {
        guards: ['envProblems: error.status === "deleting"'],
        says: "an App that is being deleted is only not live",
        find: '    error.status === "deleting"\n      ? Effect.fail(new Problems.AppDeleting({ detail: "the app is being deleted" }))\n      : notLive(error)',
        replace: "    notLive(error)"
      }
    ]
  }),
  listing(
    "packages/adapter-http/src/internal/proxyHolder.ts",
    [httpTest("ProxyRouterReplicas"), httpTest("ProxyRouter")],
    {
      mutations: [
        {
          guards: ["tenure: Effect.acquireUseRelease"],
          says: "who no longer holds the router keeps its listeners",
          find: '(table) => Effect.all([table.close(grace), release], { concurrency: "unbounded", discard: true })',
          replace: "() => release"
        },
        {
          guards: ["tenure: Effect.onExit"],
          says: "ports are freed only after the store has answered",
          find: "Effect.onExit(renewed, () => Effect.sync(() => table.free()))",
          replace: "renewed"
        },
        {
          guards: ["hold: Effect.onExit"],
          says: "a router that was not won is not given back",
          find: "    Effect.onExit(() => release)",
          replace: "    Effect.onExit(() => Effect.void)"
        }
      ]
    }
  ),
  listing(
    "packages/adapter-http/src/internal/proxyTable.ts",
    [httpTest("ProxyRouterReplicas"), httpTest("ProxyRouter")],
    {
      mutations: [
        {
          guards: ["makeTable: Effect.ensuring"],
          says: "connections that are still open after the grace stay open",
          find: "all.forEach((listener) => listener.destroy())",
          replace: "all.forEach((listener) => listener.close())"
        }
      ]
    }
  )
]

const process = [
  listing("packages/adapter-process/src/ProcessContainerRuntime.ts", [processTest("ProcessContainerRuntime")], {
    mutations: [
      {
        guards: ["begin: Effect.onError"],
        says: "what a failed start made stays",
        find: "        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),\n",
        replace: ""
      },
      {
        guards: ["begin: Effect.ensuring"],
        says: "a name stays in use",
        find: ",\n        Effect.ensuring(Effect.sync(() => starting.delete(spec.name)))",
        replace: ""
      },
      {
        guards: ["start: Effect.onInterrupt"],
        says: "a start that is interrupted leaves its process",
        find: ".pipe(Effect.onInterrupt(() => undo))",
        replace: ""
      },
      {
        guards: ["run: Effect.acquireUseRelease"],
        says: "a command that is interrupted runs on",
        find: "          }),\n        release\n",
        replace: "          }),\n        () => Effect.void\n"
      },
      {
        guards: ["make: Effect.addFinalizer"],
        says: "Workloads outlive their runtime",
        find: "(owned) => Effect.catch(release(owned), (error) => Effect.logWarning(error.detail)),",
        replace: "() => Effect.void,"
      }
    ],
    leftOut: [
      {
        guards: ["launch: Effect.acquireRelease"],
        reason: "a port that is not given back is missed when ten thousand have been given, no sooner"
      },
      {
        guards: ["start: Effect.uninterruptibleMask"],
        reason:
          "what it covers beyond `startGroup`, which cannot be interrupted either, is the moment in which a process that runs is written down: nothing is waited for there, so no test can interrupt in it"
      }
    ]
  }),
  listing("packages/adapter-process/src/ProcessArtifactRunner.ts", [processTest("ProcessArtifactRunner")], {
    mutations: [
      {
        guards: ["ask: Effect.acquireRelease"],
        says: "the socket of an artifact that was refused stays open",
        find: "(controller) => Effect.sync(() => controller.abort())",
        replace: "() => Effect.void"
      },
      {
        guards: ["draft: Effect.acquireRelease"],
        says: "what was downloaded and not kept stays",
        find: "Effect.andThen(closed(handle), removeDirectory(own))",
        replace: "Effect.andThen(closed(handle), Effect.void)"
      }
    ]
  }),
  listing("packages/adapter-process/src/ProcessSourceFetcher.ts", [processTest("ProcessSourceFetcherArchive")], {
    mutations: [
      {
        guards: ["fetch: Effect.onError"],
        says: "what a failed fetch wrote stays until the Scope closes",
        find: "        Effect.onError(() => removeDirectory(place)),\n",
        replace: ""
      }
    ]
  }),
  listing(
    "packages/adapter-process/src/internal/privateDirectory.ts",
    [processTest("ProcessContainerRuntime"), processTest("build")],
    {
      mutations: [
        {
          guards: ["ownDirectory: Effect.acquireRelease"],
          says: "a directory stays when its Scope closes",
          find: "    removeDirectory\n  )",
          replace: "    () => Effect.void\n  )"
        }
      ],
      leftOut: [
        {
          guards: ["removeDirectory: Effect.uninterruptible"],
          reason:
            "it is run as a finalizer, which nothing interrupts; only the sweep at a start is not one, and what an interrupted sweep leaves the next one takes"
        }
      ]
    }
  ),
  listing("packages/adapter-process/src/internal/processGroup.ts", [], {
    leftOut: [
      {
        guards: ["startGroup: Effect.uninterruptible"],
        reason:
          "each caller starts it where nothing interrupts: `start` of the runtime in its own region, `launched` and `runToEnd` as what they acquire"
      }
    ]
  }),
  listing("packages/adapter-process/src/internal/runToEnd.ts", [processTest("ProcessSourceFetcherGit")], {
    mutations: [
      {
        guards: ["runToEnd: Effect.acquireUseRelease"],
        says: "a program that is interrupted runs on",
        find: "(group) => group.end(grace)",
        replace: "() => Effect.void",
        needs: "sshd"
      }
    ]
  })
]

const embedded = [
  listing("packages/adapter-postgres/src/EmbeddedPostgres.ts", [postgresTest("EmbeddedPostgres")], {
    mutations: [
      {
        guards: ["make: Effect.onError"],
        says: "who waits for a server that does not start waits for ever",
        find: "      Effect.onError((cause) => Deferred.failCause(ready, cause)),\n",
        replace: ""
      },
      {
        guards: ["publishUrl: Effect.acquireRelease"],
        says: "the connection string stays when the server ends",
        find: "textOf(places.url) === url && Fs.rmSync(places.url)",
        replace: "textOf(places.url)"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/embeddedBinaries.ts", [postgresTest("embeddedInternal")], {
    mutations: [
      {
        guards: ["copied: Effect.uninterruptible"],
        says: "an interruption while the binaries are copied",
        find: "  Effect.uninterruptible(\n",
        replace: "  Effect.suspend(() =>\n"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/embeddedCluster.ts", [postgresTest("EmbeddedPostgres")], {
    mutations: [
      {
        guards: ["initialise: Effect.acquireRelease"],
        says: "what was made beside the database stays",
        find: "() => Effect.ignore(attempt(staging, () => Fs.rmSync(staging, { recursive: true, force: true, maxRetries: 3 })))",
        replace: "() => Effect.void"
      }
    ]
  })
]

/** What is listed of them. */
export const adapters = joined([...http, ...process, ...embedded])
