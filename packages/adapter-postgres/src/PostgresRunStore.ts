// Runs on PostgreSQL. Who takes both holds the Job before the Run. What a holder writes is in internal/heldRuns.ts.

import type { JobId } from "@lockkeeper/core/domain/Job"
import type { Fence } from "@lockkeeper/core/domain/Lease"
import { cut, type Page, type PageRequest } from "@lockkeeper/core/domain/Page"
import { pendingNodes, type Run, type RunEnding, RunId } from "@lockkeeper/core/domain/Run"
import { format } from "@lockkeeper/core/domain/Subnet"
import { withoutSecrets } from "@lockkeeper/core/domain/Topology"
import { LeaseLost } from "@lockkeeper/core/port/Claim"
import {
  type RunClaim,
  type RunCleanup,
  RunEnded,
  type RunFilter,
  RunNotFound,
  type RunRequest
} from "@lockkeeper/core/port/RunRequest"
import { RunStore } from "@lockkeeper/core/port/RunStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { type DateTime, Effect, Layer, Option, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { instant } from "./internal/appLife.ts"
import { database, readableOf, rowsOf } from "./internal/Database.ts"
import { heldRuns } from "./internal/heldRuns.ts"
import {
  byNameJson,
  goneNodes,
  type HeldRun,
  heldRunColumns,
  heldRunRows,
  leftRunColumns,
  leftRunRows,
  listedRunRows,
  moveRuns,
  networkOf,
  runColumns,
  runRows,
  sparedHeldRunRows,
  sparedRunRows
} from "./internal/runRows.ts"
import { sealedRuns } from "./internal/sealedRuns.ts"

const stopRows = rowsOf(Schema.Struct({ asked: Schema.Boolean }))
const idRows = rowsOf(Schema.Struct({ id: RunId }))

