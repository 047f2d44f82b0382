// What the holder of a Run writes: each is one statement, guarded by its Fence and by the statuses from which it may be done.

import { LeaseLost } from "@lockkeeper/core/port/Claim"
import type { RunClaim, RunOutcome, RunProgress } from "@lockkeeper/core/port/RunRequest"
import { Effect } from "effect"
import type { Statement } from "effect/sql"
import { storable } from "./columns.ts"
import type { Database } from "./Database.ts"
import { byNameJson, goneNodes, moveRuns, runColumns, sparedRunRows } from "./runRows.ts"
import type { sealedRuns } from "./sealedRuns.ts"

/** Makes `record`, `running`, `settle`, `tearDown` and `finish`. */
export const heldRuns = (db: Database, secrets: ReturnType<typeof sealedRuns>) => {
  const { sql } = db
  const columns = sql.literal(runColumns)
  const gone = sql.literal(goneNodes)

  /** A Run that has not ended, in the hands of whoever has this Claim. */
  const isHeld = ({ fence, run }: RunClaim) => sql`r.id = ${run.id} and r.fence = ${fence} and r.finished_at is null`

  const orLost = <A>({ job }: RunClaim, [row]: ReadonlyArray<A>): Effect.Effect<A, LeaseLost> =>
    row === undefined ? new LeaseLost({ work: job }) : Effect.succeed(row)

  const record = (claim: RunClaim, { credentials, nodes, plan, steps }: RunProgress) =>
    db.statement(
      "RunStore.record",
      Effect.gen(function* () {
        const sealed = credentials === undefined ? null : yield* secrets.sealCredentials(claim.run.id, credentials)
        const rows = yield* sql`update runs r set cleanup = 'pending',
            plan = coalesce(${plan === undefined ? null : JSON.stringify(plan)}::jsonb, r.plan),
            credentials = coalesce(${sealed}::bytea, r.credentials),
            nodes = r.nodes || ${byNameJson(nodes)}::jsonb, steps = r.steps || ${byNameJson(steps)}::jsonb
          where ${isHeld(claim)} returning r.id`
        yield* orLost(claim, rows)
      })
    )

  /** Moves a Run on that stands where it may be moved from. Whose status is that one already, or a later one, stays as it is. */
  const advance = (operation: string, claim: RunClaim, from: ReadonlyArray<string>, change: Statement.Fragment) =>
    db.statement<void, LeaseLost>(
      operation,
      Effect.gen(function* () {
        const held = sql`held as materialized (select r.id from runs r where ${isHeld(claim)} for no key update),`
        const rows = yield* sql`with ${held} moved as (
            update runs r set ${change} from held where r.id = held.id and r.status = any(${from}::text[]) returning r.*
          ), told as (insert into events (type, tenant, subject) select 'run.' || status, tenant, id from moved)
          select id from held`
        yield* orLost(claim, rows)
      })
    )

  const running = (claim: RunClaim) =>
    advance("RunStore.running", claim, ["provisioning"], sql`status = 'running', started_at = clock_timestamp()`)

  const tearDown = (claim: RunClaim) =>
    advance(
      "RunStore.tearDown",
      claim,
      ["provisioning", "running"],
      sql`status = 'teardown', keep_until = null, cleanup = 'pending'`
    )

  /** Decided before, all stays as it is; the row is written in any case, so that whoever asks waits for whoever decides. */
  const settle = (claim: RunClaim, { error, status, verdict }: RunOutcome) => {
    const isOpen = sql`r.outcome is null`
    const hasError = sql`r.outcome is null and r.cancel_requested_at is null`
    return db.statement(
      "RunStore.settle",
      Effect.flatMap(
        sparedRunRows(sql`with r as (
            update runs r set
              outcome = coalesce(r.outcome, case when r.cancel_requested_at is null then ${status} else 'cancelled' end),
              verdict = case when ${isOpen} then ${verdict} else r.verdict end,
              error_code = case when ${hasError} then ${error?.code ?? null} else r.error_code end,
              error_detail = case when ${hasError} then ${error === null ? null : storable(error.detail)} else r.error_detail end,
              error_node = case when ${hasError} then ${error?.node ?? null} else r.error_node end
            where ${isHeld(claim)} returning r.*
          )
          select ${columns} from r`),
        (rows) => orLost(claim, rows)
      )
    )
  }

  const finish = (claim: RunClaim, cleanup: "pending" | "done") =>
    db.statement(
      "RunStore.finish",
      Effect.flatMap(
        sparedRunRows(
          moveRuns(
            sql,
            sql`update runs r set status = r.outcome, finished_at = clock_timestamp(), cleanup = ${cleanup},
              nodes = case when ${cleanup === "done"} then ${gone} else r.nodes end, secrets = null, credentials = null
            where ${isHeld(claim)} and r.status = 'teardown' and r.outcome is not null returning r.*`
          )
        ),
        (rows) => orLost(claim, rows)
      )
    )

  return { record, running, settle, tearDown, finish }
}
