-- The schema of Lockkeeper, as the migrations leave it. Written by test/schema.test.ts with UPDATE_SCHEMA=1.

create domain apps_env_bytes as integer constraint apps_env_bytes_check CHECK (VALUE >= 2 AND VALUE <= 65536);
create domain apps_env_revision as integer constraint apps_env_revision_check CHECK (VALUE >= 0);
create domain apps_host_port as integer constraint apps_host_port_check CHECK (VALUE >= 1 AND VALUE <= 65535);
create domain apps_id as text constraint apps_id_check CHECK (VALUE ~ '^app_[a-z0-9]{1,64}$'::text);
create domain apps_last_fence as bigint constraint apps_last_fence_check CHECK (VALUE >= 0);
create domain apps_name as text constraint apps_name_check CHECK (VALUE ~ '^[a-z][a-z0-9-]{0,62}$'::text);
create domain apps_port as integer constraint apps_port_check CHECK (VALUE >= 1 AND VALUE <= 65535);
create domain apps_pre_deploy as jsonb constraint apps_pre_deploy_check CHECK (jsonb_typeof(VALUE) = 'array'::text);
create domain apps_status as text constraint apps_status_check CHECK (VALUE = ANY (ARRAY['live'::text, 'stopped'::text, 'expired'::text, 'deleting'::text, 'deleted'::text]));
create domain env_changes_first as integer constraint env_changes_first_check CHECK (VALUE >= 1);
create domain events_count as integer constraint events_count_check CHECK (VALUE >= 1 AND VALUE <= 256);

create table apps (
  id apps_id not null default ('app_'::text || replace((gen_random_uuid())::text, '-'::text, ''::text)),
  position bigint generated always as identity not null,
  tenant text not null,
  name apps_name not null,
  status apps_status not null,
  source jsonb,
  source_secret bytea,
  policy text,
  health_check jsonb not null,
  host_port apps_host_port not null,
  last_fence apps_last_fence not null default 0,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  port apps_port,
  env_revision apps_env_revision not null default 0,
  env_bytes apps_env_bytes not null default 2,
  expires_at timestamp with time zone,
  pre_deploy apps_pre_deploy,
  settled boolean not null default true,
  constraint apps_secret_of_git CHECK (source_secret IS NULL OR NOT (source ->> 'type'::text) IS DISTINCT FROM 'git'::text),
  constraint apps_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenants(name),
  constraint apps_pkey PRIMARY KEY (id),
  constraint apps_id_tenant_key UNIQUE (id, tenant)
) with (fillfactor=70);
CREATE INDEX apps_age ON apps USING btree (updated_at) WHERE ((status)::text = 'deleted'::text);
CREATE INDEX apps_ending ON apps USING btree (id) WHERE (NOT settled);
CREATE INDEX apps_expiring ON apps USING btree (expires_at) WHERE (((status)::text = ANY (ARRAY['live'::text, 'stopped'::text])) AND (expires_at IS NOT NULL));
CREATE INDEX apps_of_tenant ON apps USING btree (tenant, "position");
CREATE UNIQUE INDEX apps_one_name ON apps USING btree (tenant, name) WHERE ((status)::text <> 'deleted'::text);
CREATE UNIQUE INDEX apps_one_port ON apps USING btree (host_port) WHERE ((status)::text <> 'deleted'::text);
CREATE UNIQUE INDEX apps_position ON apps USING btree ("position");

create table counters (
  name text not null,
  value bigint not null,
  constraint counters_pkey PRIMARY KEY (name)
);

create table deployment_history (
  deployment text not null,
  position bigint generated always as identity not null,
  status text not null,
  fence bigint,
  at timestamp with time zone not null default clock_timestamp(),
  constraint deployment_history_deployment_fkey FOREIGN KEY (deployment) REFERENCES deployments(id),
  constraint deployment_history_pkey PRIMARY KEY (deployment, "position")
);