/** Makes the store. */
export const make: Effect.Effect<RunStore["Service"], never, SqlClient.SqlClient | SecretCipher> = Effect.gen(
  function* () {
    const db = yield* database
    const secrets = sealedRuns(yield* SecretCipher)
    const { sql } = db
    const columns = sql.literal(runColumns)
    const heldColumns = sql.literal(heldRunColumns)
    const gone = sql.literal(goneNodes)

    const claimOf = Effect.fnUntraced(function* (row: HeldRun) {
      const { credentials, fence, job, lease, plan, secrets: sealed, topology, ...run } = row
      const claim: RunClaim = {
        run,
        job,
        fence,
        topology: yield* secrets.openTopology(run.id, sealed, topology),
        network: yield* networkOf(lease),
        plan,
        credentials: yield* secrets.openCredentials(run.id, credentials)
      }
      return claim
    })

    /** The same without the secrets that do not open: who takes a Run to remove it does not need them. */
    const takenOf = Effect.fnUntraced(function* (row: HeldRun) {
      const unread = (error: unknown) => Effect.logError(`${row.id} is taken without secrets that do not open`, error)
      const topology = yield* Effect.tapError(secrets.openTopology(row.id, row.secrets, row.topology), unread).pipe(
        Effect.option
      )
      const credentials = yield* Effect.tapError(secrets.openCredentials(row.id, row.credentials), unread).pipe(
        Effect.option
      )
      return yield* claimOf({
        ...row,
        secrets: Option.isSome(topology) ? row.secrets : null,
        credentials: Option.isSome(credentials) ? row.credentials : null
      })
    })

    const found = Effect.fnUntraced(function* (run: RunId) {
      const [row] = yield* runRows(sql`select ${columns} from runs r where r.id = ${run}`)
      return row ?? (yield* new RunNotFound({ run }))
    })

    const get = (run: RunId) => db.statement("RunStore.get", found(run))

    const list = ({ status, tenant }: RunFilter, page: PageRequest) =>
      db.statement<Page<Run>>(
        "RunStore.list",
        Effect.map(
          listedRunRows(sql`select ${columns}, r.position from runs r
          where r.tenant = coalesce(${tenant ?? null}, r.tenant) and r.status = coalesce(${status ?? null}, r.status)
            and (${page.cursor ?? null}::bigint is null or r.position < ${page.cursor ?? null}::bigint)
          order by r.position desc limit ${page.limit + 1}`),
          (rows) =>
            cut(
              page,
              rows,
              ({ position }) => position,
              ({ position: _, ...run }): Run => run
            )
        )
      )

    const made = (
      { fence, id, job, keepUntil, name, network, target, tenant, topology }: RunRequest,
      sealed: Uint8Array
    ) =>
      moveRuns(
        sql,
        sql`insert into runs (id, job, tenant, fence, name, target, status, topology, secrets, nodes, cleanup, keep_until,
            subnet, subnet_pool, subnet_owner, subnet_fence)
          select ${id}, j.id, ${tenant}, j.fence, ${name}, ${target}, 'provisioning',
            ${JSON.stringify(withoutSecrets(topology))}::jsonb, ${sealed}, ${byNameJson(pendingNodes(topology))}::jsonb,
            ${network === null ? "none" : "pending"}, ${instant(keepUntil ?? null)}::timestamptz,
            ${network === null ? null : format(network.subnet)}::cidr, ${network?.pool ?? null},
            ${network?.owner ?? null}, ${network?.fence ?? null}::bigint
          from jobs j where j.id = ${job} and j.fence = ${fence} and j.status = 'running' for share of j
          on conflict do nothing returning *`,
        heldRunColumns
      )

    const create = (request: RunRequest) =>
      db.transaction(
        "RunStore.create",
        Effect.gen(function* () {
          const { fence, id, job } = request
          const [fresh] = yield* heldRunRows(made(request, yield* secrets.sealTopology(id, request.topology)))
          const [row] =
            fresh === undefined
              ? yield* heldRunRows(sql`select ${heldColumns} from runs r
                where r.id = ${id} and r.job = ${job} and r.fence = ${fence}`)
              : [fresh]
          return row === undefined ? yield* new LeaseLost({ work: job }) : yield* claimOf(row)
        })
      )

    const take = (job: JobId, fence: Fence) =>
      db.transaction<RunClaim | undefined, LeaseLost>(
        "RunStore.take",
        Effect.gen(function* () {
          const [row] = yield* sparedHeldRunRows(sql`with r as (
              update runs set fence = ${fence} where job = ${job} and fence <= ${fence} returning *
            )
            select ${heldColumns} from r`)
          if (row !== undefined) return yield* takenOf(row)
          const [other] = yield* idRows(sql`select id from runs where job = ${job}`)
          return other === undefined ? undefined : yield* new LeaseLost({ work: job })
        })
      )

    /** Changes a Run of which nobody has to be the holder, as long as it is in one of some statuses. One that ended `as` is wanted is answered. */
    const changed = (
      operation: string,
      run: RunId,
      change: Statement.Fragment,
      where: Statement.Fragment,
      as?: RunEnding
    ) =>
      db.transaction(
        operation,
        Effect.gen(function* () {
          const [row] = yield* sparedRunRows(sql`with r as (
              update runs r set ${change} where r.id = ${run} and ${where} returning r.*
            )
            select ${columns} from r`)
          if (row !== undefined) return row
          const [over] = yield* sparedRunRows(sql`select ${columns} from runs r where r.id = ${run}`)
          if (over === undefined) return yield* new RunNotFound({ run })
          return over.status === as ? over : yield* new RunEnded({ status: over.status })
        })
      )

    const requestCancel = (run: RunId) =>
      changed(
        "RunStore.requestCancel",
        run,
        sql`cancel_requested_at = coalesce(r.cancel_requested_at, clock_timestamp())`,
        sql`r.finished_at is null`,
        "cancelled"
      )

    const keep = (run: RunId, until: DateTime.Utc) =>
      changed(
        "RunStore.keep",
        run,
        sql`keep_until = ${instant(until)}::timestamptz`,
        sql`r.status in ('provisioning', 'running') and r.cancel_requested_at is null
          and r.outcome is distinct from 'cancelled' and r.error_code is distinct from 'server_lost'
          and not exists (select from jobs j where j.id = r.job and j.stop_requested_at is not null)`
      )

    const stopRequested = (run: RunId) =>
      db.statement<boolean>(
        "RunStore.stopRequested",
        Effect.map(
          stopRows(
            sql`select cancel_requested_at is not null and finished_at is null as asked from runs where id = ${run}`
          ),
          ([row]) => row?.asked === true
        )
      )

    const uncleaned = (limit: number) =>
      db.statement<ReadonlyArray<RunCleanup>>(
        "RunStore.uncleaned",
        Effect.flatMap(
          leftRunRows(sql`select ${sql.literal(leftRunColumns)} from runs r
            where r.finished_at is not null and r.cleanup = 'pending' order by random() limit ${limit}`),
          (rows) =>
            Effect.flatMap(readableOf("RunStore.uncleaned", rows), (readable) =>
              Effect.forEach(readable, ({ lease, ...rest }) =>
                Effect.map(networkOf(lease), (network): RunCleanup => ({ ...rest, network }))
              )
            )
        )
      )

    const cleaned = (run: RunId) =>
      db.statement<void>(
        "RunStore.cleaned",
        Effect.asVoid(sql`update runs r set cleanup = 'done', nodes = ${gone}
          where r.id = ${run} and r.finished_at is not null and r.cleanup = 'pending'`)
      )

    const unowned = (runs: ReadonlyArray<RunId>) =>
      db.statement<ReadonlyArray<RunId>>(
        "RunStore.unowned",
        Effect.map(
          idRows(sql`select u.id from unnest(${runs}::text[]) with ordinality u (id, at)
            where not exists (select from runs r where r.id = u.id and r.finished_at is null) order by u.at`),
          (rows) => rows.map(({ id }) => id)
        )
      )

    return RunStore.of({
      create,
      get,
      list,
      take,
      ...heldRuns(db, secrets),
      requestCancel,
      stopRequested,
      keep,
      uncleaned,
      cleaned,
      unowned
    })
  }
)

/** Provides the store. */
export const layer: Layer.Layer<RunStore, never, SqlClient.SqlClient | SecretCipher> = Layer.effect(RunStore, make)
