// Begins Deployments. Whoever begins one of a Tenant holds the Tenant's row until the end of the transaction, so that the
// queue is counted exactly and positions are in the order in which they are seen.

import { type AppId, DeploymentId, ReleaseId } from "@lockkeeper/core/domain/App"
import type { Deployment } from "@lockkeeper/core/domain/Deployment"
import { Revision } from "@lockkeeper/core/domain/Env"
import { choose, decide, type Policy } from "@lockkeeper/core/domain/Policy"
import { atRef, Commit, OpenSource } from "@lockkeeper/core/domain/Source"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import { ImageDigest } from "@lockkeeper/core/domain/Workload"
import { DeploymentRefused, type DeploymentRequest, queueLimit } from "@lockkeeper/core/port/DeploymentRequest"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import type { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { Effect, Schema } from "effect"
import { type DeployableApp, deployableAppRows } from "./appRows.ts"
import { type Database, rowsOf } from "./Database.ts"
import { deploymentColumns, deploymentRows, requestStop, transition } from "./deploymentRows.ts"
import { isUniqueViolation } from "./faults.ts"
import { restore, store, type StoredSource } from "./sources.ts"

/** What `begin` of the DeploymentStore answers. */
export interface Begun {
  readonly deployment: Deployment
  readonly created: boolean
}

interface Row {
  readonly id: DeploymentId
  readonly tenant: TenantName
  readonly number: number
  readonly policy: Policy
  readonly envRevision: Revision
  readonly commit: Commit | null
  readonly image: ImageDigest | null
  readonly ofRelease: ReleaseId | null
}

const factRows = rowsOf(
  Schema.Struct({
    id: DeploymentId,
    envRevision: Revision,
    earlier: Schema.NullOr(DeploymentId),
    waiting: Schema.NullOr(DeploymentId),
    inProgress: Schema.NullOr(DeploymentId),
    queued: Schema.Int,
    number: Schema.Int
  })
)

const releaseRows = rowsOf(
  Schema.Struct({
    ofRelease: ReleaseId,
    image: ImageDigest,
    commit: Schema.NullOr(Commit),
    envRevision: Revision,
    source: OpenSource
  })
)

/** Builds `begin`. */
export const beginDeployment = (db: Database, cipher: typeof SecretCipher.Service) => {
  const { sql } = db
  const refuse = (reason: DeploymentRefused["reason"]) => new DeploymentRefused({ reason })

  const lockedApp = Effect.fnUntraced(function* (app: AppId) {
    yield* sql`select from tenants t join apps a on a.tenant = t.name where a.id = ${app} for no key update of t`
    const [row] = yield* deployableAppRows(sql`select tenant, status, policy, source, source_secret as sealed
      from apps where id = ${app} for no key update`)
    return row
  })

  const facts = Effect.fnUntraced(function* (tenant: TenantName, { app, trigger }: DeploymentRequest) {
    const [row] = yield* factRows(sql`select
      'dep_' || replace(gen_random_uuid()::text, '-', '') as id,
      (select env_revision from apps where id = ${app}) as "envRevision",
      (select id from deployments where app = ${app} and delivery_id = ${trigger.deliveryId ?? null}) as earlier,
      (select id from deployments where app = ${app} and status = 'queued') as waiting,
      (select id from deployments where app = ${app} and status in ('building', 'deploying')) as "inProgress",
      (select count(*)::int from deployments where tenant = ${tenant} and status = 'queued') as queued,
      coalesce((select max(number) from deployments where app = ${app}), 0) + 1 as number`)
    return row ?? (yield* Effect.die("a select without a table returned no row"))
  })

  const read = Effect.fnUntraced(function* (id: DeploymentId) {
    const [row] = yield* deploymentRows(
      sql`select ${sql.literal(deploymentColumns)} from deployments d where d.id = ${id}`
    )
    return row ?? (yield* Effect.die("a Deployment that was just seen is not there"))
  })

  const insert = (row: Row, { app, trigger }: DeploymentRequest, { sealed, source }: StoredSource) =>
    transition(
      sql,
      sql`insert into deployments as d
        (id, app, tenant, number, status, trigger_kind, delivery_id, policy, source, source_secret, env_revision,
          commit, image, of_release, created_at)
        values (${row.id}, ${app}, ${row.tenant}, ${row.number}, 'queued', ${trigger.kind}, ${trigger.deliveryId ?? null},
          ${row.policy}, ${JSON.stringify(source)}::jsonb, ${sealed}, ${row.envRevision},
          ${row.commit}, ${row.image}, ${row.ofRelease}, clock_timestamp())
        returning d.*`
    )

  const supersede = (queued: DeploymentId) =>
    transition(
      sql,
      sql`update deployments d set status = 'superseded', finished_at = clock_timestamp()
        where d.id = ${queued} and d.status = 'queued' returning d.*`
    )

  const releases = ({ app, release }: DeploymentRequest) =>
    releaseRows(sql`select r.id as "ofRelease", r.image, r.commit, r.env_revision as "envRevision", d.source
      from releases r join deployments d on d.id = r.deployment
      where r.app = ${app} and case when ${release === "current"} then r.current else r.id = ${release ?? null} end`)

  /** What a Deployment is made from: a Source that is to be built, or a Release that was. */
  const originOf = Effect.fnUntraced(function* (request: DeploymentRequest, app: DeployableApp, envRevision: Revision) {
    const { app: id, ref, release } = request
    if (release !== undefined) {
      const [found] = yield* releases(request)
      if (found === undefined) return yield* refuse({ _tag: "NoRelease", app: id })
      const { source, ...of } = found
      return {
        ...of,
        source: yield* restore(cipher, id, { source, sealed: null }),
        envRevision: release === "current" ? envRevision : of.envRevision
      }
    }
    const own = app.source === null ? undefined : { source: app.source, sealed: app.sealed }
    const given = request.source ?? (own === undefined ? undefined : yield* restore(cipher, id, own))
    const source = atRef(given, ref)
    if (source === undefined) return yield* refuse({ _tag: "NoSource", app: id })
    return { source, envRevision, commit: null, image: null, ofRelease: null }
  })

  const start = (app: AppId) =>
    sql`with started as (
        update apps set status = 'live', updated_at = clock_timestamp() where id = ${app} and status = 'stopped' returning *
      )
      insert into events (type, tenant, app, subject) select 'app.live', tenant, id, id from started`

  const begun = Effect.fnUntraced(function* (request: DeploymentRequest) {
    const { app: id } = request
    const app = yield* lockedApp(id)
    if (app === undefined || app.status === "deleted") return yield* refuse({ _tag: "AppGone", app: id })
    const known = yield* facts(app.tenant, request)
    if (known.earlier !== null) return { deployment: yield* read(known.earlier), created: false }
    const isStart = request.trigger.kind === "start"
    const { status } = app
    if (isStart && status !== "stopped") return yield* refuse({ _tag: "AppNotStopped", app: id, status })
    if (!isStart && status !== "live") return yield* refuse({ _tag: "AppNotLive", app: id, status })

    const { source, ...origin } = yield* originOf(request, app, known.envRevision)
    if (known.envRevision < (request.minEnvRevision ?? 0)) {
      return yield* refuse({ _tag: "RevisionMismatch", actual: known.envRevision })
    }
    const policy = choose(request.policy, app.policy, request.trigger)
    const active = { queued: known.waiting ?? undefined, inProgress: known.inProgress ?? undefined }
    const decision = decide(policy, active)
    if (decision.decision === "reject") {
      return yield* refuse({ _tag: "DeploymentInProgress", activeDeployment: decision.active })
    }
    const { displaced, stopped } = decision
    const queued = displaced === undefined ? known.queued : known.queued - 1
    if (queued >= queueLimit) return yield* refuse({ _tag: "QueueFull", limit: queueLimit })
    if (displaced !== undefined) yield* supersede(displaced)
    if (stopped !== undefined) yield* requestStop(sql, stopped, "superseded")
    if (isStart) yield* start(id)

    const row = { ...known, ...origin, tenant: app.tenant, policy }
    yield* insert(row, request, yield* store(cipher, known.id, source))
    return { deployment: yield* read(known.id), created: true }
  })

  return (request: DeploymentRequest): Effect.Effect<Begun, DeploymentRefused | StoreError> =>
    db
      .transaction<Begun, DeploymentRefused>("DeploymentStore.begin", begun(request))
      .pipe(Effect.retry({ times: 2, while: (error) => error._tag === "StoreError" && isUniqueViolation(error.cause) }))
}