create table deployments (
  id text not null,
  position bigint generated always as identity not null,
  app text not null,
  tenant text not null,
  number integer not null,
  status text not null,
  trigger_kind text not null,
  delivery_id text,
  policy text not null,
  source jsonb not null,
  source_secret bytea,
  commit text,
  image text,
  env_revision integer not null,
  release text,
  error_code text,
  error_detail text,
  fence bigint,
  replica text,
  lease_until timestamp with time zone,
  slot integer,
  activated_at timestamp with time zone,
  created_at timestamp with time zone not null,
  started_at timestamp with time zone,
  finished_at timestamp with time zone,
  stop_as text,
  stop_requested_at timestamp with time zone,
  of_release text,
  constraint deployments_built CHECK (status <> 'deploying'::text OR image IS NOT NULL),
  constraint deployments_env_revision_check CHECK (env_revision >= 0),
  constraint deployments_failed CHECK ((status = 'failed'::text) = (error_code IS NOT NULL) AND (error_code IS NULL) = (error_detail IS NULL)),
  constraint deployments_fence_check CHECK (fence >= 1),
  constraint deployments_finished CHECK ((status = ANY (ARRAY['healthy'::text, 'failed'::text, 'cancelled'::text, 'superseded'::text])) = (finished_at IS NOT NULL)),
  constraint deployments_healthy CHECK (status <> 'healthy'::text OR image IS NOT NULL AND activated_at IS NOT NULL AND fence IS NOT NULL),
  constraint deployments_held CHECK ((status <> ALL (ARRAY['building'::text, 'deploying'::text])) OR fence IS NOT NULL AND replica IS NOT NULL AND started_at IS NOT NULL),
  constraint deployments_id_check CHECK (id ~ '^dep_[a-z0-9]{1,64}$'::text),
  constraint deployments_lease CHECK ((status = ANY (ARRAY['building'::text, 'deploying'::text])) = (lease_until IS NOT NULL)),
  constraint deployments_number_check CHECK (number >= 1),
  constraint deployments_release CHECK ((status = 'healthy'::text) = (release IS NOT NULL)),
  constraint deployments_secret_of_git CHECK (source_secret IS NULL OR NOT (source ->> 'type'::text) IS DISTINCT FROM 'git'::text),
  constraint deployments_slot CHECK ((status = ANY (ARRAY['building'::text, 'deploying'::text])) = (slot IS NOT NULL)),
  constraint deployments_status_check CHECK (status = ANY (ARRAY['queued'::text, 'building'::text, 'deploying'::text, 'healthy'::text, 'failed'::text, 'cancelled'::text, 'superseded'::text])),
  constraint deployments_stop CHECK ((stop_as IS NULL) = (stop_requested_at IS NULL)),
  constraint deployments_stop_as_check CHECK (stop_as = ANY (ARRAY['cancelled'::text, 'superseded'::text])),
  constraint deployments_stopped CHECK (stop_as IS NULL OR status <> 'healthy'::text),
  constraint deployments_app_tenant_fkey FOREIGN KEY (app, tenant) REFERENCES apps(id, tenant),
  constraint deployments_of_release_fkey FOREIGN KEY (of_release) REFERENCES releases(id),
  constraint deployments_release_fkey FOREIGN KEY (release) REFERENCES releases(id),
  constraint deployments_slot_fkey FOREIGN KEY (tenant, slot, id) REFERENCES slots(tenant, number, deployment),
  constraint deployments_pkey PRIMARY KEY (id),
  constraint deployments_app_number_key UNIQUE (app, number),
  constraint deployments_one_delivery UNIQUE (app, delivery_id)
) with (fillfactor=80);
CREATE INDEX deployments_age ON deployments USING btree (finished_at) WHERE (status = ANY (ARRAY['failed'::text, 'cancelled'::text, 'superseded'::text]));
CREATE INDEX deployments_from_release ON deployments USING btree (of_release) WHERE (of_release IS NOT NULL);
CREATE UNIQUE INDEX deployments_in_slot ON deployments USING btree (tenant, slot) WHERE (slot IS NOT NULL);
CREATE INDEX deployments_of_app ON deployments USING btree (app, "position");
CREATE INDEX deployments_of_image ON deployments USING btree (image) WHERE ((status = ANY (ARRAY['queued'::text, 'building'::text, 'deploying'::text])) AND (image IS NOT NULL));
CREATE UNIQUE INDEX deployments_of_release ON deployments USING btree (release) WHERE (release IS NOT NULL);
CREATE UNIQUE INDEX deployments_one_active ON deployments USING btree (app) WHERE (status = ANY (ARRAY['building'::text, 'deploying'::text]));
CREATE UNIQUE INDEX deployments_one_queued ON deployments USING btree (app) WHERE (status = 'queued'::text);
CREATE UNIQUE INDEX deployments_position ON deployments USING btree ("position");
CREATE INDEX deployments_queue ON deployments USING btree (tenant, "position") WHERE (status = 'queued'::text);

