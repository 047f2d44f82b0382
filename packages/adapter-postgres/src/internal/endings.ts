// What the holder of a Deployment does with it, each as a write that is guarded by its Fence. Who needs a live App locks it
// before the Deployment, as everybody does who takes both.

import { AppStatus } from "@lockkeeper/core/domain/App"
import { type Deployment, StopStatus } from "@lockkeeper/core/domain/Deployment"
import type { LeaseTerms } from "@lockkeeper/core/domain/Lease"
import type { Commit } from "@lockkeeper/core/domain/Source"
import type { ImageDigest } from "@lockkeeper/core/domain/Workload"
import { AppGone } from "@lockkeeper/core/port/AppStore"
import { type Claim, type DeploymentOutcome, LeaseLost, StopRequested } from "@lockkeeper/core/port/Claim"
import { Effect, Schema } from "effect"
import { leaseEnd } from "./claims.ts"
import { storable } from "./columns.ts"
import { type Database, rowsOf } from "./Database.ts"
import { deploymentRows, transition } from "./deploymentRows.ts"

const statusRows = rowsOf(Schema.Struct({ status: AppStatus }))

const stopRows = rowsOf(Schema.Struct({ stopAs: Schema.NullOr(StopStatus) }))

/** Builds `stopRequested`, `renew`, `built`, `activate` and `finish`. */
export const endings = (db: Database) => {
  const { sql } = db

  const orLost = Effect.fnUntraced(function* (claim: Claim, rows: ReadonlyArray<Deployment>) {
    const [row] = rows
    return row ?? (yield* new LeaseLost({ work: claim.deployment.id }))
  })

  /** Locks the App; answers whether it is live. */
  const lockLive = Effect.fnUntraced(function* ({ app }: Claim) {
    const [row] = yield* statusRows(sql`select status from apps where id = ${app.id} for no key update`)
    return row?.status === "live"
  })

  const freed = sql`, freed as (delete from slots s using moved where s.deployment = moved.id)`

  const stopRequested = (claim: Claim) =>
    db.statement<StopStatus | undefined>(
      "DeploymentStore.stopRequested",
      Effect.map(
        stopRows(sql`select stop_as as "stopAs" from deployments where id = ${claim.deployment.id}`),
        ([row]) => row?.stopAs ?? undefined
      )
    )

  /** Locks the Deployment while it is held and deploying; refused when it was asked to stop. */
  const lockUnstopped = Effect.fnUntraced(function* (claim: Claim) {
    const { id: deployment } = claim.deployment
    const [held] = yield* stopRows(sql`select stop_as as "stopAs" from deployments
      where id = ${deployment} and fence = ${claim.fence} and status = 'deploying' for no key update`)
    if (held === undefined) return yield* new LeaseLost({ work: deployment })
    if (held.stopAs !== null) return yield* new StopRequested({ deployment, as: held.stopAs })
  })

  const renew = (claim: Claim, terms: LeaseTerms) =>
    db.statement(
      "DeploymentStore.renew",
      Effect.gen(function* () {
        const renewed = yield* sql`update deployments set lease_until = ${leaseEnd(sql, terms)}
          where id = ${claim.deployment.id} and fence = ${claim.fence} and status in ('building', 'deploying')
            and lease_until > clock_timestamp()
          returning id`
        if (renewed.length === 0) return yield* new LeaseLost({ work: claim.deployment.id })
      })
    )

  const built = (claim: Claim, image: ImageDigest, commit: Commit | null) =>
    db.transaction(
      "DeploymentStore.built",
      Effect.flatMap(
        deploymentRows(
          transition(
            sql,
            sql`update deployments d set status = 'deploying', image = ${image}, commit = ${commit}
              where d.id = ${claim.deployment.id} and d.fence = ${claim.fence} and d.status = 'building' returning d.*`
          )
        ),
        (rows) => orLost(claim, rows)
      )
    )

  const activate = (claim: Claim) =>
    db.transaction(
      "DeploymentStore.activate",
      Effect.gen(function* () {
        const live = yield* lockLive(claim)
        yield* lockUnstopped(claim)
        if (!live) return yield* new AppGone({ app: claim.app.id })
        yield* sql`update deployments set activated_at = coalesce(activated_at, clock_timestamp())
          where id = ${claim.deployment.id}`
      })
    )

  const healthy = Effect.fnUntraced(function* (claim: Claim) {
    const live = yield* lockLive(claim)
    yield* lockUnstopped(claim)
    if (!live) return yield* new AppGone({ app: claim.app.id })
    yield* sql`update releases set current = false where app = ${claim.app.id} and current`
    return yield* deploymentRows(
      transition(
        sql,
        sql`update deployments d
          set status = 'healthy', release = r.id, finished_at = r.created_at, lease_until = null, slot = null
          from released r where d.id = r.deployment returning d.*`,
        {
          before: sql`released as (
              insert into releases (app, number, image, env_revision, commit, deployment, created_at, current)
              select d.app, coalesce((select max(number) from releases where app = d.app), 0) + 1, d.image, d.env_revision,
                d.commit, d.id, clock_timestamp(), true
              from deployments d
              where d.id = ${claim.deployment.id} and d.image is not null and d.activated_at is not null
              returning id, deployment, created_at
            ),`,
          after: sql`${freed}, touched as (
              update apps a set updated_at = moved.finished_at from moved where a.id = moved.app
            )`
        }
      )
    )
  })

  const ended = (claim: Claim, status: "failed" | StopStatus, code: string | null, detail: string | null) =>
    deploymentRows(
      transition(
        sql,
        sql`update deployments d
          set status = coalesce(d.stop_as, ${status}), finished_at = clock_timestamp(), lease_until = null, slot = null,
            error_code = case when d.stop_as is null then ${code} end,
            error_detail = case when d.stop_as is null then ${detail} end
          where d.id = ${claim.deployment.id} and d.fence = ${claim.fence} and d.status in ('building', 'deploying')
          returning d.*`,
        { after: freed }
      )
    )

  const outcomeOf = (claim: Claim, outcome: DeploymentOutcome) => {
    switch (outcome.status) {
      case "healthy":
        return healthy(claim)
      case "failed":
        return ended(claim, "failed", outcome.error.code, storable(outcome.error.detail))
      case "cancelled":
      case "superseded":
        return ended(claim, outcome.status, null, null)
    }
  }

  const finish = (claim: Claim, outcome: DeploymentOutcome) =>
    db.transaction(
      "DeploymentStore.finish",
      Effect.flatMap(outcomeOf(claim, outcome), (rows) => orLost(claim, rows))
    )

  return { stopRequested, renew, built, activate, finish }
}
