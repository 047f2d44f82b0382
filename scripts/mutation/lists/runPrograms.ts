// The guards of programs of Runs, and of who calls them: what cannot be interrupted, and what an end means.

import { joined, listing } from "./listing.ts"

const testOf = (name: string): string => `packages/core/test/program/${name}.test.ts`

const interruptible = "(<A2, E2, R2>(effect: Effect.Effect<A2, E2, R2>) => effect)"

/** What is listed of them. */
export const runPrograms = joined([
  listing("packages/core/src/program/beginRun.ts", [testOf("runs")], {
    mutations: [
      {
        guards: ["beginRun: Effect.uninterruptible"],
        says: "who goes away leaves a Slot without a Run",
        find: "Effect.uninterruptible(begun(request))",
        replace: "begun(request)"
      },
      {
        guards: ["begun: Effect.onError"],
        says: "a refused Run keeps its block of addresses",
        find: "Effect.onError(() => unused(provider, network))",
        replace: "Effect.onError(() => Effect.void)"
      }
    ]
  }),
  listing("packages/core/src/program/carryOutRun.ts", [testOf("runsKept")], {
    mutations: [
      {
        guards: ["carryOutRun: Effect.uninterruptibleMask"],
        says: "a server that stops leaves its Runs as they are",
        find: 'Effect.uninterruptibleMask((restore) => carriedOut(hand, "stops", restore))',
        replace: `carriedOut(hand, "stops", ${interruptible})`
      }
    ]
  }),
  listing("packages/core/src/program/endRun.ts", [testOf("runs")], {
    mutations: [
      {
        guards: ['isAsked: outcome.status === "cancelled"'],
        says: "a Run that was cancelled is kept for a while",
        find: 'isAsked = outcome.status === "cancelled"',
        replace: "isAsked = false"
      },
      {
        guards: ['outcome: status === "cancelled"'],
        says: "the Job of a cancelled Run has failed",
        find: 'status === "succeeded" || status === "cancelled" ? status : "failed"',
        replace: 'status === "succeeded" ? status : "failed"'
      }
    ]
  }),
  listing("packages/core/src/program/endRun.ts", [testOf("keepRun")], {
    mutations: [
      {
        guards: [],
        says: "a Run that somebody keeps in the last moment is torn down",
        find: "runs.tearDown(hand.run, seen)",
        replace: "runs.tearDown(hand.run)"
      }
    ]
  }),
  listing("packages/core/src/program/nodeLines.ts", [testOf("nodeLines")], {
    mutations: [
      {
        guards: ["nodeLines: Scope.addFinalizer( scope, Effect.suspend(() => sayAll(redacted.end())) )"],
        says: "the end of what a node said is lost",
        find: "sayAll(redacted.end())",
        replace: "sayAll([])"
      }
    ]
  }),
  listing("packages/core/src/program/recoverRun.ts", [testOf("runsKept")], {
    mutations: [
      {
        guards: ["recoverRun: Effect.uninterruptibleMask"],
        says: "a server that stops leaves a Run that it took over half removed",
        find: "Effect.uninterruptibleMask((restore) => Effect.scoped(recovered(hand, restore)))",
        replace: `Effect.scoped(recovered(hand, ${interruptible}))`
      }
    ]
  }),
  listing("packages/core/src/program/runTopology.ts", [testOf("runFaults")], {
    mutations: [
      {
        guards: ["runTopology: Effect.uninterruptibleMask"],
        says: "a Run that has begun is lost by an interruption",
        find: "Effect.uninterruptibleMask((restore) =>\n    Effect.gen",
        replace: `Effect.suspend((restore = ${interruptible}) =>\n    Effect.gen`
      }
    ]
  }),
  listing("packages/adapter-http/src/handlers/runs.ts", ["packages/adapter-http/test/runs.test.ts"], {
    mutations: [],
    leftOut: [
      {
        guards: ["runsHandlers: Effect.uninterruptible"],
        reason:
          "between a Run that has begun and its being carried out nothing waits, so that no test can interrupt there; what is lost is taken by the reaper"
      }
    ]
  })
])
