// Intents on PostgreSQL. An intent is written only while its Fence is that of the locked Deployment: whoever takes the
// Deployment over afterwards sees it. What has ended is started again only while its App, locked before it, is live: whoever
// ends the App afterwards sees the intent.

import { AppId, AppStatus, DeploymentId } from "@lockkeeper/core/domain/App"
import { isJobId, JobId, WorkId } from "@lockkeeper/core/domain/Job"
import { Fence, ReplicaId } from "@lockkeeper/core/domain/Lease"
import { Workload, WorkloadName } from "@lockkeeper/core/domain/Workload"
import { LeaseLost } from "@lockkeeper/core/port/Claim"
import { type Intent, Journal } from "@lockkeeper/core/port/Journal"
import { Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { Int8 } from "./internal/columns.ts"
import { database, eachRowOf, readableOf, rowsOf } from "./internal/Database.ts"

const fields = {
  name: WorkloadName,
  app: AppId,
  fence: Int8.pipe(Schema.decodeTo(Fence)),
  replica: ReplicaId,
  workload: Schema.NullOr(Workload)
}

const intentRows = eachRowOf(WorkloadName, Schema.Struct({ ...fields, work: WorkId }))
const deploymentIntentFields = Schema.Struct({ ...fields, work: DeploymentId })
const deploymentIntentRows = rowsOf(deploymentIntentFields)
const eachDeploymentIntentRows = eachRowOf(WorkloadName, deploymentIntentFields)
const jobIntentRows = rowsOf(Schema.Struct({ ...fields, work: JobId }))

const appRows = rowsOf(Schema.Struct({ status: AppStatus }))

const nameRows = rowsOf(Schema.Struct({ name: WorkloadName }))

/** Makes the journal. */
export const make: Effect.Effect<Journal["Service"], never, SqlClient.SqlClient> = Effect.gen(function* () {
  const db = yield* database
  const { sql } = db
  // `id` is the name as well: what names a row that cannot be read.
  const columns = sql`i.name as id, i.name, i.app, coalesce(i.deployment, i.job) as work, i.fence, i.replica, i.workload`

  const again = sql`on conflict (name) do update
    set replica = excluded.replica, workload = null, confirmed_at = null, released_at = null
    where i.deployment is not distinct from excluded.deployment and i.job is not distinct from excluded.job
      and i.fence = excluded.fence
    returning i.name`

  const writtenFor = ({ app, fence, name, replica }: Omit<Intent, "workload">, job: JobId) =>
    Effect.map(
      sql`insert into intents as i (name, app, job, fence, replica)
        select ${name}, ${app}, id, fence, ${replica} from jobs
        where id = ${job} and app = ${app} and fence = ${fence} and status = 'running' for share
        ${again}`,
      (rows) => rows.length > 0
    )

  const written = ({ app: id, fence, name, replica }: Omit<Intent, "workload">, deployment: DeploymentId) =>
    Effect.gen(function* () {
      const [app] = yield* appRows(sql`select a.status from apps a join deployments d on d.app = a.id
          where a.id = ${id} and d.id = ${deployment} and d.status not in ('building', 'deploying') for share of a`)
      const rows = yield* sql`insert into intents as i (name, app, deployment, fence, replica)
          select ${name}, app, id, fence, ${replica} from deployments
          where id = ${deployment} and app = ${id} and fence = ${fence}
            and (status in ('building', 'deploying') or ${app?.status === "live"}) for share
          ${again}`
      return rows.length > 0
    })

  /**
   * A Deployment that was in progress may have ended before its lock was had. It is looked at once more then, as one that
   * has ended, in a transaction that locks the App first.
   */
  const intend = Effect.fnUntraced(function* (intent: Omit<Intent, "workload">) {
    const { work } = intent
    const write = db.transaction<boolean>(
      "Journal.intend",
      isJobId(work) ? writtenFor(intent, work) : written(intent, work)
    )
    const isWritten = (yield* write) || (yield* write)
    if (!isWritten) return yield* new LeaseLost({ work })
  })

  const confirm = (workload: Workload) =>
    db.statement<void>(
      "Journal.confirm",
      Effect.asVoid(sql`update intents set workload = ${JSON.stringify(workload)}::jsonb, confirmed_at = clock_timestamp()
        where name = ${workload.name}`)
    )

  const released = (name: WorkloadName) =>
    db.statement<void>(
      "Journal.released",
      Effect.asVoid(
        sql`update intents set released_at = clock_timestamp() where name = ${name} and released_at is null`
      )
    )

  const held = (app: AppId) =>
    db.statement<ReadonlyArray<Intent<DeploymentId>>>(
      "Journal.held",
      deploymentIntentRows(sql`select ${columns} from intents i
        where i.app = ${app} and i.deployment is not null and i.released_at is null order by i.position`)
    )

  const heldBy = (replica: ReplicaId) =>
    db.statement<ReadonlyArray<Intent<DeploymentId>>>(
      "Journal.heldBy",
      Effect.flatMap(
        eachDeploymentIntentRows(sql`select ${columns} from intents i
        where i.replica = ${replica} and i.deployment is not null and i.released_at is null order by i.position`),
        (rows) => readableOf("Journal.heldBy", rows)
      )
    )

  const heldFor = (job: JobId) =>
    db.statement<ReadonlyArray<Intent<JobId>>>(
      "Journal.heldFor",
      jobIntentRows(sql`select ${columns} from intents i
        where i.job = ${job} and i.released_at is null order by i.position`)
    )

  const unowned = (limit: number) =>
    db.statement<ReadonlyArray<Intent>>(
      "Journal.unowned",
      Effect.flatMap(
        intentRows(sql`select ${columns} from intents i
        left join deployments d on d.id = i.deployment left join jobs j on j.id = i.job
        where i.released_at is null and case
          when i.job is not null then j.status <> 'running' or j.fence <> i.fence
          else d.status not in ('building', 'deploying') and not exists (
            select 1 from releases r join apps a on a.id = r.app
            where r.deployment = i.deployment and r.current and a.status = 'live'
          ) end
        order by random() limit ${limit}`),
        (rows) => readableOf("Journal.unowned", rows)
      )
    )

  const unknown = (names: ReadonlyArray<WorkloadName>) =>
    db.statement<ReadonlyArray<WorkloadName>>(
      "Journal.unknown",
      Effect.map(
        nameRows(sql`select n.name from unnest(${names}::text[]) n (name)
          where not exists (select 1 from intents i where i.name = n.name and i.released_at is null)`),
        (rows) => rows.map(({ name }) => name)
      )
    )

  return Journal.of({ intend, confirm, released, held, heldBy, heldFor, unowned, unknown })
})

/** Provides the journal. */
export const layer: Layer.Layer<Journal, never, SqlClient.SqlClient> = Layer.effect(Journal, make)
