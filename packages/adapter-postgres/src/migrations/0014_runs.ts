// Runs. What one may still have left behind is known from its row alone, and the row stays until nothing is left; which status
// may follow which is the table's own rule, as core's `runTransitions` says it.

import type { Migration } from "../PostgresMigrations.ts"

/** Runs, their log, and what holds them. */
export const runs: Migration = {
  id: 14,
  name: "runs",
  statements: [
    `create table runs (
  id text primary key check (id ~ '^run_[a-z0-9]{1,64}$'),
  position bigint not null generated always as identity,
  job text not null references jobs (id),
  tenant text not null references tenants (name),
  fence bigint not null check (fence >= 1),
  name text not null check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  target text not null check (target ~ '^[a-z][a-z0-9-]{0,62}$'),
  status text not null
    check (status in ('provisioning', 'running', 'teardown', 'succeeded', 'failed', 'cancelled')),
  topology jsonb not null check (jsonb_typeof(topology -> 'nodes') = 'array'),
  secrets bytea,
  credentials bytea,
  plan jsonb,
  nodes jsonb not null check (jsonb_typeof(nodes) = 'object'),
  steps jsonb not null default '{}' check (jsonb_typeof(steps) = 'object'),
  subnet cidr check (family(subnet) = 4),
  subnet_pool text,
  subnet_owner text,
  subnet_fence bigint,
  outcome text check (outcome in ('succeeded', 'failed', 'cancelled')),
  verdict text check (verdict in ('pass', 'fail', 'inconclusive')),
  error_code text,
  error_detail text,
  error_node text,
  cleanup text not null check (cleanup in ('none', 'pending', 'done')),
  keep_until timestamptz,
  cancel_requested_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz,
  constraint runs_one_of_job unique (job),
  constraint runs_network check (num_nonnulls(subnet, subnet_pool, subnet_owner, subnet_fence) in (0, 4)),
  constraint runs_error check (
    (error_code is null) = (error_detail is null) and (error_node is null or error_code is not null)
  ),
  constraint runs_decided check (outcome is not null or num_nonnulls(verdict, error_code) = 0),
  constraint runs_as_decided check (status not in ('succeeded', 'failed', 'cancelled') or status is not distinct from outcome),
  constraint runs_finished check ((status in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null)),
  constraint runs_kept check (status in ('provisioning', 'running') or keep_until is null),
  constraint runs_cleanup check (case when finished_at is null then cleanup <> 'done' else cleanup <> 'none' end),
  constraint runs_erased check (finished_at is null or num_nonnulls(secrets, credentials) = 0)
) with (fillfactor = 80)`,
    `create unique index runs_position on runs (position)`,
    `create index runs_of_tenant on runs (tenant, position)`,
    `create index runs_uncleaned on runs (finished_at) where finished_at is not null and cleanup = 'pending'`,
    `create index runs_age on runs (finished_at) where finished_at is not null and cleanup = 'done'`,

    `create function runs_transitions() returns trigger language plpgsql as $$
begin
  if not (case old.status
    when 'provisioning' then new.status in ('running', 'teardown')
    when 'running' then new.status = 'teardown'
    when 'teardown' then new.status in ('succeeded', 'failed', 'cancelled')
    else false
  end) then
    raise check_violation using message = format('a run that was %s does not become %s', old.status, new.status),
      table = 'runs', constraint = 'runs_transitions';
  end if;
  return new;
end $$`,
    `create trigger runs_transitions before update of status on runs
  for each row when (old.status <> new.status) execute function runs_transitions()`,

    `create function hold_runs() returns trigger language plpgsql as $$
begin
  if old.finished_at is null or old.cleanup <> 'done' then
    raise restrict_violation using message = 'what this run made may still be there', table = 'runs', constraint = 'hold_runs';
  end if;
  return old;
end $$`,
    `create trigger hold_runs before delete on runs for each row execute function hold_runs()`,

    `alter table logs drop constraint logs_name_check,
  add constraint logs_name_check check (name ~ '^((deployment|workload)/dep_|job/job_|run/run_)[a-z0-9]{1,64}$')`
  ]
}
