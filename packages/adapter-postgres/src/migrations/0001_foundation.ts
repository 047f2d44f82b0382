// The first schema: what the ports of a deploy keep, with each invariant as a constraint, so that a bug is an error and
// never a broken invariant. Not here: who runs it (PostgresMigrations.ts). Once released, this file never changes.

/** Tenants, Apps, Deployments, Slots, Releases, Envs, intents, logs, Events, leases and routes. */
export const foundation = {
  id: 1,
  name: "foundation",
  statements: [
    `create table tenants (
  name text primary key check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  job_cap integer default 3 check (job_cap between 0 and 10000),
  created_at timestamptz not null default clock_timestamp()
)`,

    `create table apps (
  id text primary key default 'app_' || replace(gen_random_uuid()::text, '-', '') check (id ~ '^app_[a-z0-9]{1,64}$'),
  position bigint generated always as identity,
  tenant text not null references tenants (name),
  name text not null check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  status text not null check (status in ('live', 'stopped', 'expired', 'deleting', 'deleted')),
  source jsonb,
  source_secret bytea,
  policy text,
  health_check jsonb not null,
  host_port integer not null check (host_port between 1 and 65535),
  last_fence bigint not null default 0 check (last_fence >= 0),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (id, tenant),
  constraint apps_secret_of_git check (source_secret is null or source ->> 'type' is not distinct from 'git')
)`,
    `create unique index apps_position on apps (position)`,
    `create unique index apps_one_name on apps (tenant, name) where status <> 'deleted'`,
    `create unique index apps_one_port on apps (host_port) where status <> 'deleted'`,
    `create index apps_of_tenant on apps (tenant, position)`,

    `create table releases (
  id text primary key default 'rel_' || replace(gen_random_uuid()::text, '-', '') check (id ~ '^rel_[a-z0-9]{1,64}$'),
  app text not null references apps (id),
  number integer not null check (number >= 1),
  image text not null,
  env_revision integer not null check (env_revision >= 0),
  commit text,
  deployment text not null unique,
  created_at timestamptz not null,
  current boolean not null,
  unique (app, number)
)`,
    `create unique index releases_one_current on releases (app) where current`,

    `create table slots (
  tenant text not null references tenants (name),
  number integer not null check (number between 1 and 10000),
  deployment text not null unique,
  fence bigint not null check (fence >= 1),
  primary key (tenant, number)
)`,

    `create table deployments (
  id text primary key check (id ~ '^dep_[a-z0-9]{1,64}$'),
  position bigint generated always as identity,
  app text not null,
  tenant text not null,
  number integer not null check (number >= 1),
  status text not null
    check (status in ('queued', 'building', 'deploying', 'healthy', 'failed', 'cancelled', 'superseded')),
  trigger_kind text not null,
  delivery_id text,
  policy text not null,
  source jsonb not null,
  source_secret bytea,
  commit text,
  image text,
  env_revision integer not null check (env_revision >= 0),
  release text references releases (id),
  error_code text,
  error_detail text,
  fence bigint check (fence >= 1),
  replica text,
  lease_until timestamptz,
  slot integer,
  activated_at timestamptz,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  foreign key (app, tenant) references apps (id, tenant),
  foreign key (tenant, slot) references slots (tenant, number),
  unique (app, number),
  constraint deployments_one_delivery unique (app, delivery_id),
  constraint deployments_secret_of_git check (source_secret is null or source ->> 'type' is not distinct from 'git'),
  constraint deployments_held check (
    status not in ('building', 'deploying')
    or (fence is not null and replica is not null and started_at is not null)
  ),
  constraint deployments_lease check ((status in ('building', 'deploying')) = (lease_until is not null)),
  constraint deployments_slot check ((status in ('building', 'deploying')) = (slot is not null)),
  constraint deployments_built check (status <> 'deploying' or image is not null),
  constraint deployments_healthy check (
    status <> 'healthy' or (image is not null and activated_at is not null and fence is not null)
  ),
  constraint deployments_release check ((status = 'healthy') = (release is not null)),
  constraint deployments_failed check (
    (status = 'failed') = (error_code is not null) and (error_code is null) = (error_detail is null)
  ),
  constraint deployments_finished check (
    (status in ('healthy', 'failed', 'cancelled', 'superseded')) = (finished_at is not null)
  )
) with (fillfactor = 80)`,
    `create unique index deployments_position on deployments (position)`,
    `create unique index deployments_one_active on deployments (app) where status in ('building', 'deploying')`,
    `create unique index deployments_one_queued on deployments (app) where status = 'queued'`,
    `create index deployments_queue on deployments (tenant, position) where status = 'queued'`,
    `create index deployments_of_app on deployments (app, position)`,
    `create unique index deployments_of_release on deployments (release) where release is not null`,
    `create unique index deployments_in_slot on deployments (tenant, slot) where slot is not null`,
    `alter table slots add constraint slots_deployment_fkey foreign key (deployment) references deployments (id)`,
    `alter table releases add constraint releases_deployment_fkey foreign key (deployment) references deployments (id)`,

    `create table deployment_history (
  deployment text not null references deployments (id),
  position bigint generated always as identity,
  status text not null,
  fence bigint,
  at timestamptz not null default clock_timestamp(),
  primary key (deployment, position)
)`,

    `create table envs (
  app text primary key references apps (id),
  revision integer not null check (revision >= 1),
  sealed bytea not null,
  bytes integer not null check (bytes between 2 and 65536)
)`,
    `create table env_revisions (
  app text not null references apps (id),
  revision integer not null check (revision >= 1),
  sealed_change bytea not null,
  actor text not null,
  keys_set text[] not null,
  keys_deleted text[] not null,
  total integer not null check (total >= 0),
  at timestamptz not null,
  primary key (app, revision)
)`,

    `create table intents (
  name text primary key,
  position bigint generated always as identity,
  app text not null,
  deployment text not null references deployments (id),
  fence bigint not null check (fence >= 1),
  replica text not null,
  workload jsonb,
  created_at timestamptz not null default clock_timestamp(),
  confirmed_at timestamptz,
  released_at timestamptz,
  constraint intents_confirmed check ((workload is null) = (confirmed_at is null))
)`,
    `create index intents_of_deployment on intents (deployment)`,
    `create index intents_open on intents (position) where released_at is null`,
    `create index intents_open_of_app on intents (app, position) where released_at is null`,

    `create table logs (
  name text primary key check (name ~ '^(deployment|workload)/dep_[a-z0-9]{1,64}$'),
  lines bigint not null default 0 check (lines >= 0),
  bytes bigint not null default 0 check (bytes >= 0),
  truncated boolean not null default false,
  ended boolean not null default false
) with (fillfactor = 50)`,
    `create table log_lines (
  log text not null,
  seq bigint not null check (seq >= 1),
  at timestamptz not null,
  stream text not null,
  line text not null,
  primary key (log, seq)
)`,

    `create table events (
  xid xid8 not null default pg_current_xact_id(),
  id bigint generated always as identity,
  type text not null,
  at timestamptz not null default clock_timestamp(),
  tenant text not null,
  app text not null,
  subject text not null,
  data jsonb not null default '{}',
  primary key (xid, id)
)`,
    `create index events_of_tenant on events (tenant, xid, id)`,

    `create table leases (
  name text primary key,
  replica text,
  fence bigint not null check (fence >= 1),
  until timestamptz not null
) with (fillfactor = 50)`,

    `create table routes (
  app text primary key,
  host_port integer not null check (host_port between 1 and 65535),
  fence bigint not null check (fence >= 0),
  address_host text,
  address_port integer check (address_port between 1 and 65535),
  version bigint not null unique,
  progress text not null,
  constraint routes_address check ((address_host is null) = (address_port is null))
)`,

    `create table counters (name text primary key, value bigint not null)`,
    `insert into counters (name, value) values ('host_ports', 0), ('route_versions', 0)`
  ]
} as const