create table env_changes (
  app text not null,
  first env_changes_first not null,
  last integer not null,
  operation uuid not null,
  sealed bytea,
  history jsonb not null,
  at timestamp with time zone not null,
  constraint env_changes_one_entry_each CHECK (jsonb_array_length(history) = (last - first::integer + 1)),
  constraint env_changes_app_fkey FOREIGN KEY (app) REFERENCES apps(id),
  constraint env_changes_pkey PRIMARY KEY (app, first)
);

create table env_snapshots (
  app text not null,
  revision integer not null,
  sealed bytea not null,
  constraint env_snapshots_revision_check CHECK (revision >= 1),
  constraint env_snapshots_app_fkey FOREIGN KEY (app) REFERENCES apps(id),
  constraint env_snapshots_pkey PRIMARY KEY (app, revision)
);

create table events (
  xid xid8 not null default pg_current_xact_id(),
  id bigint generated always as identity not null,
  type text not null,
  at timestamp with time zone not null default clock_timestamp(),
  tenant text not null,
  app text,
  subject text not null,
  data jsonb not null default '{}'::jsonb,
  count events_count not null default 1,
  constraint events_pkey PRIMARY KEY (xid, id)
);
CREATE INDEX events_of_tenant ON events USING btree (tenant, xid, id);

create table free_subnets (
  prefix smallint not null,
  net cidr not null,
  reusable_at timestamp with time zone,
  constraint free_subnets_net_check CHECK (family(net::inet) = 4),
  constraint free_subnets_prefix CHECK (masklen(net::inet) = prefix),
  constraint free_subnets_pkey PRIMARY KEY (prefix, net)
);
CREATE INDEX free_subnets_rest ON free_subnets USING gist (net inet_ops) WHERE (reusable_at IS NOT NULL);

create table idempotency_keys (
  key text not null,
  reservation text not null,
  fingerprint text not null,
  lease_until timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  sealed bytea,
  constraint idempotency_keys_fingerprint_check CHECK (fingerprint ~ '^[0-9a-f]{64}$'::text),
  constraint idempotency_keys_key_check CHECK (key ~ '^[0-9a-f]{64}$'::text),
  constraint idempotency_keys_lease CHECK (lease_until <= expires_at),
  constraint idempotency_keys_reservation_check CHECK (reservation ~ '^[0-9a-f-]{16,64}$'::text),
  constraint idempotency_keys_pkey PRIMARY KEY (key)
) with (fillfactor=80);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys USING btree (expires_at);

create table installation (
  single boolean not null default true,
  id text not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint installation_id_check CHECK (id ~ '^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$'::text),
  constraint installation_single_check CHECK (single),
  constraint installation_pkey PRIMARY KEY (single)
);

create table intents (
  name text not null,
  position bigint generated always as identity not null,
  app text not null,
  deployment text,
  fence bigint not null,
  replica text not null,
  workload jsonb,
  created_at timestamp with time zone not null default clock_timestamp(),
  confirmed_at timestamp with time zone,
  released_at timestamp with time zone,
  job text,
  constraint intents_confirmed CHECK ((workload IS NULL) = (confirmed_at IS NULL)),
  constraint intents_fence_check CHECK (fence >= 1),
  constraint intents_one_owner CHECK (num_nonnulls(deployment, job) = 1),
  constraint intents_deployment_fkey FOREIGN KEY (deployment) REFERENCES deployments(id),
  constraint intents_job_fkey FOREIGN KEY (job) REFERENCES jobs(id),
  constraint intents_pkey PRIMARY KEY (name)
);
CREATE INDEX intents_age ON intents USING btree (released_at) WHERE (released_at IS NOT NULL);
CREATE INDEX intents_of_deployment ON intents USING btree (deployment);
CREATE INDEX intents_of_job ON intents USING btree (job) WHERE (job IS NOT NULL);
CREATE INDEX intents_open ON intents USING btree ("position") WHERE (released_at IS NULL);
CREATE INDEX intents_open_of_app ON intents USING btree (app, "position") WHERE (released_at IS NULL);

