// Puts Deployments into somebody's hands: admits queued ones to a Slot, and takes those whose holder is gone. A row that
// cannot be read is left as it is and stands in nobody's way but its own Tenant's.

import { AppId, DeploymentId } from "@lockkeeper/core/domain/App"
import { isJobId } from "@lockkeeper/core/domain/Job"
import type { LeaseTerms } from "@lockkeeper/core/domain/Lease"
import type { AdmissionRequest, Claim } from "@lockkeeper/core/port/Claim"
import type { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Duration, Effect, Result, Schema } from "effect"
import { appColumns, appRows, appTables } from "./appRows.ts"
import { type Database, rowsOf } from "./Database.ts"
import { deploymentColumns, heldDeploymentRows, transition } from "./deploymentRows.ts"
import type { Fault } from "./faults.ts"
import { type Candidate, slots } from "./slots.ts"
import { restore } from "./sources.ts"

const lostRows = rowsOf(Schema.Struct({ id: DeploymentId, app: AppId }))
const lockedRows = rowsOf(Schema.Struct({ id: AppId }))
const takenRows = rowsOf(Schema.Struct({ id: DeploymentId }))

/** What came of one try: a Claim, nothing to do for this Tenant, or somebody else is at it. */
type Attempt = Claim | "nothing" | "locked"

/** The end of a lease that begins now, on the database's clock, also after a wait for a lock. */
export const leaseEnd = (sql: Database["sql"], terms: LeaseTerms) =>
  sql`clock_timestamp() + ${Duration.toMillis(terms.ttl)}::float8 * interval '1 millisecond'`

