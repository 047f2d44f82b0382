// What the holder of a Run writes: each is one statement, guarded by its Fence and by the statuses from which it may be done.

import type { Run } from "@lockkeeper/core/domain/Run"
import { LeaseLost } from "@lockkeeper/core/port/Claim"
import type { RunClaim, RunOutcome, RunProgress } from "@lockkeeper/core/port/RunRequest"
import { Effect } from "effect"
import type { Statement } from "effect/sql"
import { instant } from "./appLife.ts"
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

  /** Moves a Run on that stands where it may be moved from, and answers it. Whose status is that one already, or a later one, stays as it is. */
  const advanced = (
    claim: RunClaim,
    from: Statement.Fragment,
    change: Statement.Fragment,
    answer: Statement.Fragment
  ) =>
    sql<object>`with held as materialized (select r.* from runs r where ${isHeld(claim)} for no key update),
      moved as (update runs r set ${change} from held where r.id = held.id and ${from} returning r.*),
      told as (insert into events (type, tenant, subject) select 'run.' || status, tenant, id from moved),
      r as (select * from moved union all select * from held where not exists (select from moved))
      select ${answer} from r`

  const running = (claim: RunClaim) =>
    db.statement<void, LeaseLost>(
      "RunStore.running",
      Effect.flatMap(
        advanced(
          claim,
          sql`r.status = 'provisioning'`,
          sql`status = 'running', started_at = clock_timestamp()`,
          sql`r.id`
        ),
        (rows) => orLost(claim, rows)
      )
    )

  const tearDown = (claim: RunClaim, seen?: Pick<Run, "keepUntil">) => {
    const isSeen =
      seen === undefined
        ? sql`true`
        : sql`date_trunc('milliseconds', r.keep_until) is not distinct from ${instant(seen.keepUntil)}::timestamptz`
    return db.statement<Run, LeaseLost>(
      "RunStore.tearDown",
      Effect.flatMap(
        sparedRunRows(
          advanced(
            claim,
            sql`r.status in ('provisioning', 'running') and ${isSeen}`,
            sql`status = 'teardown', keep_until = null, cleanup = 'pending'`,
            columns
          )
        ),
        (rows) => orLost(claim, rows)
      )
    )
  }

  /** Decided before, all stays as it is; the row is written in any case, so that whoever asks waits for whoever decides. */
  const settle = (claim: RunClaim, { error, status, verdict }: RunOutcome) => {
    const isOpen = sql`r.outcome is null`
    const hasError = sql`r.outcome is null and r.cancel_requested_at is null`
    const outcome = sql`coalesce(r.outcome, case when r.cancel_requested_at is null then ${status} else 'cancelled' end)`
    const code = sql`case when ${hasError} then ${error?.code ?? null} else r.error_code end`
    return db.statement(
      "RunStore.settle",
      Effect.flatMap(
        sparedRunRows(sql`with r as (
            update runs r set
              outcome = ${outcome},
              verdict = case when ${isOpen} then ${verdict} else r.verdict end,
              error_code = ${code},
              error_detail = case when ${hasError} then ${error === null ? null : storable(error.detail)} else r.error_detail end,
              error_node = case when ${hasError} then ${error?.node ?? null} else r.error_node end,
              keep_until = case when ${outcome} = 'cancelled' or ${code} = 'server_lost' then null else r.keep_until end
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