create table job_items (
  job text not null,
  number integer not null,
  item text not null,
  status text not null default 'pending'::text,
  exit_code integer,
  result text,
  finished_at timestamp with time zone,
  constraint job_items_finished CHECK ((status = 'pending'::text) = (finished_at IS NULL)),
  constraint job_items_number_check CHECK (number >= 1),
  constraint job_items_status_check CHECK (status = ANY (ARRAY['pending'::text, 'done'::text, 'failed'::text])),
  constraint job_items_job_fkey FOREIGN KEY (job) REFERENCES jobs(id),
  constraint job_items_pkey PRIMARY KEY (job, number)
);
CREATE INDEX job_items_pending ON job_items USING btree (job, number) WHERE (status = 'pending'::text);

create table jobs (
  id text not null default ('job_'::text || replace((gen_random_uuid())::text, '-'::text, ''::text)),
  listed bigint generated always as identity not null,
  position bigint not null default nextval('deployments_position_seq'::regclass),
  tenant text not null,
  app text,
  kind text not null,
  key text,
  status text not null,
  attempt integer not null default 1,
  command jsonb,
  timeout_seconds integer not null,
  item_concurrency integer not null,
  on_item_failure text not null,
  on_full text not null,
  release text,
  image text,
  env_revision integer,
  items_total integer not null default 0,
  items_done integer not null default 0,
  items_failed integer not null default 0,
  exit_code integer,
  recoveries integer not null default 0,
  fence bigint not null default 0,
  replica text,
  lease_until timestamp with time zone,
  slot integer,
  stop_requested_at timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  started_at timestamp with time zone,
  finished_at timestamp with time zone,
  ttl_seconds integer,
  constraint jobs_all_done CHECK (status <> 'succeeded'::text OR items_done = items_total),
  constraint jobs_attempt_check CHECK (attempt >= 1),
  constraint jobs_command_check CHECK (jsonb_typeof(command) = 'array'::text),
  constraint jobs_env_revision_check CHECK (env_revision >= 0),
  constraint jobs_fence_check CHECK (fence >= 0),
  constraint jobs_finished CHECK ((status = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])) = (finished_at IS NOT NULL)),
  constraint jobs_held CHECK (status <> 'running'::text OR fence >= 1 AND replica IS NOT NULL AND started_at IS NOT NULL),
  constraint jobs_id_check CHECK (id ~ '^job_[a-z0-9]{1,64}$'::text),
  constraint jobs_in_app CHECK (command IS NULL OR app IS NOT NULL AND release IS NOT NULL),
  constraint jobs_item_concurrency_check CHECK (item_concurrency >= 1),
  constraint jobs_items CHECK ((items_done + items_failed) <= items_total),
  constraint jobs_items_done_check CHECK (items_done >= 0),
  constraint jobs_items_failed_check CHECK (items_failed >= 0),
  constraint jobs_items_total_check CHECK (items_total >= 0),
  constraint jobs_kind_check CHECK (kind = ANY (ARRAY['command'::text, 'batch'::text, 'slot'::text])),
  constraint jobs_lease CHECK (
CASE status
    WHEN 'running'::text THEN lease_until IS NOT NULL
    WHEN 'queued'::text THEN (command IS NULL) = (lease_until IS NOT NULL)
    ELSE lease_until IS NULL
END),
  constraint jobs_of_release CHECK (num_nonnulls(release, image, env_revision) = ANY (ARRAY[0, 3])),
  constraint jobs_on_full_check CHECK (on_full = ANY (ARRAY['reject'::text, 'queue'::text])),
  constraint jobs_on_item_failure_check CHECK (on_item_failure = ANY (ARRAY['continue'::text, 'stop'::text])),
  constraint jobs_recoveries_check CHECK (recoveries >= 0),
  constraint jobs_slot CHECK ((status = 'running'::text) = (slot IS NOT NULL)),
  constraint jobs_status_check CHECK (status = ANY (ARRAY['queued'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text])),
  constraint jobs_timeout_seconds_check CHECK (timeout_seconds >= 1),
  constraint jobs_ttl_seconds_check CHECK (ttl_seconds >= 0),
  constraint jobs_app_tenant_fkey FOREIGN KEY (app, tenant) REFERENCES apps(id, tenant),
  constraint jobs_release_fkey FOREIGN KEY (release) REFERENCES releases(id),
  constraint jobs_slot_fkey FOREIGN KEY (tenant, slot, id) REFERENCES slots(tenant, number, job),
  constraint jobs_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenants(name),
  constraint jobs_pkey PRIMARY KEY (id),
  constraint jobs_one_key UNIQUE (tenant, key)
) with (fillfactor=80);
CREATE INDEX jobs_age ON jobs USING btree (finished_at) WHERE ((finished_at IS NOT NULL) AND (ttl_seconds IS NULL) AND ((status = 'succeeded'::text) OR (kind <> 'batch'::text)));
CREATE INDEX jobs_age_by_ttl ON jobs USING btree (finished_at) WHERE ((finished_at IS NOT NULL) AND (ttl_seconds IS NOT NULL));
CREATE UNIQUE INDEX jobs_in_slot ON jobs USING btree (tenant, slot) WHERE (slot IS NOT NULL);
CREATE INDEX jobs_leased ON jobs USING btree ("position") WHERE (lease_until IS NOT NULL);
CREATE UNIQUE INDEX jobs_listed ON jobs USING btree (listed);
CREATE INDEX jobs_of_app ON jobs USING btree (app, listed) WHERE (app IS NOT NULL);
CREATE INDEX jobs_of_image ON jobs USING btree (image) WHERE ((status = ANY (ARRAY['queued'::text, 'running'::text])) AND (image IS NOT NULL));
CREATE INDEX jobs_of_tenant ON jobs USING btree (tenant, listed);
CREATE INDEX jobs_queue ON jobs USING btree (tenant, "position") WHERE (status = 'queued'::text);

