// Works through what is left of a Batch: bounded in how many Items at once, each Item's Checkpoint durable before it counts.
import { Effect, Option, Ref, Stream } from "effect"
import type { Item } from "../domain/Job.ts"
import { CheckpointStore } from "../port/CheckpointStore.ts"
import type { LeaseLost } from "../port/Claim.ts"
import type { ItemOutcome, JobClaim } from "../port/JobRequest.ts"
import type { StoreError } from "../port/StoreError.ts"
import { backoff } from "./backoff.ts"

/** How many Items are read at once. */
const part = 200

/**
 * Performs every Item that is pending, in their order as far as they do not run at the same time, and records how each
 * ended. A failure of `perform` itself ends the Batch and leaves its Item pending. With `stop`, nothing is started after an
 * Item that failed. Whatever was recorded is not performed again, by whomever the Batch is carried on.
 */
export const performItems = Effect.fn("performItems")(function* <E, R>(
  claim: JobClaim,
  perform: (item: Item) => Effect.Effect<ItemOutcome, E, R>
): Effect.fn.Return<void, E | LeaseLost | StoreError, R | CheckpointStore> {
  const checkpoints = yield* CheckpointStore
  const hasFailed = yield* Ref.make(false)
  const { itemConcurrency: concurrency, onItemFailure } = claim.task

  const left = Stream.paginate(0, (after) =>
    Effect.map(checkpoints.remaining(claim.job.id, after, part), (items) => {
      const last = items.at(-1)
      const next = items.length < part || last === undefined ? Option.none<number>() : Option.some(last.number)
      return [items, next] as const
    })
  )

  const performed = Effect.fnUntraced(function* (item: Item) {
    if (onItemFailure === "stop" && (yield* Ref.get(hasFailed))) return
    const outcome = yield* perform(item)
    if (outcome.status === "failed") yield* Ref.set(hasFailed, true)
    yield* Effect.retry(checkpoints.record(claim, item.number, outcome), {
      while: (error) => error._tag === "StoreError" && error.reason === "unavailable",
      schedule: backoff("50 millis", "2 seconds"),
      times: 20
    })
  })

  yield* Stream.runDrain(Stream.mapEffect(left, performed, { concurrency, unordered: true }))
})