/** Builds `admit`, `abandoned` and `claimAbandoned`. */
export const claims = (db: Database, cipher: typeof SecretCipher.Service) => {
  const { sql } = db
  const queue = slots(db)

  const claimOf = Effect.fnUntraced(function* (id: DeploymentId): Effect.fn.Return<Claim, Fault> {
    const [held] = yield* heldDeploymentRows(sql`select ${sql.literal(deploymentColumns)},
      d.source_secret as sealed, d.fence, d.replica from deployments d where d.id = ${id}`)
    if (held === undefined) return yield* Effect.die("a Deployment that was just claimed is not there")
    const { fence, replica, sealed, ...deployment } = held
    const [app] = yield* appRows(sql`select ${sql.literal(appColumns)} from ${sql.literal(appTables)}
      where a.id = ${deployment.app}`)
    if (app === undefined) return yield* Effect.die("the App of a Deployment is not there")
    const source = yield* restore(cipher, deployment.id, { source: deployment.source, sealed })
    return { deployment, app, source, fence, replica }
  })

  const take = (request: AdmissionRequest, { app, id, slot }: { id: DeploymentId; app: AppId; slot: number }) =>
    transition(
      sql,
      sql`update deployments d
        set status = 'building', fence = f.last_fence, replica = ${request.replica}, slot = ${slot},
          lease_until = ${leaseEnd(sql, request.terms)}, started_at = clock_timestamp()
        from fenced f where d.id = ${id} and d.status = 'queued'
        returning d.*`,
      {
        before: sql`fenced as (update apps set last_fence = last_fence + 1 where id = ${app} returning last_fence),`,
        after: sql`, placed as (
          insert into slots (tenant, number, deployment, fence) select tenant, slot, id, fence from moved
        )`
      }
    )

  const attempt = (request: AdmissionRequest, { served, tenant }: Candidate, wait: boolean) =>
    db.transaction<Attempt>(
      "DeploymentStore.admit",
      Effect.gen(function* () {
        const state = yield* queue.locked(tenant, { served: wait ? undefined : served })
        if (state === undefined) return "locked"
        const { free, waiting } = state
        const [slot, next] = [free[0], waiting[0]]
        if (slot === undefined || next === undefined || isJobId(next.id) || next.app === null) return "nothing"
        const { app, id } = next
        if (id !== (request.deployment ?? id)) return "nothing"
        const taken = yield* take(request, { app, id, slot })
        return taken.length === 0 ? "locked" : yield* claimOf(id)
      })
    )

  const attemptAll = Effect.fnUntraced(function* (
    request: AdmissionRequest,
    tenants: ReadonlyArray<Candidate>,
    wait: boolean
  ): Effect.fn.Return<Claim | ReadonlyArray<Candidate>, StoreError> {
    const locked: Array<Candidate> = []
    for (const tenant of tenants) {
      const outcome = yield* skipCorrupt(request, attempt(request, tenant, wait))
      if (outcome === "locked") locked.push(tenant)
      else if (outcome !== "nothing") return outcome
    }
    return locked
  })

  const admit = Effect.fnUntraced(function* (
    request: AdmissionRequest
  ): Effect.fn.Return<Claim | undefined, StoreError> {
    let tenants: Claim | ReadonlyArray<Candidate> = yield* db.statement<ReadonlyArray<Candidate>>(
      "DeploymentStore.admit",
      request.deployment === undefined
        ? queue.candidates("deployment")
        : queue.candidateOf("deployment", request.deployment)
    )
    for (const wait of [false, true, true]) {
      tenants = yield* attemptAll(request, tenants, wait)
      if ("fence" in tenants) return tenants
    }
    return undefined
  })

  const lost = (operation: string, limit: number, deployment: DeploymentId | undefined) =>
    db.statement<ReadonlyArray<{ readonly id: DeploymentId; readonly app: AppId }>>(
      `DeploymentStore.${operation}`,
      lostRows(sql`select id, app from deployments
        where status in ('building', 'deploying') and lease_until <= clock_timestamp()
          and (${deployment ?? null}::text is null or id = ${deployment ?? null})
        order by position limit ${limit}`)
    )

  const abandoned = (limit: number) =>
    Effect.map(lost("abandoned", limit, undefined), (rows): ReadonlyArray<DeploymentId> => rows.map(({ id }) => id))

  const takeOver = (request: AdmissionRequest, { app, id }: { readonly id: DeploymentId; readonly app: AppId }) =>
    db.transaction<Attempt>(
      "DeploymentStore.claimAbandoned",
      Effect.gen(function* () {
        const [locked] = yield* lockedRows(sql`select id from apps where id = ${app} for no key update skip locked`)
        if (locked === undefined) return "locked"
        const [taken] = yield* takenRows(sql`with moved as (
            update deployments set fence = (select last_fence + 1 from apps where id = ${app}),
              replica = ${request.replica}, lease_until = ${leaseEnd(sql, request.terms)}
            where id = ${id} and status in ('building', 'deploying') and lease_until <= clock_timestamp()
            returning id, app, fence
          ), fenced as (
            update apps a set last_fence = moved.fence from moved where a.id = moved.app
          ), placed as (
            update slots s set fence = moved.fence from moved where s.deployment = moved.id
          )
          select id from moved`)
        return taken === undefined ? "nothing" : yield* claimOf(taken.id)
      })
    )

  const claimAbandoned = Effect.fnUntraced(function* (
    request: AdmissionRequest,
    limit: number
  ): Effect.fn.Return<ReadonlyArray<Claim>, StoreError> {
    const taken: Array<Claim> = []
    for (const row of yield* lost("claimAbandoned", limit + 100, request.deployment)) {
      if (taken.length >= limit) break
      const outcome = yield* Effect.result(skipCorrupt(request, takeOver(request, row)))
      if (Result.isFailure(outcome)) return taken.length > 0 ? taken : yield* outcome.failure
      if (outcome.success !== "nothing" && outcome.success !== "locked") taken.push(outcome.success)
    }
    return taken
  })

  return { admit, abandoned, claimAbandoned }
}

/** Goes on without a row that cannot be read, unless it is the one that was asked for. */
const skipCorrupt = (request: AdmissionRequest, self: Effect.Effect<Attempt, StoreError>) =>
  Effect.catchIf(
    self,
    (error) => error.reason === "corrupt" && request.deployment === undefined,
    (error) => Effect.as(Effect.logError("a Deployment is passed over, since its row cannot be read", error), skipped)
  )

const skipped: Attempt = "nothing"
