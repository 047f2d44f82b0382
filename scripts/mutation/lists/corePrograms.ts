// The guards of programs: finalizers, what cannot be interrupted, and leases.

import { joined, listing } from "./listing.ts"

const testOf = (name: string): string => `packages/core/test/program/${name}.test.ts`
const deploying = ["cleanup", "deploy", "deployFaults"].map(testOf)

const interruptible = "(<A2, E2, R2>(effect: Effect.Effect<A2, E2, R2>) => effect)"

/** What is listed of them. */
export const corePrograms = joined([
  listing("packages/core/src/program/Dispatcher.ts", [testOf("Dispatcher")], {
    mutations: [
      {
        guards: ["admitAll: Effect.uninterruptible"],
        says: "an interruption between the store and the fiber loses a Claim",
        find: '.pipe(Effect.uninterruptible, untilNothing, untilStored("admitting deployments"))',
        replace: '.pipe(untilNothing, untilStored("admitting deployments"))'
      }
    ],
    leftOut: [
      {
        guards: ["admitJobs: Effect.uninterruptible"],
        reason: "a Claim of a Job that is lost so is recovered after its lease, as one of a killed server is"
      }
    ]
  }),
  listing("packages/core/src/program/cancel.ts", [testOf("metrics")], {
    mutations: [
      {
        guards: ['outcomeOf: status === "cancelled"'],
        says: "what was cancelled is counted as what ended otherwise",
        find: 'if (status === "cancelled") return status',
        replace: 'if (status === "healthy") return "cancelled"'
      }
    ]
  }),
  listing("packages/core/src/program/expire.ts", [testOf("expire")], {
    mutations: [
      {
        guards: ['work: app.status === "expired"'],
        says: "an expired App stays expired",
        find: 'if (app.status === "expired") yield*',
        replace: 'if (app.status === "live") yield*'
      }
    ],
    leftOut: [
      {
        guards: ["isLeft: intent.fence <= fence"],
        reason: "an App that is not live gets no newer intents; this is for one that is started while it is taken down"
      }
    ]
  }),
  listing("packages/core/src/program/Reconciler.ts", [testOf("Reconciler")], {
    mutations: [
      {
        guards: ["restartOnce: Effect.ensuring"],
        says: "an App that was tried once is busy for ever",
        find: ",\n      Effect.ensuring(Effect.sync(() => busy.delete(app)))",
        replace: ""
      },
      {
        guards: ["restartIfDown: Effect.ensuring"],
        says: "a try that failed is not remembered",
        find: ",\n      Effect.ensuring(remember)",
        replace: ",\n      Effect.tap(remember)"
      },
      {
        guards: ["startAgain: Effect.onError"],
        says: "what a failed try started is left there",
        find: "yield* Effect.onError(start, () => releaseWorkload(name, undefined))",
        replace: "yield* start"
      }
    ]
  }),
  listing("packages/core/src/program/admission.ts", deploying, {
    mutations: [
      {
        guards: ["admission: Effect.onError"],
        says: "who gives up waiting stays queued",
        find: "yield* Effect.onError(admitted, () => Effect.ignore(store.withdraw(deployment)))",
        replace: "yield* admitted"
      }
    ]
  }),
  listing("packages/core/src/program/conclude.ts", [testOf("DeploymentLog")], {
    mutations: [
      {
        guards: ['conclude: outcome.status === "failed"'],
        says: "the log says that it failed, and not why",
        find: 'outcome.status === "failed" ? outcome.error.detail : outcome.status',
        replace: "outcome.status"
      }
    ]
  }),
  listing("packages/core/src/program/deploy.ts", deploying, {
    mutations: [
      {
        guards: ["deploy: Effect.uninterruptibleMask"],
        says: "an interruption loses a Deployment that has begun",
        find: "return yield* Effect.uninterruptibleMask((restore) =>\n    Effect.gen",
        replace: `return yield* Effect.suspend((restore = ${interruptible}) =>\n    Effect.gen`
      },
      {
        guards: ["carryOut: Effect.uninterruptibleMask"],
        says: "an interruption loses a Claim",
        find: "Effect.uninterruptibleMask((restore) => carriedOut(claim, restore))",
        replace: `carriedOut(claim, ${interruptible})`,
        tests: [testOf("Dispatcher")]
      },
      {
        guards: ["ended: holdLease"],
        says: "the lease is not renewed",
        find: "const lost = yield* holdLease(claim)",
        replace: "const lost = Effect.never"
      },
      {
        guards: ['carriedOut: deployment.status === "healthy"'],
        says: "what failed retires what serves",
        find: 'if (deployment.status === "healthy") yield*',
        replace: "yield*"
      }
    ]
  }),
  listing("packages/core/src/program/deploySteps.ts", deploying, {
    mutations: [
      {
        guards: ["startWorkload: Effect.acquireRelease"],
        says: "a Workload is not released",
        find: "(kept ? Effect.void : releaseWorkload(name, undefined))",
        replace: "(kept ? Effect.void : Effect.void)"
      },
      {
        guards: ["startedToSay: Effect.acquireRelease"],
        says: "the last words of a Workload do not get into the log",
        find: "if (isOver) yield* Effect.timeoutOption(Fiber.await(fiber), Duration.seconds(2))",
        replace: "",
        tests: [testOf("health")]
      },
      {
        guards: ["activate: Effect.uninterruptible"],
        says: "an interruption while the end is written",
        find: "return yield* Effect.uninterruptible(\n    Ref.set",
        replace: "return yield* Effect.suspend(() =>\n    Ref.set"
      }
    ]
  }),
  listing("packages/core/src/program/runCommand.ts", [testOf("preDeploy"), testOf("jobs")], {
    mutations: [
      {
        guards: ["runCommand: Effect.acquireUseRelease"],
        says: "a command that did not end as it should is not released",
        find: "Effect.ignore(journal.released(name)) : releaseWorkload(name, undefined)",
        replace: "Effect.ignore(journal.released(name)) : Effect.void"
      },
      {
        guards: ["runCommand: Effect.acquireUseRelease"],
        says: "what bears the name of a command already is stopped",
        find: "isConflict(exit) ? Effect.ignore",
        replace: "isConflict(exit) && name.length === 0 ? Effect.ignore"
      }
    ]
  }),
  listing("packages/core/src/program/lease.ts", [testOf("lease")], {
    mutations: [
      {
        guards: ["whileLeased: holdLease"],
        says: "work goes on without its lease",
        find: "Effect.flatMap(holdLease(claim), (lost)",
        replace: "Effect.flatMap(Effect.as(holdLease(claim), Effect.never), (lost)"
      },
      {
        guards: ["lost: untilLost"],
        says: "a lease that could not be renewed goes on",
        find: "untilLost(terms, renewal)",
        replace: "Effect.forever(Effect.delay(renewal, terms.renewEvery))"
      }
    ]
  }),
  listing("packages/core/src/program/overdue.ts", [testOf("health")], {
    mutations: [
      {
        guards: [],
        says: "a Deployment that gets on may take for ever",
        find: "if (now >= end) return",
        replace: "if (now < 0) return"
      },
      {
        guards: [],
        says: "a Deployment that says nothing is waited for",
        find: "if (now >= quietEnd) return",
        replace: "if (now < 0) return"
      },
      {
        guards: [],
        says: "what says something is taken for silent",
        find: "Effect.andThen(moved, log.say(entry))",
        replace: "Effect.andThen(Effect.void, log.say(entry))"
      }
    ]
  }),
  listing("packages/core/src/program/reap.ts", [testOf("reap"), testOf("lease")], {
    mutations: [
      {
        guards: ["endAbandoned: whileLeased"],
        says: "what is abandoned is ended without a lease",
        find: "whileLeased(claim, Effect.scoped(work))",
        replace: "Effect.scoped(work)"
      },
      {
        guards: ['leadBack: app.status === "live"'],
        says: "traffic is led nowhere where it is not told what served before",
        find: 'release === undefined && app.status === "live"',
        replace: 'release === undefined && app.status === "deleted"'
      },
      {
        guards: [],
        says: "a switch of a holder that was frozen is carried out after its Deployment was ended",
        find: "yield* switchBack({ app: app.id, hostPort: app.hostPort, fence }, address)",
        replace: "yield* Effect.void",
        tests: [testOf("traffic")]
      },
      {
        guards: [],
        says: "a switch of a holder that was frozen is carried out where the traffic of the App went nowhere",
        find: "if (address === undefined) return yield* Effect",
        replace:
          "if (address === undefined && app.currentRelease !== null) return yield* Effect.void\n  if (address === undefined) return yield* Effect",
        tests: [testOf("traffic")]
      },
      {
        guards: [],
        says: "what nobody owns is released while traffic goes there",
        find: "    yield* leadAway(intent)\n",
        replace: "    yield* Effect.forkDetach(Effect.delay(leadAway(intent), 60_000))\n",
        tests: [testOf("traffic")]
      }
    ]
  }),
  listing("packages/core/src/program/retire.ts", [...deploying, testOf("lease")], {
    mutations: [
      {
        guards: ["older: intent.fence < serving.fence"],
        says: "newer Workloads are retired too",
        find: "intent.fence < serving.fence",
        replace: "intent.fence !== serving.fence"
      },
      {
        guards: [],
        says: "what the traffic goes to is retired too",
        find: "older.filter((intent) => intent !== routed)",
        replace: "older.filter((intent) => intent !== routed || intent === routed)",
        tests: [testOf("traffic")]
      }
    ]
  }),
  listing("packages/core/src/program/traffic.ts", [...deploying, testOf("traffic")], {
    mutations: [
      {
        guards: ["switchTo: Effect.addFinalizer"],
        says: "traffic is not led back",
        find: "if (!(yield* Ref.get(kept)) && !(yield* Ref.get(isNewer))) yield* undo",
        replace: "if (yield* Ref.get(isNewer)) yield* Effect.void"
      },
      {
        guards: ["switchTo: Effect.uninterruptible"],
        says: "an interruption while traffic is switched",
        find: `yield* Effect.uninterruptible(
    Effect.tapError(router.swap(route), ({ reason }) => Ref.set(isNewer, reason === "stale"))
  )`,
        replace: `yield* Effect.tapError(router.swap(route), ({ reason }) => Ref.set(isNewer, reason === "stale"))`
      },
      {
        guards: [],
        says: "a switch whose answer is lost is taken for none",
        find: 'Ref.set(isNewer, reason === "stale")',
        replace: "Ref.set(isNewer, reason.length > 0)"
      },
      {
        guards: [],
        says: "traffic is led back to what was replaced meanwhile",
        find: "((yield* replacing(route.app)) ?? previous)",
        replace: "previous"
      },
      {
        guards: [],
        says: "where the traffic goes is not read back",
        find: "if (isSameAddress(yield* router.current(route.app), route.address)) {",
        replace: "if (isSameAddress(undefined, route.address)) {"
      }
    ]
  })
])