create table leases (
  name text not null,
  replica text,
  fence bigint not null,
  until timestamp with time zone not null,
  constraint leases_fence_check CHECK (fence >= 1),
  constraint leases_pkey PRIMARY KEY (name)
) with (fillfactor=50);

create table lockkeeper_migrations (
  id integer not null,
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone not null default clock_timestamp(),
  constraint lockkeeper_migrations_pkey PRIMARY KEY (id)
);

create table log_chunks (
  log text not null,
  first bigint not null,
  last bigint not null,
  at timestamp with time zone not null,
  output_from timestamp with time zone,
  output_until timestamp with time zone,
  packed bytea not null,
  constraint log_chunks_first_check CHECK (first >= 1),
  constraint log_chunks_output CHECK ((output_from IS NULL) = (output_until IS NULL)),
  constraint log_chunks_range CHECK (last >= first),
  constraint log_chunks_pkey PRIMARY KEY (log, first)
);
CREATE INDEX log_chunks_age ON log_chunks USING btree (at);

create table logs (
  name text not null,
  lines bigint not null default 0,
  bytes bigint not null default 0,
  truncated boolean not null default false,
  ended boolean not null default false,
  writers jsonb not null default '{}'::jsonb,
  swept bigint not null default 0,
  constraint logs_bytes_check CHECK (bytes >= 0),
  constraint logs_lines_check CHECK (lines >= 0),
  constraint logs_name_check CHECK (name ~ '^((deployment|workload)/dep_|job/job_|run/run_)[a-z0-9]{1,64}$'::text),
  constraint logs_swept CHECK (swept >= 0 AND swept <= lines),
  constraint logs_pkey PRIMARY KEY (name)
) with (fillfactor=50);

create table releases (
  id text not null default ('rel_'::text || replace((gen_random_uuid())::text, '-'::text, ''::text)),
  app text not null,
  number integer not null,
  image text not null,
  env_revision integer not null,
  commit text,
  deployment text not null,
  created_at timestamp with time zone not null,
  current boolean not null,
  constraint releases_env_revision_check CHECK (env_revision >= 0),
  constraint releases_id_check CHECK (id ~ '^rel_[a-z0-9]{1,64}$'::text),
  constraint releases_number_check CHECK (number >= 1),
  constraint releases_app_fkey FOREIGN KEY (app) REFERENCES apps(id),
  constraint releases_deployment_fkey FOREIGN KEY (deployment) REFERENCES deployments(id),
  constraint releases_pkey PRIMARY KEY (id),
  constraint releases_app_number_key UNIQUE (app, number),
  constraint releases_deployment_key UNIQUE (deployment)
);
CREATE INDEX releases_age ON releases USING btree (created_at);
CREATE INDEX releases_of_image ON releases USING btree (image);
CREATE UNIQUE INDEX releases_one_current ON releases USING btree (app) WHERE current;

