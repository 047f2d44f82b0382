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
import { slots, type Standing } from "./slots.ts"

const heldRows = rowsOf(Schema.Struct({ tenant: TenantName, status: AppStatus }))
const releaseRows = rowsOf(Schema.Struct({ release: ReleaseId, image: ImageDigest, envRevision: Revision }))
const countRows = rowsOf(Schema.Struct({ waiting: Schema.Int }))

/** A Tenant that is held, and with an App the Release that serves. */
export interface Ground {
  readonly app: AppId | null
  readonly state: Standing
  readonly of: JobRelease | undefined
}

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
  const made = Effect.fnUntraced(function* (tenant: TenantName, most: number, lockTimeout: string) {
    yield* sql`select ${db.limits(lockTimeout)}`
    yield* sql`insert into tenants (name) values (${tenant}) on conflict do nothing`
    return (yield* queue.locked(tenant, { most })) ?? (yield* Effect.die("the Tenant of a Job is not there"))
  })

  const ofTenant = Effect.fnUntraced(function* (tenant: TenantName, most: number, lockTimeout: string) {
    const state = (yield* queue.locked(tenant, { most, lockTimeout })) ?? (yield* made(tenant, most, lockTimeout))
    const ground: Ground = { app: null, state, of: undefined }
    return ground
  })

  const ofApp = Effect.fnUntraced(function* (app: AppId, most: number, lockTimeout: string) {
    const [row] = yield* heldRows(sql`with held as materialized (
        select t.name from tenants t, (select ${db.limits(lockTimeout)} offset 0) l
        where t.name = (select tenant from apps where id = ${app}) for no key update of t
      )
      select held.name as tenant, a.status from held, apps a where a.id = ${app} for share of a`)
    if (row === undefined) return yield* refuse({ _tag: "AppGone", app })
    yield* ensureLive(app, row.status)
    const [state] = yield* queue.standings([row.tenant], most)
    const ground: Ground = { app, state: state ?? (yield* missing), of: yield* releaseOf(app) }
    return ground
  })

  const ensureLive = Effect.fnUntraced(function* (app: AppId, status: AppStatus) {
    if (status === "deleted") return yield* refuse({ _tag: "AppGone", app })
    if (status !== "live") return yield* refuse({ _tag: "AppNotLive", app, status })
  })

  const releaseOf = Effect.fnUntraced(function* (app: AppId) {
    const [release] = yield* releaseRows(sql`select id as release, image, env_revision as "envRevision"
      from releases where app = ${app} and current`)
    return release
  })

  const missing = Effect.die("the Tenant of an App is not there")

  /** Holds what Jobs are of, all of the same, and answers where it stands. */
  const groundOf = (asking: Arr.NonEmptyReadonlyArray<Pick<JobRequest, "of">>, lockTimeout: string) => {
    const [{ of }] = asking
    return "app" in of ? ofApp(of.app, asking.length, lockTimeout) : ofTenant(of.tenant, asking.length, lockTimeout)
  }

  const lengthOf = Effect.fnUntraced(function* (tenant: TenantName) {
    const [count] = yield* countRows(sql`select count(*)::int as waiting from (
        (select 1 from jobs where tenant = ${tenant} and status = 'queued' limit ${jobQueueLimit})
        union all (select 1 from deployments where tenant = ${tenant} and status = 'queued' limit ${jobQueueLimit})
      ) q`)
    return count?.waiting ?? 0
  })

  /** What becomes of those that are asked for, in this order: whoever waits already comes before all of them. */
  const entries = Effect.fnUntraced(function* ({ app, of, state }: Ground, asked: ReadonlyArray<Asked>) {
    const free = state.waiting.length === 0 ? [...state.free] : []
    const mayWait = asked.length > free.length && asked.some(({ onFull }) => onFull === "queue")
    let [running, length] = [state.taken, mayWait ? yield* lengthOf(state.tenant) : 0]
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
  })

  return { groundOf, entries }
}
