// Items and their Checkpoints on PostgreSQL. A Checkpoint, and the count of them on the Job, are one statement under the lock
// of the Job's row and under its Fence.

import type { Item, JobId } from "@lockkeeper/core/domain/Job"
import { cut, type Page, type PageRequest } from "@lockkeeper/core/domain/Page"
import { CheckpointStore } from "@lockkeeper/core/port/CheckpointStore"
import { LeaseLost } from "@lockkeeper/core/port/Claim"
import type { ItemOutcome, JobClaim } from "@lockkeeper/core/port/JobRequest"
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { storable } from "./internal/columns.ts"
import { database } from "./internal/Database.ts"
import { itemColumns, itemRows } from "./internal/jobRows.ts"

/** Makes the store. */
export const make: Effect.Effect<CheckpointStore["Service"], never, SqlClient.SqlClient> = Effect.gen(function* () {
  const db = yield* database
  const { sql } = db
  const columns = sql.literal(itemColumns)

  const items = (job: JobId, page: PageRequest) =>
    db.statement<Page<Item>>(
      "CheckpointStore.items",
      Effect.map(
        itemRows(sql`select ${columns} from job_items i where i.job = ${job} and i.number > ${page.cursor ?? 0}::int
          order by i.number limit ${page.limit + 1}`),
        (rows) =>
          cut(
            page,
            rows,
            ({ number }) => number,
            (row) => row
          )
      )
    )

  const remaining = (job: JobId, after: number, limit: number) =>
    db.statement<ReadonlyArray<Item>>(
      "CheckpointStore.remaining",
      itemRows(sql`select ${columns} from job_items i
        where i.job = ${job} and i.status = 'pending' and i.number > ${after} order by i.number limit ${limit}`)
    )

  const record = ({ fence, job }: JobClaim, number: number, { exitCode, result, status }: ItemOutcome) =>
    db.transaction(
      "CheckpointStore.record",
      Effect.gen(function* () {
        const held = yield* sql`select from jobs
          where id = ${job.id} and fence = ${fence} and status = 'running' for no key update`
        if (held.length === 0) return yield* new LeaseLost({ work: job.id })
        yield* sql`with recorded as (
            update job_items set status = ${status}, exit_code = ${exitCode}::int,
              result = ${result === null ? null : storable(result)}, finished_at = clock_timestamp()
            where job = ${job.id} and number = ${number} and status = 'pending' returning job, status
          )
          update jobs j set items_done = items_done + (r.status = 'done')::int,
            items_failed = items_failed + (r.status = 'failed')::int
          from recorded r where j.id = r.job`
        const [item] = yield* itemRows(
          sql`select ${columns} from job_items i where i.job = ${job.id} and i.number = ${number}`
        )
        return item ?? (yield* new LeaseLost({ work: job.id }))
      })
    )

  return CheckpointStore.of({ items, remaining, record })
})

/** Provides the store. */
export const layer: Layer.Layer<CheckpointStore, never, SqlClient.SqlClient> = Layer.effect(CheckpointStore, make)
