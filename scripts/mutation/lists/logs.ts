// What keeps logs whole and without secrets. Most of it looks like no guard, so that it is listed here and not found.

import { joined, lawsOf, listing } from "./listing.ts"

const programTest = (name: string): string => `packages/core/test/program/${name}.test.ts`
const postgresTest = (name: string): string => `packages/adapter-postgres/test/${name}.test.ts`
const redaction = [programTest("redaction")]

/** What is listed of them. */
export const logs = joined([
  listing("packages/core/src/port/LogStore.ts", ["packages/core/test/contracts.test.ts"], {
    mutations: [
      {
        guards: [],
        says: "in memory, an append that is asked again is added again",
        find: "        if (place !== undefined && (target.writers.get(place.writer) ?? 0) >= place.nth) return\n",
        replace: ""
      }
    ]
  }),
  listing("packages/core/src/program/DeploymentLog.ts", [programTest("DeploymentLog")], {
    mutations: [
      {
        guards: ["openLog: Effect.addFinalizer"],
        says: "who says something in a log that is closed waits for ever",
        find: "yield* Effect.addFinalizer(() => Effect.sync(items.close))",
        replace: "yield* Effect.addFinalizer(() => Effect.void)"
      },
      {
        guards: ["openLog: Effect.addFinalizer #2"],
        says: "what was said last is not stored",
        find: 'yield* Effect.addFinalizer(() => flush("all"))',
        replace: "yield* Effect.addFinalizer(() => Effect.void)"
      },
      {
        guards: [],
        says: "the writer of a log does not say which append it asks again",
        find: "store.append(log, part, { writer, nth })",
        replace: "store.append(log, part)"
      },
      {
        guards: [],
        says: "every append of a writer is taken for its first one",
        find: "      nth += 1\n",
        replace: "      nth = 1\n"
      },
      {
        guards: [],
        says: "a cut line that waits for the rest is not stored in the end",
        find: 'return item.what === "all" ? redacted.end() : []',
        replace: "return []"
      },
      {
        guards: [],
        says: "a flush gives up a line that waits for the rest",
        find: 'return item.what === "all" ? redacted.end() : []',
        replace: "return redacted.end()"
      },
      {
        guards: [],
        says: "secrets are stored",
        find: "if (isEntry(item)) return redacted.push(item)",
        replace: "if (isEntry(item)) return [item]",
        tests: redaction
      }
    ]
  }),
  listing("packages/core/src/program/conclude.ts", redaction, {
    mutations: [
      {
        guards: ['redacted: outcome.status === "failed"'],
        says: "an error holds secrets",
        find: 'outcome.status === "failed"\n    ? { ...outcome, error',
        replace: 'outcome.status === "failed" && outcome.error.detail === ""\n    ? { ...outcome, error'
      }
    ]
  }),
  listing("packages/core/src/program/deploySteps.ts", redaction, {
    mutations: [
      {
        guards: [],
        says: "a Deployment does not know its secrets",
        find: "log.hide(makeRedactor(secretsOf(env, source)))",
        replace: "log.hide(makeRedactor([]))"
      },
      {
        guards: [],
        says: "the key of a source is said",
        find: "log.hide(makeRedactor(secretsOf(env, source)))",
        replace: "log.hide(makeRedactor(secretsOf(env)))"
      }
    ]
  }),
  listing("packages/core/src/program/Reconciler.ts", redaction, {
    mutations: [
      {
        guards: [],
        says: "an App that is started again says its secrets",
        find: "makeRedactor(secretsOf(env))",
        replace: "makeRedactor([])"
      }
    ]
  }),
  listing("packages/core/src/program/adopt.ts", redaction, {
    mutations: [
      {
        guards: [],
        says: "an App is adopted without the Env that it runs with",
        find: "AppGone: () => Effect.succeed(undefined)",
        replace: "AppGone: () => Effect.succeed(makeRedactor([]))"
      }
    ]
  }),
  listing("packages/core/src/domain/Redactor.ts", ["packages/core/test/Redactor.test.ts"], {
    mutations: [
      {
        guards: [],
        says: "a cut line is stored before it is known whether a secret begins at its end",
        find: "entry.isCut === true ? matching.open() : read",
        replace: "read"
      },
      {
        guards: [],
        says: "the beginning of a secret that was cut off is shown",
        find: "      if (read - open >= minSecretLength) matching.close(open)\n",
        replace: ""
      }
    ]
  }),
  listing("packages/adapter-postgres/src/PostgresLogStore.ts", [postgresTest("contracts")], {
    named: lawsOf("LogStore"),
    mutations: [
      {
        guards: [],
        says: "an append that is asked again is added again",
        find: "and (writers ->> ${place.writer}::text)::bigint < ${place.nth}`",
        replace: "and (writers ->> ${place.writer}::text)::bigint < ${place.nth + 1_000}`"
      },
      {
        guards: [],
        says: "an append that is asked again is added again where its log was locked first",
        find: "        if (place !== undefined && size.nth >= place.nth) return\n",
        replace: ""
      },
      {
        guards: [],
        says: "the writers that came first are remembered, and not the newest",
        find: 'order by key collate "C" desc',
        replace: 'order by key collate "C"',
        tests: [postgresTest("logs")],
        named: "is forgotten"
      }
    ]
  })
])
