// A Batch that did not come to its end, a year in which everything is swept, and the same Batch again: what was done is not done
// again, whatever an operator chose. On any adapters; time is their business.

import { Duration, Effect, Schema } from "effect"
import * as fc from "fast-check"
import {
  isRetentionSetting,
  type RetentionChoice,
  retentionKinds,
  type SweepKind
} from "@lockkeeper/core/domain/Retention"
import { JobKey } from "@lockkeeper/core/port/JobRequest"
import { type BatchItem, runBatch } from "@lockkeeper/core/program/runBatch"
import { sweep } from "@lockkeeper/core/program/sweep"
import { freshLetters, freshTenant } from "@lockkeeper/core/testing/Fixture"

/** How many Items there are, which ones fail at first, after how many the Batch is interrupted, and what an operator chose. */
export interface SweptBatch {
  readonly items: number
  readonly failing: ReadonlySet<number>
  readonly interruptedAfter: number | undefined
  readonly choice: RetentionChoice
}

const settings = retentionKinds.filter(isRetentionSetting)

/** Any of them in which at least one Item fails at first, with ages from a minute to 400 days. */
export const sweptBatches: fc.Arbitrary<SweptBatch> = fc
  .record({
    items: fc.integer({ min: 2, max: 12 }),
    failing: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }).map((numbers) => new Set(numbers)),
    interruptedAfter: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    ages: fc.dictionary(fc.constantFrom(...settings), fc.integer({ min: 1, max: 400 * 24 * 60 })),
    releases: fc.integer({ min: 1, max: 3 })
  })
  .map(({ ages, failing, interruptedAfter, items, releases }) => ({
    items,
    interruptedAfter,
    failing: new Set([...failing].map((number) => 1 + (number % items))),
    choice: {
      releases,
      ages: Object.fromEntries(Object.entries(ages).map(([kind, minutes]) => [kind, Duration.minutes(minutes)]))
    }
  }))

/** What came of it: what was done in each of both runs, whether all is done in the end, and what the sweep removed. */
interface SweptBatchOutcome {
  readonly first: ReadonlyArray<number>
  readonly again: ReadonlyArray<number>
  readonly isDone: boolean
  readonly swept: ReadonlyMap<SweepKind, number>
}

/** Runs it. `aYear` lets one pass. */
export const sweptBatch = Effect.fnUntraced(function* <R>(
  { choice, failing, interruptedAfter, items }: SweptBatch,
  aYear: Effect.Effect<void, unknown, R>
) {
  const [tenant, key] = [yield* freshTenant, JobKey.make(yield* freshLetters)]
  const batch = {
    tenant,
    key,
    items: Array.from({ length: items }, (_, index) => `item ${index + 1}`),
    result: Schema.Number
  }
  const [first, again]: [Array<number>, Array<number>] = [[], []]
  const atFirst = Effect.fnUntraced(function* ({ number }: BatchItem) {
    if (first.length === interruptedAfter) return yield* Effect.interrupt
    if (failing.has(number)) return yield* Effect.fail("not yet")
    first.push(number)
    return number
  })
  yield* Effect.exit(runBatch(batch, atFirst))
  yield* aYear
  const swept = yield* sweep(choice)
  const results = yield* runBatch(batch, ({ number }) => Effect.sync(() => (again.push(number), number)))
  return { first, again, isDone: results.every(({ status }) => status === "done"), swept } satisfies SweptBatchOutcome
})
