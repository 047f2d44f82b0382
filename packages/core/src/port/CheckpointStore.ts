// Keeps the Items of Batches and how each ended: what a Job need not do again.
import { Context, DateTime, Effect, Layer } from "effect"
import type { Item, JobId } from "../domain/Job.ts"
import { cut, type Page, type PageRequest } from "../domain/Page.ts"
import { LeaseLost } from "./Claim.ts"
import type { ItemOutcome, JobClaim } from "./JobRequest.ts"
import { MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** Keeps Items and their Checkpoints. The Items themselves are made with their Job. */
export class CheckpointStore extends Context.Service<
  CheckpointStore,
  {
    /** The Items of a Job, in their order. */
    readonly items: (job: JobId, page: PageRequest) => Effect.Effect<Page<Item>, StoreError>
    /** At most `limit` Items with a number above `after` that are pending, in their order. */
    readonly remaining: (job: JobId, after: number, limit: number) => Effect.Effect<ReadonlyArray<Item>, StoreError>
    /**
     * Records how an Item ended, under the Fence of its Job's holder, and answers the Item. What was recorded first stands,
     * whatever is recorded after it.
     */
    readonly record: (
      claim: JobClaim,
      number: number,
      outcome: ItemOutcome
    ) => Effect.Effect<Item, LeaseLost | StoreError>
  }
>()("@lockkeeper/core/port/CheckpointStore") {
  /** Items in memory. */
  static readonly layerMemory: Layer.Layer<CheckpointStore, never, MemoryState> = Layer.effect(
    CheckpointStore,
    Effect.gen(function* () {
      const state = yield* MemoryState
      const itemsOf = (job: JobId): ReadonlyArray<Item> => state.jobs.get(job)?.items ?? []

      const items = (job: JobId, page: PageRequest) =>
        Effect.sync(() => {
          const after = Number(page.cursor ?? 0)
          const rows = itemsOf(job).filter(({ number }) => number > after)
          return cut(
            page,
            rows.slice(0, page.limit + 1),
            ({ number }) => number,
            (item) => item
          )
        })

      const remaining = (job: JobId, after: number, limit: number) =>
        Effect.sync(() =>
          itemsOf(job)
            .filter(({ number, status }) => status === "pending" && number > after)
            .slice(0, limit)
        )

      const record = Effect.fnUntraced(function* (claim: JobClaim, number: number, outcome: ItemOutcome) {
        const now = yield* DateTime.now
        const row = state.jobs.get(claim.job.id)
        const item = row?.items[number - 1]
        if (row?.job.status !== "running" || row.fence !== claim.fence || item === undefined) {
          return yield* new LeaseLost({ work: claim.job.id })
        }
        if (item.status !== "pending") return item
        const ended: Item = { ...item, ...outcome, finishedAt: now }
        row.items[number - 1] = ended
        return ended
      })

      return CheckpointStore.of({ items, remaining, record })
    })
  )
}
