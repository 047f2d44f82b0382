// Ends attempts at Jobs, of whichever Tenants, many in one statement where many end at once. It waits for no Tenant, and what
// somebody else has in hand is waited for by its own caller alone.

import type { Job, JobId } from "@lockkeeper/core/domain/Job"
import { LeaseLost } from "@lockkeeper/core/port/Claim"
import type { JobClaim, JobOutcome } from "@lockkeeper/core/port/JobRequest"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Effect, Result, type Scope } from "effect"
import type { Database, EachRow } from "./Database.ts"
import { storeError } from "./faults.ts"
import { gathering } from "./gathering.ts"
import { eachJobRow, freedSlots, moveJobs } from "./jobRows.ts"

const operation = "JobStore.finish"

/** An attempt that has come to its end. */
interface Ended {
  readonly claim: JobClaim
  readonly outcome: JobOutcome
}

/** Makes `finish`. */
export const finishJobs = Effect.fnUntraced(function* (
  db: Database
): Effect.fn.Return<
  (claim: JobClaim, outcome: JobOutcome) => Effect.Effect<Job, LeaseLost | StoreError>,
  never,
  Scope.Scope
> {
  const { sql } = db

  /** One statement is a transaction of its own: it says itself how long it waits for a row. However many there are, it has one plan. */
  const finished = (all: ReadonlyArray<Ended>, skip: "" | "skip locked") => {
    const rows = eachJobRow(
      moveJobs(
        sql,
        sql`with held as materialized (
            select e.* from jobs j, (select ${db.limits()} offset 0) l, jsonb_to_recordset(${JSON.stringify(all.map(recordOf))}::jsonb)
              e (id text, fence bigint, status text, code int)
            where j.id = e.id for no key update of j ${sql.literal(skip)}
          )
          update jobs j set status = case when stop_requested_at is null then e.status else 'cancelled' end,
            exit_code = e.code, finished_at = clock_timestamp(), lease_until = null, slot = null
          from held e
          where j.id = e.id and j.fence = e.fence and j.status = 'running'
            and (e.status <> 'succeeded' or j.items_done = j.items_total)
          returning j.*`,
        freedSlots(sql)
      )
    )
    return db.statement<ReadonlyArray<EachRow<JobId, Job>>>(operation, rows)
  }

  const waited = Effect.fnUntraced(function* (ended: Ended): Effect.fn.Return<Job, LeaseLost | StoreError> {
    const [row] = yield* finished([ended], "")
    return row === undefined ? yield* new LeaseLost({ work: ended.claim.job.id }) : yield* answerOf(row)
  })

  const send = (all: ReadonlyArray<Ended>) =>
    Effect.map(finished(all, "skip locked"), (rows) => {
      const byId = new Map(rows.map((row) => [row.id, row]))
      return all.map((ended) => {
        const row = byId.get(ended.claim.job.id)
        return row === undefined ? waited(ended) : answerOf(row)
      })
    })

  const asked = yield* gathering<Ended, Job, LeaseLost | StoreError>({
    operation,
    most: 64,
    key: () => "",
    apart: ({ claim }) => claim.job.id,
    send
  })
  return (claim, outcome) => asked({ claim, outcome })
})

const recordOf = ({ claim: { fence, job }, outcome: { exitCode, status } }: Ended) => ({
  id: job.id,
  fence,
  status,
  code: exitCode
})

const answerOf = ({ read }: EachRow<JobId, Job>): Effect.Effect<Job, StoreError> =>
  Result.isSuccess(read)
    ? Effect.succeed(read.success)
    : Effect.suspend(() => Effect.fail(storeError(operation, read.failure)))
