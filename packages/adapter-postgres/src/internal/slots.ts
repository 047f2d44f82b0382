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

const stateRows = rowsOf(
  Schema.Struct({
    cap: Schema.Int,
    taken: Schema.Int,
    slot: Schema.Int,
    id: Schema.NullOr(WorkId),
    app: Schema.NullOr(AppId),
    kind: Schema.NullOr(WaitingKind)
  })
)

/** Builds the questions about Slots. */
export const slots = ({ limits, sql }: Database) => {
  /** The first of a Tenant that waits for nothing but a Slot: whoever waits for another of its App holds nobody up. */
  const first = (tenant: Statement.Fragment) => sql`select w.id, w.app, w.kind, w.position from (
      (select d.id, d.app, 'deployment' as kind, d.position from deployments d
        where d.tenant = ${tenant} and d.status = 'queued' and not exists (
          select 1 from deployments o where o.app = d.app and o.status in ('building', 'deploying')
        ) order by d.position limit 1)
      union all
      (select j.id, j.app, case when j.command is null then 'waiter' else 'job' end as kind, j.position from jobs j
        where j.tenant = ${tenant} and j.status = 'queued' order by j.position limit 1)
    ) w order by w.position limit 1`

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

  /** The cap of a Tenant, how many of its Slots are taken, the number of the first that is not, and what is next. */
  const standing = (tenant: TenantName) => sql`select coalesce(t.job_cap, 10000) as cap,
        (select count(*)::int from slots where tenant = t.name) as taken, (
          select min(c.number) from (
            select 1 as number union all select number + 1 from slots where tenant = t.name
          ) c where not exists (select 1 from slots o where o.tenant = t.name and o.number = c.number)
        ) as slot, h.id, h.app, h.kind
      from tenants t left join lateral (${first(sql.literal("t.name"))}) h on true where t.name = ${tenant}`

  /**
   * Locks a Tenant, and answers its cap, how many Slots are taken, the number of a free one if there are fewer, and what is
   * next; undefined when there is no such Tenant. With `served` also when somebody else has it, or it had a turn since. The
   * lock is a statement before the one that counts. With `lockTimeout` it also sets the limits of its transaction, unless it
   * answers undefined.
   */
  const locked = Effect.fnUntraced(function* (
    tenant: TenantName,
    { lockTimeout, served }: { readonly served?: number | undefined; readonly lockTimeout?: string | undefined } = {}
  ) {
    const turn = served === undefined ? sql`true` : sql`t.served = ${served}`
    const skip = sql.literal(served === undefined ? "" : "skip locked")
    const held =
      lockTimeout === undefined
        ? yield* sql`select from tenants t where t.name = ${tenant} and ${turn} for no key update ${skip}`
        : yield* sql`with l as materialized (select ${limits(lockTimeout)})
            select from l, tenants t where t.name = ${tenant} and ${turn} for no key update of t ${skip}`
    if (held.length === 0) return undefined
    const [state] = yield* stateRows(standing(tenant))
    if (state === undefined) return undefined
    return { ...state, isFree: state.taken < state.cap && state.slot <= state.cap }
  })

  return { candidateTenants, candidates, candidateOf, locked, standing }
}
