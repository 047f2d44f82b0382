// Who is to have the next Slot of a Tenant: Deployments and other Jobs wait in one queue, in the order in which they asked.

import { AppId } from "@lockkeeper/core/domain/App"
import { WorkId } from "@lockkeeper/core/domain/Job"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { Effect, Schema } from "effect"
import type { Statement } from "effect/sql"
import { Int8 } from "./columns.ts"
import { type Database, rowsOf } from "./Database.ts"

const Candidate = Schema.Struct({ tenant: TenantName, served: Int8 })

/** A Tenant that may be served, and when it was served last as far as is known. */
export interface Candidate extends Schema.Schema.Type<typeof Candidate> {}

const tenantRows = rowsOf(Candidate)

/** What waits for a Slot: a Deployment, a Job that any replica carries out, or a caller of its own. */
const WaitingKind = Schema.Literals(["deployment", "job", "waiter"])

const heldRows = rowsOf(Schema.Struct({ tenant: TenantName }))

const Waiting = Schema.Struct({ id: WorkId, app: Schema.NullOr(AppId), kind: WaitingKind })

/** How a {@link Standing} is read. */
export const Standing = Schema.Struct({
  tenant: TenantName,
  cap: Schema.Int,
  taken: Schema.Int,
  free: Schema.Array(Schema.Int),
  waiting: Schema.Array(Waiting)
})

/**
 * A Tenant whose row is held: its cap, how many of its Slots are taken, the numbers of the first that are not, and what is
 * next of what waits for nothing but a Slot, up to the first Deployment.
 */
export interface Standing extends Schema.Schema.Type<typeof Standing> {}

/** How a Tenant is held: see `lock`. */
interface Holding {
  readonly served?: number | undefined
  readonly lockTimeout?: string | undefined
  readonly most?: number | undefined
}

const standingRows = rowsOf(Standing)

