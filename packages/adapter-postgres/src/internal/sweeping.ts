// The statements that remove what is older than its class allows. Each is one transaction: what it takes is locked, without
// waiting for anybody, looked at again, and goes with all that belongs to it. The database refuses what is held
// (migration 11); these do not ask for it.

import { AppId, DeploymentId, ReleaseId } from "@lockkeeper/core/domain/App"
import type { RetentionTerms, SweepKind } from "@lockkeeper/core/domain/Retention"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Duration, Effect, Schema } from "effect"
import type { Statement } from "effect/sql"
import { type Database, rowsOf } from "./Database.ts"

const countRows = rowsOf(Schema.Struct({ count: Schema.Int }))
const releaseRows = rowsOf(Schema.Struct({ id: ReleaseId, deployment: DeploymentId }))
const appRows = rowsOf(Schema.Struct({ app: AppId }))

/** Of how many Apps Revisions are swept at once. */
const appsAtOnce = 16

/** Removes some of one class, and answers how many. */
type Sweep = (terms: RetentionTerms, limit: number) => Effect.Effect<number, StoreError>

/** Builds the sweep of each class. */
export const sweeping = (db: Database): { readonly [K in SweepKind]: Sweep } => {
  const { sql } = db

  const before = ({ age }: RetentionTerms) => sql`now() - ${Duration.toMillis(age)}::float8 * interval '1 millisecond'`

  const counted = (statement: Statement.Statement<object>) =>
    Effect.map(countRows(statement), ([row]) => row?.count ?? 0)

  /** A sweep that is one statement, which answers how many it removed as `count`. */
  const one =
    (statement: (terms: RetentionTerms, limit: number) => Statement.Statement<object>): Sweep =>
    (terms, limit) =>
      db.transaction<number>("RetentionStore.sweep", counted(statement(terms, limit)))

  const reservations = one(
    (_, limit) => sql`with gone as (delete from idempotency_keys where key in (
        select key from idempotency_keys where expires_at <= now()
        order by expires_at limit ${limit} for update skip locked
      ) returning key)
      select count(*)::int from gone`
  )

  const subscriptions = one(
    (terms, limit) => sql`with gone as (delete from subscriptions where name in (
        select name from subscriptions s where told_at <= ${before(terms)}
          and not exists (select from leases l where l.name = 'subscriber/' || s.name and l.until > ${before(terms)})
          limit ${limit} for update skip locked
      ) returning name)
      select count(*)::int from gone`
  )

  /** The oldest ones are the first: what comes after one that is younger is not looked at. */
  const events = one(
    (terms, limit) => sql`with oldest as materialized (
        select xid, id, at, count from events order by xid, id limit ${limit}
      ), ripe as materialized (
        select e.xid, e.id from events e join oldest o on o.xid = e.xid and o.id = e.id
        where o.at <= ${before(terms)} and not exists (
          select from subscriptions s where (s.xid, s.row) < (o.xid, o.id + o.count - 1)
        ) for update of e skip locked
      ), gone as (delete from events e using ripe r where e.xid = r.xid and e.id = r.id returning e.id)
      select count(*)::int from gone`
  )

  /**
   * Chunks of lines, from the first one of a log on, of which the name is `job/` or `run/` before an id. What a Workload says is
   * read on from behind the last that it said.
   */
  const logs = one(
    (terms, limit) => sql`with ripe as materialized (
        select c.log, c.first, c.last from log_chunks c left join logs g on g.name = c.log
        where c.at <= ${before(terms)} and (
          g.name is null or g.ended
          or exists (select from jobs j where j.id = substring(g.name from 5) and j.finished_at is not null)
          or exists (select from runs u where u.id = substring(g.name from 5) and u.finished_at is not null)
          or (
            exists (select from log_chunks n where n.log = c.log and n.first > c.first)
            and coalesce(c.output_until < (
              select n.output_from from log_chunks n
              where n.log = c.log and n.output_from is not null order by n.first desc limit 1
            ), true)
          )
        )
        order by c.at, c.log, c.first limit ${limit} for update of c skip locked
      ), held as materialized (
        select name from logs where name in (select log from ripe) order by name for no key update
      ), marked as (
        update logs g set swept = greatest(g.swept, least(g.lines, m.last))
        from held, (select log, max(last) as last from ripe group by log) m where g.name = held.name and g.name = m.log
      ), gone as (delete from log_chunks c using ripe r where c.log = r.log and c.first = r.first returning c.first)
      select count(*)::int from gone`
  )

  const intents = one(
    (terms, limit) => sql`with gone as (delete from intents where name in (
        select name from intents where released_at <= ${before(terms)}
        order by released_at limit ${limit} for update skip locked
      ) returning name)
      select count(*)::int from gone`
  )

  const runs = one(
    (terms, limit) => sql`with ripe as materialized (
        select id from runs where finished_at <= ${before(terms)} and cleanup = 'done'
        order by finished_at limit ${limit} for update skip locked
      ), said as (delete from logs where name in (select 'run/' || id from ripe)),
      gone as (delete from runs where id in (select id from ripe) returning id)
      select count(*)::int from gone`
  )

  /** What a Job started, and the Run in its Slot, has been swept before it. One that is not stands in no other's way. */
  const isClear = sql`not exists (select from intents i where i.job = j.id)
    and not exists (select from runs u where u.job = j.id)`

  /** Whole Jobs, as many as have about `limit` Items together. */
  const jobs = one(
    (terms, limit) => sql`with old as materialized (
        (select id, items_total, finished_at from jobs j
          where finished_at <= ${before(terms)} and ttl_seconds is null and (status = 'succeeded' or kind <> 'batch')
            and ${isClear} order by finished_at limit ${limit})
        union all
        (select id, items_total, finished_at from jobs j
          where ttl_seconds is not null and finished_at + ttl_seconds * interval '1 second' <= now() and ${isClear}
          limit ${limit})
        union all
        (select j.id, j.items_total, j.finished_at from apps a join jobs j on j.app = a.id
          where a.status = 'deleted' and j.finished_at <= ${before(terms)} and j.ttl_seconds is null
            and j.kind = 'batch' and j.status <> 'succeeded' and ${isClear} limit ${limit})
      ), part as materialized (
        select id, finished_at, sum(items_total + 1) over (order by finished_at, id) - items_total as upto from old
      ), ripe as materialized (
        select j.id from jobs j join part p on p.id = j.id and p.finished_at = j.finished_at
        where p.upto <= ${limit} and not is_held(j) and ${isClear}
        for update of j skip locked
      ), items as (delete from job_items where job in (select id from ripe)),
      said as (delete from logs where name in (select 'job/' || id from ripe)),
      gone as (delete from jobs where id in (select id from ripe) returning id)
      select count(*)::int from gone`
  )

  /** Traffic is led under the last Fence that a Deployment ended with: one that went would make that a Fence of long ago. */
  const isPassed = sql`(d.fence is null or exists (
      select from deployments n where n.app = d.app and n.finished_at is not null and n.fence > d.fence
    ))`

  const deployments = one(
    (terms, limit) => sql`with ripe as materialized (
        select d.id from deployments d join apps a on a.id = d.app
        where d.status in ('failed', 'cancelled', 'superseded') and d.finished_at <= ${before(terms)}
          and not exists (select from intents i where i.deployment = d.id)
          and (a.status = 'deleted' or (
            (select count(*) from deployments n where n.app = d.app and n.number > d.number) >= ${Math.max(1, terms.newest)}
            and ${isPassed}
          ))
        order by d.finished_at limit ${limit} for update of d skip locked
      ), history as (delete from deployment_history where deployment in (select id from ripe)),
      said as (delete from logs where name in (
        select kind || id from ripe, (values ('deployment/'), ('workload/')) k (kind)
      )),
      gone as (delete from deployments where id in (select id from ripe) returning id)
      select count(*)::int from gone`
  )

  /**
   * Whoever begins a Deployment or a Job of a Release holds its App. So the Apps are held first, and which Releases nobody names
   * is read in a statement after that.
   */
  const releases: Sweep = (terms, limit) =>
    db.transaction<number>(
      "RetentionStore.sweep",
      Effect.gen(function* () {
        const old = yield* releaseRows(sql`select r.id, r.deployment from releases r join apps a on a.id = r.app
          join deployments d on d.id = r.deployment
          where r.created_at <= ${before(terms)} and (a.status = 'deleted' or (
              not r.current
              and (select count(*) from releases n where n.app = r.app and n.number > r.number) >= ${terms.newest}
              and exists (select from deployments n where n.app = r.app and n.number > d.number) and ${isPassed}
            )) and ${isUnnamed}
          order by r.created_at limit ${limit} for update of r, a skip locked`)
        if (old.length === 0) return 0
        const ripe = yield* releaseRows(sql`select r.id, r.deployment from releases r
          where r.id = any(${old.map(({ id }) => id)}::text[]) and ${isUnnamed}`)
        const [ids, made] = [ripe.map(({ id }) => String(id)), ripe.map(({ deployment }) => String(deployment))]
        yield* sql`update deployments set of_release = null where of_release = any(${ids}::text[]) and finished_at is not null`
        yield* sql`with history as (delete from deployment_history where deployment = any(${made}::text[])),
          said as (delete from logs where name in (
            select kind || id from unnest(${made}::text[]) d (id), (values ('deployment/'), ('workload/')) k (kind)
          )),
          gone as (delete from releases where id = any(${ids}::text[]))
          delete from deployments where id = any(${made}::text[])`
        return ripe.length
      })
    )

  const isUnnamed = sql`not exists (select from jobs j where j.release = r.id)
    and not exists (select from deployments o
      where o.of_release = r.id and o.status in ('queued', 'building', 'deploying'))
    and not exists (select from intents i where i.deployment = r.deployment)`

  /** Up to which Revision those of an App may go: all of one that is deleted, else what the first one needed is not read with. */
  const upTo = sql`case a.status when 'deleted' then 2147483647 else whole_revision_needed(a.id) end`

  const oldChanges = (terms: RetentionTerms) =>
    sql`select c.app, c.first from env_changes c where c.app = a.id and c.last <= ${upTo} and c.at <= ${before(terms)}`

  /** A whole Env is not needed when one after it is, and those that were made from it are old. */
  const oldSnapshots = (terms: RetentionTerms) =>
    sql`select s.app, s.revision from env_snapshots s where s.app = a.id and s.revision < ${upTo} and not exists (
        select from env_changes c where c.app = s.app and c.last = s.revision and c.at > ${before(terms)}
      )`

  /** Whoever changes an Env, or begins a Deployment of it, holds the App. */
  const revisions: Sweep = (terms, limit) =>
    db.transaction<number>(
      "RetentionStore.sweep",
      Effect.gen(function* () {
        const held = yield* appRows(sql`select a.id as app from apps a
          where (a.status = 'deleted' or exists (select from env_snapshots s where s.app = a.id))
            and (exists (${oldChanges(terms)}) or exists (${oldSnapshots(terms)}))
          order by a.id limit ${appsAtOnce} for no key update of a skip locked`)
        if (held.length === 0) return 0
        const those = sql`(select * from apps where id = any(${held.map(({ app }) => app)}::text[])) a`
        return yield* counted(sql`with changes as (delete from env_changes where (app, first) in (
            select o.app, o.first from ${those}, lateral (${oldChanges(terms)}) o limit ${limit}
          ) returning app),
          snapshots as (delete from env_snapshots where (app, revision) in (
            select o.app, o.revision from ${those}, lateral (${oldSnapshots(terms)}) o limit ${limit}
          ) returning app)
          select ((select count(*) from changes) + (select count(*) from snapshots))::int as count`)
      })
    )

  const apps = one(
    (terms, limit) => sql`with ripe as materialized (
        select a.id from apps a where a.status = 'deleted' and a.settled and a.updated_at <= ${before(terms)}
          and not exists (select from deployments d where d.app = a.id)
          and not exists (select from jobs j where j.app = a.id)
          and not exists (select from env_changes c where c.app = a.id)
          and not exists (select from env_snapshots s where s.app = a.id)
        order by a.updated_at limit ${limit} for update of a skip locked
      ), led as (delete from routes where app in (select id from ripe)),
      gone as (delete from apps where id in (select id from ripe) returning id)
      select count(*)::int from gone`
  )

  return { reservations, subscriptions, events, logs, intents, runs, jobs, deployments, releases, revisions, apps }
}
