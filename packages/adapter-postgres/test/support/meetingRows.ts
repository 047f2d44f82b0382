// What is in the tables about one Tenant, as far as two operations that meet may disagree about it. Events are compared for
// each thing apart: of transactions that overlap, the feed tells first of the one that began to write first.

import type { App } from "@lockkeeper/core/domain/App"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { plain } from "@lockkeeper/core/testing/Fixture"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** The rows of an App's Tenant, its Env among them, in the order in which they were made. */
export const rowsOf = Effect.fnUntraced(function* ({ id: app, tenant }: App, { withFences = true } = {}) {
  const sql = yield* SqlClient.SqlClient
  const env = yield* Effect.option(Effect.flatMap(EnvStore, (envs) => envs.read(app)))
  return {
    env: env._tag === "Some" ? [env.value.revision, plain(env.value.env)] : null,
    apps: yield* sql`select id, status, policy, case when ${withFences} then last_fence end as last_fence
      from apps where tenant = ${tenant} order by position`,
    deployments:
      yield* sql`select id, number, status, policy, env_revision, fence, replica, slot, error_code, image, stop_as,
        release is not null as released, activated_at is not null as activated, lease_until > clock_timestamp() as held
      from deployments where tenant = ${tenant} order by position`,
    history: yield* sql`select h.deployment, h.status, h.fence from deployment_history h
      join deployments d on d.id = h.deployment where d.tenant = ${tenant} order by d.position, h.position`,
    releases: yield* sql`select r.number, r.deployment, r.env_revision, r.current from releases r
      join apps a on a.id = r.app where a.tenant = ${tenant} order by a.position, r.number`,
    slots: yield* sql`select number, deployment, fence from slots where tenant = ${tenant} order by number`,
    changes: yield* sql`select first, last, history from env_changes where app = ${app} order by first`,
    intents: yield* sql`select name, deployment, fence, replica, workload is not null as confirmed,
        released_at is not null as released
      from intents where app = ${app} order by position`,
    events: yield* sql`select e.type, e.subject, e.data, e.count
      from events e join apps a on a.id = e.app left join deployments d on d.id = e.subject
      where e.tenant = ${tenant} order by a.position, d.position nulls first, e.xid, e.id`
  }
})
