// The guards of programs of Jobs: what cannot be interrupted, and whoever waits.

import { joined, listing } from "./listing.ts"

const testOf = (name: string): string => `packages/core/test/program/${name}.test.ts`

const interruptible = "(<A2, E2, R2>(effect: Effect.Effect<A2, E2, R2>) => effect)"

/** What is listed of them. */
export const jobPrograms = joined([
  listing("packages/core/src/program/carryOutJob.ts", [testOf("jobs")], {
    mutations: [
      {
        guards: ["carryOutJob: Effect.uninterruptibleMask"],
        says: "a server that stops gives nothing back",
        find: "Effect.uninterruptibleMask((restore) => Effect.scoped(carriedOut(claim, restore)))",
        replace: `Effect.scoped(carriedOut(claim, ${interruptible}))`
      }
    ]
  }),
  listing("packages/core/src/program/performItems.ts", [testOf("jobs")], {
    mutations: [
      {
        guards: ['performed: outcome.status === "failed"'],
        says: "a failure stops nothing",
        find: 'if (outcome.status === "failed") yield* Ref.set(hasFailed, true)',
        replace: ""
      }
    ]
  }),
  listing("packages/core/src/program/withSlot.ts", [testOf("withSlot")], {
    mutations: [
      {
        guards: ["withSlot: Effect.uninterruptibleMask"],
        says: "an interruption loses a Slot",
        find: "Effect.uninterruptibleMask((restore) =>\n      Effect.gen",
        replace: `Effect.suspend((restore = ${interruptible}) =>\n      Effect.gen`
      },
      {
        guards: ['look: status !== "queued"'],
        says: "who was cancelled waits for ever",
        find: 'if (status !== "queued") return yield* new SlotWithdrawn()',
        replace: "if (status.length === 0) return yield* new SlotWithdrawn()"
      },
      {
        guards: ["jobAdmission: Effect.onError"],
        says: "who gives up waiting stays queued",
        find: "return yield* Effect.onError(admitted, () => Effect.ignore(store.requestCancel(job.id)))",
        replace: "return yield* admitted"
      }
    ]
  }),
  listing("packages/core/src/program/runBatch.ts", [testOf("runBatch")], {
    mutations: [
      {
        guards: ["runBatch: Effect.uninterruptibleMask"],
        says: "an interruption loses a Batch that has begun",
        find: "return yield* Effect.uninterruptibleMask((restore) =>\n    Effect.gen",
        replace: `return yield* Effect.suspend((restore = ${interruptible}) =>\n    Effect.gen`
      }
    ]
  })
])
