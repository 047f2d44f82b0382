// Removes what is older than the table of Retention allows, in bounded batches, and gauges what is there. Any Replica may run
// it, at any time, as often as it likes; what is cut off is left to the next pass.
import { Effect } from "effect"
import {
  type RetentionChoice,
  retentionKinds,
  type SweepKind,
  sweepKinds,
  retentionTerms
} from "../domain/Retention.ts"
import { RetentionStore } from "../port/RetentionStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { countSwept, gaugeRetained } from "./metrics.ts"

/** How much one statement takes on, and how many of them one pass has for each class. */
const batch = { size: 1_000, most: 100 }

/**
 * One pass over every class, those first that are named by others. A class that fails is left to a later pass, and holds up no
 * other one. Answers how many of each class it removed.
 */
export const sweep = Effect.fn("sweep")(function* (
  choice: RetentionChoice = {}
): Effect.fn.Return<ReadonlyMap<SweepKind, number>, never, RetentionStore> {
  const swept = new Map<SweepKind, number>()
  for (const kind of sweepKinds) swept.set(kind, yield* sweepClass(kind, choice))
  return swept
})

/** Takes the gauges of every class. */
export const gauge = Effect.fn("gauge")(function* (): Effect.fn.Return<void, StoreError, RetentionStore> {
  const usage = yield* (yield* RetentionStore).usage
  yield* Effect.forEach(retentionKinds, (kind) => gaugeRetained(kind, usage[kind]), { discard: true })
})

const sweepClass = Effect.fnUntraced(function* (kind: SweepKind, choice: RetentionChoice) {
  const store = yield* RetentionStore
  const terms = retentionTerms(kind, choice)
  let total = 0
  const work = Effect.gen(function* () {
    for (let round = 0; round < batch.most; round += 1) {
      const removed = yield* store.sweep(kind, terms, batch.size)
      if (removed === 0) return
      total += removed
      yield* countSwept(kind, removed)
    }
  })
  yield* Effect.catchCause(work, (cause) => Effect.logWarning(`${kind} were not swept to the end`, cause))
  return total
})
