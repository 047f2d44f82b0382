// Where Hints are given and heard. Most of it is no guard of a row: what is lost without it is time.

import { joined, listing } from "./listing.ts"

const postgres = ["packages/adapter-postgres/test/hints.test.ts"]
const programs = ["hints", "Dispatcher"].map((name) => `packages/core/test/program/${name}.test.ts`)

/** What is listed of them. */
export const hints = joined([
  listing("packages/adapter-postgres/src/PostgresHints.ts", postgres, {
    mutations: [
      {
        guards: ["make: Effect.addFinalizer"],
        says: "what was given last before a replica stops is not sent",
        find: "yield* Effect.addFinalizer(() => send)",
        replace: ""
      },
      {
        guards: [],
        says: "each Hint is a notification of its own",
        find: "Effect.andThen(Effect.sleep(spacing)),",
        replace: ""
      }
    ],
    leftOut: [
      {
        guards: ["send: Effect.uninterruptible"],
        reason: "sending has its limit; interrupted, it would have to be told whether the Hint was sent"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/hearing.ts", postgres, {
    mutations: [
      {
        guards: ["withClosing: Effect.ensuring"],
        says: "a connection that is given up stays open",
        find: "Effect.ensuring(Scope.provide(self, scope), close)",
        replace: "Effect.andThen(Effect.succeed(close), Scope.provide(self, scope))"
      },
      {
        guards: [],
        says: "what was given while nobody listened is found out by polling",
        find: "if (!isTested) yield*",
        replace: "if (isTested) yield*"
      },
      {
        guards: [],
        says: "a connection on which nothing is heard is kept",
        find: "{ duration: patience, orElse: () => notArrived }",
        replace: "{ duration: patience, orElse: () => Effect.void }"
      }
    ]
  }),
  listing("packages/core/src/program/stop.ts", programs, {
    mutations: [
      {
        guards: [],
        says: "a request to stop is noticed by polling alone",
        find: "yield* wait(lookEvery)",
        replace: "yield* Effect.andThen(Effect.succeed(wait), Effect.sleep(lookEvery))"
      }
    ]
  }),
  listing("packages/core/src/program/cancel.ts", programs, {
    mutations: [
      {
        guards: [],
        says: "the end of a cancelled Deployment is noticed by polling alone",
        find: "yield* wait(lookEvery)",
        replace: "yield* Effect.andThen(Effect.succeed(wait), Effect.sleep(lookEvery))"
      }
    ]
  }),
  listing("packages/core/src/program/untilSeen.ts", programs, {
    mutations: [
      {
        guards: [],
        says: "a free Slot is noticed by polling alone",
        find: "yield* restore(wait(Duration.min(pause, yield* next)))",
        replace: "yield* restore(Effect.andThen(Effect.succeed(wait), Effect.sleep(pause)))"
      }
    ]
  }),
  listing("packages/core/src/port/hinted.ts", programs, {
    mutations: [
      {
        guards: [],
        says: "every answer is hinted at, also that there is nothing to do",
        find: "changed(answer)",
        replace: "(changed(answer) || true)"
      }
    ]
  })
])
