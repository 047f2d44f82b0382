// Jobs beside Deployments: they wait in one queue, by one sequence, and a Slot is held by one or by the other. That no Tenant
// has more Slots taken than its cap is the table's own rule from here on.

import type { Migration } from "../PostgresMigrations.ts"

/** Jobs, their Items, and the cap as a rule of the Slots. */
export const jobs: Migration = {
  id: 9,
  name: "jobs",
  statements: [
    `alter table slots
  alter column deployment drop not null,
  add column job text,
  add constraint slots_one_holder check (num_nonnulls(deployment, job) = 1),
  add constraint slots_job_key unique (job),
  add constraint slots_of_deployment unique (tenant, number, deployment),
  add constraint slots_of_job unique (tenant, number, job)`,
    `create table jobs (
  id text primary key default 'job_' || replace(gen_random_uuid()::text, '-', '') check (id ~ '^job_[a-z0-9]{1,64}$'),
  listed bigint not null generated always as identity,
  position bigint not null default nextval('deployments_position_seq'),
  tenant text not null references tenants (name),
  app text,
  kind text not null check (kind in ('command', 'batch', 'slot')),
  key text,
  status text not null check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  attempt integer not null default 1 check (attempt >= 1),
  command jsonb check (jsonb_typeof(command) = 'array'),
  timeout_seconds integer not null check (timeout_seconds >= 1),
  item_concurrency integer not null check (item_concurrency >= 1),
  on_item_failure text not null check (on_item_failure in ('continue', 'stop')),
  on_full text not null check (on_full in ('reject', 'queue')),
  release text references releases (id),
  image text,
  env_revision integer check (env_revision >= 0),
  items_total integer not null default 0 check (items_total >= 0),
  items_done integer not null default 0 check (items_done >= 0),
  items_failed integer not null default 0 check (items_failed >= 0),
  exit_code integer,
  recoveries integer not null default 0 check (recoveries >= 0),
  fence bigint not null default 0 check (fence >= 0),
  replica text,
  lease_until timestamptz,
  slot integer,
  stop_requested_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz,
  foreign key (app, tenant) references apps (id, tenant),
  constraint jobs_slot_fkey foreign key (tenant, slot, id) references slots (tenant, number, job),
  constraint jobs_one_key unique (tenant, key),
  constraint jobs_items check (items_done + items_failed <= items_total),
  constraint jobs_all_done check (status <> 'succeeded' or items_done = items_total),
  constraint jobs_held check (status <> 'running' or (fence >= 1 and replica is not null and started_at is not null)),
  constraint jobs_lease check (case status when 'running' then lease_until is not null
    when 'queued' then (command is null) = (lease_until is not null) else lease_until is null end),
  constraint jobs_slot check ((status = 'running') = (slot is not null)),
  constraint jobs_finished check ((status in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null)),
  constraint jobs_of_release check (num_nonnulls(release, image, env_revision) in (0, 3)),
  constraint jobs_in_app check (command is null or (app is not null and release is not null))
) with (fillfactor = 80)`,
    `alter table slots add constraint slots_job_fkey foreign key (job) references jobs (id)`,
    `alter table deployments
  drop constraint deployments_tenant_slot_fkey,
  add constraint deployments_slot_fkey foreign key (tenant, slot, id) references slots (tenant, number, deployment)`,
    `create unique index jobs_in_slot on jobs (tenant, slot) where slot is not null`,
    `create index jobs_queue on jobs (tenant, position) where status = 'queued'`,
    `create index jobs_leased on jobs (position) where lease_until is not null`,
    `create unique index jobs_listed on jobs (listed)`,
    `create index jobs_of_tenant on jobs (tenant, listed)`,
    `create index jobs_of_app on jobs (app, listed) where app is not null`,
    `create index jobs_of_release on jobs (release) where release is not null`,
    `create index jobs_of_image on jobs (image) where status in ('queued', 'running') and image is not null`,
    `create table job_items (
  job text not null references jobs (id),
  number integer not null check (number >= 1),
  item text not null,
  status text not null default 'pending' check (status in ('pending', 'done', 'failed')),
  exit_code integer,
  result text,
  finished_at timestamptz,
  primary key (job, number),
  constraint job_items_finished check ((status = 'pending') = (finished_at is null))
)`,
    `create index job_items_pending on job_items (job, number) where status = 'pending'`,
    `alter table intents
  alter column deployment drop not null,
  add column job text references jobs (id),
  add constraint intents_one_owner check (num_nonnulls(deployment, job) = 1)`,
    `create index intents_of_job on intents (job) where job is not null`,
    `alter table events alter column app drop not null`,
    `alter table logs drop constraint logs_name_check,
  add constraint logs_name_check check (name ~ '^((deployment|workload)/dep_|job/job_)[a-z0-9]{1,64}$')`,

    // Tenants are served in turns: who was given a Slot last is the last.
    `alter table tenants add column served bigint not null default 0 check (served >= 0), set (fillfactor = 80)`,
    `create sequence tenants_served_seq`,

    // Whoever takes a Slot holds the Tenant's row, and counts after that: no two count the same.
    `create function slots_within_cap() returns trigger language plpgsql as $$
declare
  cap integer;
begin
  update tenants set served = nextval('tenants_served_seq') where name = new.tenant
    returning coalesce(job_cap, 10000) into cap;
  if (select count(*) from slots where tenant = new.tenant) >= cap then
    raise check_violation using message = format('the tenant %s has all its %s slots taken', new.tenant, cap),
      table = 'slots', constraint = 'slots_within_cap';
  end if;
  return new;
end $$`,
    `create trigger slots_within_cap before insert on slots for each row execute function slots_within_cap()`
  ]
}
