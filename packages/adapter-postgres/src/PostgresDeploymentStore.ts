// Deployments, Releases and Slots on PostgreSQL. Who takes several rows takes the Tenant first, then the App, then the
// Deployment. What each method does in detail is below src/internal.

import { AppId, DeploymentId, ReleaseId } from "@lockkeeper/core/domain/App"
import type { Deployment } from "@lockkeeper/core/domain/Deployment"
import { Fence, type ReplicaId } from "@lockkeeper/core/domain/Lease"
import { cut, type Page, type PageRequest } from "@lockkeeper/core/domain/Page"
import { Release } from "@lockkeeper/core/domain/Release"
import { defaultJobCap, type JobCap, type TenantName, TenantUsage } from "@lockkeeper/core/domain/Tenant"
import type { Serving } from "@lockkeeper/core/port/Claim"
import { DeploymentNotFound } from "@lockkeeper/core/port/DeploymentRequest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { appColumns, appFields, appTables } from "./internal/appRows.ts"
import { beginDeployment } from "./internal/beginDeployment.ts"
import { claims } from "./internal/claims.ts"
import { Instant, Int8 } from "./internal/columns.ts"
import { database, eachRowOf, readableOf, rowsOf } from "./internal/Database.ts"
import {
  deploymentColumns,
  deploymentRows,
  listedDeploymentRows,
  requestStop,
  transition,
  unlisted
} from "./internal/deploymentRows.ts"
import { endings } from "./internal/endings.ts"
import { releases } from "./internal/releases.ts"
import { standing } from "./internal/standing.ts"

const usageRows = rowsOf(TenantUsage)

const servingFields = Schema.Struct({
  ...appFields,
  releaseId: ReleaseId,
  releaseNumber: Release.fields.number,
  releaseImage: Release.fields.image,
  releaseRevision: Release.fields.envRevision,
  releaseCommit: Release.fields.commit,
  releaseCreatedAt: Instant,
  deployment: DeploymentId,
  fence: Int8.pipe(Schema.decodeTo(Fence)),
  routeFence: Int8.pipe(Schema.decodeTo(Fence))
})

const servingRows = eachRowOf(AppId, servingFields)

/** Makes the store. */
export const make: Effect.Effect<DeploymentStore["Service"], never, SqlClient.SqlClient | SecretCipher> = Effect.gen(
  function* () {
    const db = yield* database
    const cipher = yield* SecretCipher
    const { sql } = db
    const columns = sql.literal(deploymentColumns)

    const get = (deployment: DeploymentId) =>
      db.statement(
        "DeploymentStore.get",
        Effect.gen(function* () {
          const [found] = yield* deploymentRows(sql`select ${columns} from deployments d where d.id = ${deployment}`)
          return found ?? (yield* new DeploymentNotFound({ deployment }))
        })
      )

    const list = (app: AppId, page: PageRequest) =>
      db.statement<Page<Deployment>>(
        "DeploymentStore.list",
        Effect.map(
          listedDeploymentRows(sql`select ${columns}, d.position from deployments d
          where d.app = ${app} and (${page.cursor ?? null}::bigint is null or d.position < ${page.cursor ?? null}::bigint)
          order by d.position desc limit ${page.limit + 1}`),
          (rows) => cut(page, rows, (row) => row.position, unlisted)
        )
      )

    const abandon = (replica: ReplicaId) =>
      db.statement<void>(
        "DeploymentStore.abandon",
        Effect.asVoid(sql`update deployments set lease_until = clock_timestamp()
        where replica = ${replica} and status in ('building', 'deploying') and lease_until > clock_timestamp()`)
      )

    const withdrawal = (deployment: DeploymentId) =>
      transition(
        sql,
        sql`update deployments d set status = 'cancelled', finished_at = clock_timestamp()
          where d.id = ${deployment} and d.status = 'queued' returning d.*`
      )

    const withdraw = (deployment: DeploymentId) =>
      db.transaction<void>("DeploymentStore.withdraw", Effect.asVoid(withdrawal(deployment)))

    const requestCancel = (deployment: DeploymentId) =>
      db.transaction(
        "DeploymentStore.requestCancel",
        Effect.gen(function* () {
          yield* sql`select from deployments where id = ${deployment} for no key update`
          yield* requestStop(sql, deployment, "cancelled")
          const [withdrawn] = yield* deploymentRows(withdrawal(deployment))
          if (withdrawn !== undefined) return withdrawn
          const [found] = yield* deploymentRows(sql`select ${columns} from deployments d where d.id = ${deployment}`)
          return found ?? (yield* new DeploymentNotFound({ deployment }))
        })
      )

    const serving = db.statement<ReadonlyArray<Serving>>(
      "DeploymentStore.serving",
      servingRows(sql`select ${sql.literal(appColumns)}, r.id as "releaseId", r.number as "releaseNumber",
          r.image as "releaseImage", r.env_revision as "releaseRevision", r.commit as "releaseCommit",
          r.created_at as "releaseCreatedAt", d.id as deployment, d.fence,
          (select max(e.fence) from deployments e where e.app = a.id and e.finished_at is not null) as "routeFence"
        from ${sql.literal(appTables)} join deployments d on d.id = r.deployment
        where a.status = 'live' order by a.position`).pipe(
        Effect.flatMap((rows) => readableOf("DeploymentStore.serving", rows)),
        Effect.map((readable) => readable.map(servingOf))
      )
    )

    const used = Effect.fnUntraced(function* (tenant: TenantName) {
      const [row] = yield* usageRows(sql`select n.tenant,
          case when t.name is null then ${defaultJobCap}::int else t.job_cap end as "jobCap",
          (select count(*)::int from slots where tenant = n.tenant) as running,
          (select count(*)::int from deployments where tenant = n.tenant and status = 'queued')
            + (select count(*)::int from jobs where tenant = n.tenant and status = 'queued') as queued
        from (select ${tenant}::text as tenant) n left join tenants t on t.name = n.tenant`)
      return row ?? (yield* Effect.die("a select over one row returned none"))
    })

    const usage = (tenant: TenantName) => db.statement<TenantUsage>("DeploymentStore.usage", used(tenant))

    const setCap = (tenant: TenantName, jobCap: JobCap) =>
      db.transaction<TenantUsage>(
        "DeploymentStore.setCap",
        Effect.gen(function* () {
          yield* sql`insert into tenants (name, job_cap) values (${tenant}, ${jobCap}::int)
            on conflict (name) do update set job_cap = excluded.job_cap`
          return yield* used(tenant)
        })
      )

    return DeploymentStore.of({
      begin: beginDeployment(db, cipher),
      get,
      list,
      ...claims(db, cipher),
      ...endings(db),
      ...releases(db),
      standing: standing(db),
      withdraw,
      requestCancel,
      abandon,
      serving,
      setCap,
      usage
    })
  }
)

/** Provides the store. */
export const layer: Layer.Layer<DeploymentStore, never, SqlClient.SqlClient | SecretCipher> = Layer.effect(
  DeploymentStore,
  make
)

const servingOf = (row: Schema.Schema.Type<typeof servingFields>): Serving => {
  const {
    deployment,
    fence,
    routeFence,
    releaseCommit,
    releaseCreatedAt,
    releaseId,
    releaseImage,
    releaseNumber,
    releaseRevision,
    ...app
  } = row
  const release: Release = {
    id: releaseId,
    app: app.id,
    number: releaseNumber,
    image: releaseImage,
    envRevision: releaseRevision,
    commit: releaseCommit,
    createdAt: releaseCreatedAt,
    current: true
  }
  return { app, release, deployment, fence, routeFence }
}
