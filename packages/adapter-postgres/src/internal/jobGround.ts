// What a Job begins on: its Tenant is held until the end of the transaction, then its App, so that no Job begins of one that has
// ended; what is free, who waits, and the Release in which a command runs are read after that.

import { type AppId, AppStatus, ReleaseId } from "@lockkeeper/core/domain/App"
import { Revision } from "@lockkeeper/core/domain/Env"
import type { OnFull } from "@lockkeeper/core/domain/Job"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { ImageDigest } from "@lockkeeper/core/domain/Workload"
import { jobQueueLimit, JobRefused, type JobRelease, type JobRequest } from "@lockkeeper/core/port/JobRequest"
import { type Array as Arr, Effect, Schema } from "effect"
import { type Database, rowsOf } from "./Database.ts"
import { slots, Standing } from "./slots.ts"

const heldRows = rowsOf(Schema.Struct({ tenant: TenantName, status: AppStatus }))
const groundRows = rowsOf(
  Schema.Struct({
    ...Standing.fields,
    length: Schema.Int,
    release: Schema.NullOr(ReleaseId),
    image: Schema.NullOr(ImageDigest),
    envRevision: Schema.NullOr(Revision)
  })
)

/** A Tenant that is held, how many wait there where one more may have to, and with an App the Release that serves. */
export interface Ground {
  readonly app: AppId | null
  readonly state: Standing
  readonly length: number
  readonly of: JobRelease | undefined
}

/** What is asked for together, all of the same. */
type Asking = Arr.NonEmptyReadonlyArray<Pick<JobRequest, "of" | "onFull">>

/** What is asked about a Job before there is room for it. */
export interface Asked {
  readonly onFull: OnFull
  readonly hasCommand: boolean
}

/** What becomes of a Job that is asked for: a Slot of its own, or a place in the queue. */
export type Entry =
  { readonly slot: number; readonly position: null } | { readonly slot: null; readonly position: number }

/** What is asked about a Job, of what it is asked for with. */
export const askedBy = ({ onFull, task }: JobRequest): Asked => ({ onFull, hasCommand: task.command !== null })

/** A refusal with its reason. */
export const refuse = (reason: JobRefused["reason"]): JobRefused => new JobRefused({ reason })

/** Builds what Jobs begin on. */
export const jobGround = (db: Database) => {
  const { sql } = db
  const queue = slots(db)

  /** Makes and holds a Tenant that is not there yet. */
  const made = Effect.fnUntraced(function* (tenant: TenantName, lockTimeout: string) {
    yield* sql`select ${db.limits(lockTimeout)}`
    yield* sql`insert into tenants (name) values (${tenant}) on conflict do nothing`
    yield* queue.lock(tenant, {})
  })

  const ofTenant = Effect.fnUntraced(function* (tenant: TenantName, asking: Asking, lockTimeout: string) {
    if (!(yield* queue.lock(tenant, { lockTimeout }))) yield* made(tenant, lockTimeout)
    return yield* read(tenant, null, asking)
  })

  const ofApp = Effect.fnUntraced(function* (app: AppId, asking: Asking, lockTimeout: string) {
    const [row] = yield* heldRows(sql`with held as materialized (
        select t.name from tenants t, (select ${db.limits(lockTimeout)} offset 0) l
        where t.name = (select tenant from apps where id = ${app}) for no key update of t
      )
      select held.name as tenant, a.status from held, apps a where a.id = ${app} for share of a`)
    if (row === undefined) return yield* refuse({ _tag: "AppGone", app })
    yield* ensureLive(app, row.status)
    return yield* read(row.tenant, app, asking)
  })

  const ensureLive = Effect.fnUntraced(function* (app: AppId, status: AppStatus) {
    if (status === "deleted") return yield* refuse({ _tag: "AppGone", app })
    if (status !== "live") return yield* refuse({ _tag: "AppNotLive", app, status })
  })

  const lengthOf = (tenant: TenantName) =>
    sql`(select count(*)::int from (
        (select 1 from jobs where tenant = ${tenant} and status = 'queued' limit ${jobQueueLimit})
        union all (select 1 from deployments where tenant = ${tenant} and status = 'queued' limit ${jobQueueLimit})
      ) q)`

  /** All that is asked of what is held, as of one moment after that. Who waits is counted where one of these may have to. */
  const read = Effect.fnUntraced(function* (tenant: TenantName, app: AppId | null, asking: Asking) {
    const [row] = yield* groundRows(sql`select s.*, r.id as release, r.image, r.env_revision as "envRevision",
        case when ${asking.some(({ onFull }) => onFull === "queue")}::boolean
          and (s.waiting <> '[]' or cardinality(s.free) < ${asking.length}::int) then ${lengthOf(tenant)} else 0 end as length
      from (${queue.standing([tenant], asking.length)} offset 0) s
      left join releases r on r.app = ${app}::text and r.current`)
    if (row === undefined) return yield* Effect.die("the Tenant of a Job is not there")
    const { envRevision, image, length, release, ...state } = row
    const of = release === null || image === null || envRevision === null ? undefined : { release, image, envRevision }
    return { app, state, length, of } satisfies Ground
  })

  /** Holds what Jobs are of, all of the same, and answers where it stands. */
  const groundOf = (asking: Asking, lockTimeout: string) => {
    const [{ of }] = asking
    return "app" in of ? ofApp(of.app, asking, lockTimeout) : ofTenant(of.tenant, asking, lockTimeout)
  }

  /** What becomes of those that are asked for, in this order: whoever waits already comes before all of them. */
  const entries = ({ app, length: waiting, of, state }: Ground, asked: ReadonlyArray<Asked>) => {
    const free = state.waiting.length === 0 ? [...state.free] : []
    let [running, length] = [state.taken, waiting]
    return asked.map(({ hasCommand, onFull }): Entry | JobRefused => {
      if (hasCommand && app !== null && of === undefined) return refuse({ _tag: "NoRelease", app })
      const slot = free.shift()
      if (slot !== undefined) {
        running += 1
        return { slot, position: null }
      }
      if (onFull === "reject") return refuse({ _tag: "JobCapReached", limit: state.cap, running })
      if (length >= jobQueueLimit) return refuse({ _tag: "QueueFull", limit: jobQueueLimit })
      length += 1
      return { slot: null, position: length }
    })
  }

  return { groundOf, entries }
}