create table routes (
  app text not null,
  host_port integer not null,
  fence bigint not null,
  address_host text,
  address_port integer,
  version bigint not null,
  progress text not null,
  constraint routes_address CHECK ((address_host IS NULL) = (address_port IS NULL)),
  constraint routes_address_port_check CHECK (address_port >= 1 AND address_port <= 65535),
  constraint routes_fence_check CHECK (fence >= 0),
  constraint routes_host_port_check CHECK (host_port >= 1 AND host_port <= 65535),
  constraint routes_pkey PRIMARY KEY (app),
  constraint routes_version_key UNIQUE (version)
);

create table runs (
  id text not null,
  position bigint generated always as identity not null,
  job text not null,
  tenant text not null,
  fence bigint not null,
  name text not null,
  target text not null,
  status text not null,
  topology jsonb not null,
  secrets bytea,
  credentials bytea,
  plan jsonb,
  nodes jsonb not null,
  steps jsonb not null default '{}'::jsonb,
  subnet cidr,
  subnet_pool text,
  subnet_owner text,
  subnet_fence bigint,
  outcome text,
  verdict text,
  error_code text,
  error_detail text,
  error_node text,
  cleanup text not null,
  keep_until timestamp with time zone,
  cancel_requested_at timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  started_at timestamp with time zone,
  finished_at timestamp with time zone,
  constraint runs_as_decided CHECK ((status <> ALL (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])) OR NOT status IS DISTINCT FROM outcome),
  constraint runs_cleanup CHECK (
CASE
    WHEN finished_at IS NULL THEN cleanup <> 'done'::text
    ELSE cleanup <> 'none'::text
END),
  constraint runs_cleanup_check CHECK (cleanup = ANY (ARRAY['none'::text, 'pending'::text, 'done'::text])),
  constraint runs_decided CHECK (outcome IS NOT NULL OR num_nonnulls(verdict, error_code) = 0),
  constraint runs_erased CHECK (finished_at IS NULL OR num_nonnulls(secrets, credentials) = 0),
  constraint runs_error CHECK ((error_code IS NULL) = (error_detail IS NULL) AND (error_node IS NULL OR error_code IS NOT NULL)),
  constraint runs_fence_check CHECK (fence >= 1),
  constraint runs_finished CHECK ((status = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])) = (finished_at IS NOT NULL)),
  constraint runs_id_check CHECK (id ~ '^run_[a-z0-9]{1,64}$'::text),
  constraint runs_kept CHECK ((status = ANY (ARRAY['provisioning'::text, 'running'::text])) OR keep_until IS NULL),
  constraint runs_name_check CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'::text),
  constraint runs_network CHECK (num_nonnulls(subnet, subnet_pool, subnet_owner, subnet_fence) = ANY (ARRAY[0, 4])),
  constraint runs_nodes_check CHECK (jsonb_typeof(nodes) = 'object'::text),
  constraint runs_outcome_check CHECK (outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])),
  constraint runs_status_check CHECK (status = ANY (ARRAY['provisioning'::text, 'running'::text, 'teardown'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text])),
  constraint runs_steps_check CHECK (jsonb_typeof(steps) = 'object'::text),
  constraint runs_subnet_check CHECK (family(subnet::inet) = 4),
  constraint runs_target_check CHECK (target ~ '^[a-z][a-z0-9-]{0,62}$'::text),
  constraint runs_topology_check CHECK (jsonb_typeof(topology -> 'nodes'::text) = 'array'::text),
  constraint runs_verdict_check CHECK (verdict = ANY (ARRAY['pass'::text, 'fail'::text, 'inconclusive'::text])),
  constraint runs_job_fkey FOREIGN KEY (job) REFERENCES jobs(id),
  constraint runs_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenants(name),
  constraint runs_pkey PRIMARY KEY (id),
  constraint runs_one_of_job UNIQUE (job)
) with (fillfactor=80);
CREATE INDEX runs_age ON runs USING btree (finished_at) WHERE ((finished_at IS NOT NULL) AND (cleanup = 'done'::text));
CREATE INDEX runs_of_tenant ON runs USING btree (tenant, "position");
CREATE UNIQUE INDEX runs_position ON runs USING btree ("position");
CREATE INDEX runs_uncleaned ON runs USING btree (finished_at) WHERE ((finished_at IS NOT NULL) AND (cleanup = 'pending'::text));