/** Builds the questions about Slots. */
export const slots = ({ limits, sql }: Database) => {
  /** What of a Tenant waits for nothing but a Slot: so many Jobs, and a Deployment. Whoever waits for another of its App holds nobody up. */
  const next = (tenant: Statement.Fragment, most: number) => sql`(
      (select d.id, d.app, 'deployment' as kind, d.position from deployments d
        where d.tenant = ${tenant} and d.status = 'queued' and not exists (
          select 1 from deployments o where o.app = d.app and o.status in ('building', 'deploying')
        ) order by d.position limit 1)
      union all
      (select j.id, j.app, case when j.command is null then 'waiter' else 'job' end as kind, j.position from jobs j
        where j.tenant = ${tenant} and j.status = 'queued' order by j.position limit ${most}::int)
    )`

  const first = (tenant: Statement.Fragment) => sql`select * from ${next(tenant, 1)} w order by w.position limit 1`

  const isFree = sql`(t.job_cap is null or (select count(*) from slots s where s.tenant = t.name) < t.job_cap)`

  /** Each Tenant of which something waits, found with one step in the index for each: in this order no other index
   * will do, whatever the planner expects. */
  const tenantsIn = (table: "deployments" | "jobs") => sql`(
      with recursive w (tenant) as (
        (select tenant from ${sql.literal(table)} where status = 'queued'
          order by tenant, position limit 1)
        union all
        select (
          select q.tenant from ${sql.literal(table)} q where q.status = 'queued' and q.tenant > w.tenant
          order by q.tenant, q.position limit 1
        ) from w where w.tenant is not null
      )
      select tenant from w where tenant is not null
    )`

  /** Tenants with a free Slot for which something of a kind is next, each in its turn: who was given one last is the last. */
  const candidateTenants = (kind: "deployment" | "job") => sql`select t.name as tenant, t.served
      from (${tenantsIn("deployments")} union ${tenantsIn("jobs")}) w
      join tenants t on t.name = w.tenant
      cross join lateral (${first(sql.literal("t.name"))}) h
      where h.kind = ${kind} and ${isFree}
      order by t.served, h.position limit 100`

  const candidates = (kind: "deployment" | "job") => tenantRows(candidateTenants(kind))

  /** The Tenant of something, when it has a free Slot and that is next. */
  const candidateOf = (kind: "deployment" | "job", id: WorkId) =>
    tenantRows(sql`select t.name as tenant, t.served
      from tenants t cross join lateral (${first(sql.literal("t.name"))}) h
      where t.name = (select tenant from ${sql.literal(`${kind}s`)} where id = ${id}) and h.id = ${id} and ${isFree}`)

  /** Where Tenants stand, with so many of what is free and of what waits. However many there are, it has one plan. */
  const standing = (tenants: ReadonlyArray<TenantName>, most: number) => sql`select t.name as tenant, c.cap, c.taken,
        array(
          select n from generate_series(1, least(c.cap, c.taken + ${most}::int)) n
          where not exists (select 1 from slots o where o.tenant = t.name and o.number = n)
          order by n limit least(${most}::int, greatest(c.cap - c.taken, 0))
        ) as free,
        coalesce((
          select jsonb_agg(jsonb_build_object('id', w.id, 'app', w.app, 'kind', w.kind) order by w.position)
          from ${next(sql.literal("t.name"), most)} w
        ), '[]') as waiting
      from jsonb_array_elements_text(${JSON.stringify(tenants)}::jsonb) n join tenants t on t.name = n
      cross join lateral (
        select coalesce(t.job_cap, 10000) as cap, (select count(*)::int from slots s where s.tenant = t.name) as taken
      ) c`

  /** Where Tenants stand that are held, each as of when its row was. */
  const standings = (tenants: ReadonlyArray<TenantName>, most: number) => standingRows(standing(tenants, most))

  /**
   * Holds a Tenant, and says whether there is one. With `served` also not when somebody else has it, or it had a turn since.
   * With `lockTimeout` it also sets the limits of its transaction, unless there is none.
   */
  const lock = Effect.fnUntraced(function* (tenant: TenantName, { lockTimeout, served }: Holding) {
    const turn = served === undefined ? sql`true` : sql`t.served = ${served}`
    const skip = sql.literal(served === undefined ? "" : "skip locked")
    const held =
      lockTimeout === undefined
        ? yield* sql`select from tenants t where t.name = ${tenant} and ${turn} for no key update ${skip}`
        : yield* sql`with l as materialized (select ${limits(lockTimeout)})
            select from l, tenants t where t.name = ${tenant} and ${turn} for no key update of t ${skip}`
    return held.length > 0
  })

  /** The same, and answers where it stands, with so many of what waits. The lock is a statement before the one that counts. */
  const locked = Effect.fnUntraced(function* (tenant: TenantName, { most = 1, ...holding }: Holding = {}) {
    if (!(yield* lock(tenant, holding))) return undefined
    const [state] = yield* standings([tenant], most)
    return state
  })

  /**
   * Holds so many of these Tenants at most, whose turn it is first, and answers where they stand in that order. None is
   * waited for, nor taken that had a turn since, but where it is the only one.
   */
  const held = Effect.fnUntraced(function* (tenants: ReadonlyArray<Candidate>, most: number, lockTimeout: string) {
    const isOnly = tenants.length === 1
    const skip = sql.literal(isOnly ? "" : "skip locked")
    const names = yield* heldRows(sql`with l as materialized (select ${limits(lockTimeout)})
      select t.name as tenant from l, tenants t
      join unnest(${tenants.map(({ tenant }) => String(tenant))}::text[], ${tenants.map(({ served }) => served)}::bigint[])
        with ordinality c (name, served, place) on t.name = c.name
      where ${isOnly} or t.served = c.served
      order by c.place limit ${most}::int for no key update of t ${skip}`)
    if (names.length === 0) return []
    const states = new Map(
      (yield* standings(
        names.map(({ tenant }) => tenant),
        most
      )).map((one) => [one.tenant, one])
    )
    return names.flatMap(({ tenant }) => states.get(tenant) ?? [])
  })

  return { candidateTenants, candidates, candidateOf, held, lock, locked, standing, standings }
}