create table slots (
  tenant text not null,
  number integer not null,
  deployment text,
  fence bigint not null,
  job text,
  constraint slots_fence_check CHECK (fence >= 1),
  constraint slots_number_check CHECK (number >= 1 AND number <= 10000),
  constraint slots_one_holder CHECK (num_nonnulls(deployment, job) = 1),
  constraint slots_deployment_fkey FOREIGN KEY (deployment) REFERENCES deployments(id),
  constraint slots_job_fkey FOREIGN KEY (job) REFERENCES jobs(id),
  constraint slots_tenant_fkey FOREIGN KEY (tenant) REFERENCES tenants(name),
  constraint slots_pkey PRIMARY KEY (tenant, number),
  constraint slots_deployment_key UNIQUE (deployment),
  constraint slots_job_key UNIQUE (job),
  constraint slots_of_deployment UNIQUE (tenant, number, deployment),
  constraint slots_of_job UNIQUE (tenant, number, job)
);

create table subnet_ranges (
  range cidr not null,
  prefix smallint not null,
  cut bigint not null default 0,
  constraint subnet_ranges_cut CHECK (cut >= 0 AND cut::double precision <= (2::double precision ^ (prefix - masklen(range::inet))::double precision)),
  constraint subnet_ranges_prefix CHECK (family(range::inet) = 4 AND prefix >= masklen(range::inet) AND prefix <= 32),
  constraint subnet_ranges_pkey PRIMARY KEY (range, prefix)
);

create table subnets (
  pool text not null,
  owner text not null,
  net cidr not null,
  fence bigint not null default nextval('subnets_fence_seq'::regclass),
  lease_until timestamp with time zone not null,
  clearing boolean not null default false,
  constraint subnets_fence_check CHECK (fence >= 1),
  constraint subnets_net_check CHECK (family(net::inet) = 4),
  constraint subnets_owner_check CHECK (owner ~ '^[!-~]{1,200}$'::text),
  constraint subnets_pool_check CHECK (pool ~ '^[a-z0-9_-]{1,64}$'::text),
  constraint subnets_pkey PRIMARY KEY (pool, owner),
  constraint subnets_disjoint EXCLUDE USING gist (net inet_ops WITH &&)
) with (fillfactor=80);

create table subscriptions (
  name text not null,
  xid xid8 not null,
  row bigint not null,
  fence bigint not null,
  told_at timestamp with time zone not null default clock_timestamp(),
  constraint subscriptions_fence_check CHECK (fence >= 0),
  constraint subscriptions_name_check CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'::text),
  constraint subscriptions_row_check CHECK ("row" >= 0),
  constraint subscriptions_pkey PRIMARY KEY (name)
) with (fillfactor=50);

create table tenants (
  name text not null,
  job_cap integer default 3,
  created_at timestamp with time zone not null default clock_timestamp(),
  served bigint not null default 0,
  constraint tenants_job_cap_check CHECK (job_cap >= 0 AND job_cap <= 10000),
  constraint tenants_name_check CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'::text),
  constraint tenants_served_check CHECK (served >= 0),
  constraint tenants_pkey PRIMARY KEY (name)
) with (fillfactor=80);

-- function first_revision_needed(text)

-- function hold_apps()

-- function hold_deployments()

-- function hold_env_1(text,integer,text)

-- function hold_env_changes()

-- function hold_env_changes_changed()

-- function hold_env_snapshots()

-- function hold_intents()

-- function hold_job_items()

-- function hold_job_items_changed()

-- function hold_jobs()

-- function hold_releases()

-- function hold_runs()

-- function is_held(jobs)

-- function jobs_transitions()

-- function runs_transitions()

-- function slots_within_cap()

-- function whole_revision_needed(text)

-- trigger hold_apps

-- trigger hold_deployments

-- trigger hold_env_changes

-- trigger hold_env_changes_changed

-- trigger hold_env_snapshots

-- trigger hold_intents

-- trigger hold_job_items

-- trigger hold_job_items_changed

-- trigger hold_jobs

-- trigger hold_releases

-- trigger hold_runs

-- trigger jobs_transitions

-- trigger runs_transitions

-- trigger slots_within_cap
