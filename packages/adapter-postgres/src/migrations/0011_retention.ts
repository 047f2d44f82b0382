// What sweeps need, and what the database holds against them: a row that something still relies on is not deleted, whatever
// a statement says. Which class each table belongs to is in ../internal/retentionClasses.ts.

import type { Migration } from "../PostgresMigrations.ts"

/** A trigger that refuses each deletion (or other change) of a row of which a condition is true. */
const holds = (
  table: string,
  what: string,
  condition: string,
  when: "delete" | "update" = "delete"
): ReadonlyArray<string> => {
  const name = `hold_${table}${when === "delete" ? "" : "_changed"}`
  return [
    `create function ${name}() returns trigger language plpgsql as $$
begin
  if ${condition} then
    raise restrict_violation using message = '${what}', table = '${table}', constraint = '${name}';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$`,
    `create trigger ${name} before ${when} on ${table} for each row execute function ${name}()`
  ]
}

const isDeleted = "exists (select from apps a where a.id = old.app and a.status = 'deleted')"

/** Ages, terms of Jobs, and holds. */
export const retention: Migration = {
  id: 11,
  name: "retention",
  statements: [
    `alter table logs add column swept bigint not null default 0,
  add constraint logs_swept check (swept between 0 and lines)`,
    `alter table jobs add column ttl_seconds integer constraint jobs_ttl_seconds_check check (ttl_seconds >= 0)`,
    `alter table subscriptions add column told_at timestamptz not null default clock_timestamp()`,

    `create index log_chunks_age on log_chunks (at)`,
    `create index intents_age on intents (released_at) where released_at is not null`,
    `create index jobs_age on jobs (finished_at)
  where finished_at is not null and ttl_seconds is null and (status = 'succeeded' or kind <> 'batch')`,
    `create index jobs_age_by_ttl on jobs (finished_at) where finished_at is not null and ttl_seconds is not null`,
    `create index deployments_age on deployments (finished_at) where status in ('failed', 'cancelled', 'superseded')`,
    `create index releases_age on releases (created_at)`,
    `create index apps_age on apps (updated_at) where status = 'deleted'`,

    // A Batch that has not succeeded can be run again, and goes on with what is left: for as long as its Job says.
    `create function is_held(held jobs) returns boolean language sql stable as $$
  select case
    when held.finished_at is null then true
    when held.status = 'succeeded' or held.kind <> 'batch' then false
    when held.ttl_seconds is not null then held.finished_at + held.ttl_seconds * interval '1 second' > now()
    else not exists (select from apps a where a.id = held.app and a.status = 'deleted')
  end
$$`,
    ...holds("jobs", "this job can still be carried on", "is_held(old)"),
    ...holds(
      "job_items",
      "the job of this item can still be carried on",
      "exists (select from jobs j where j.id = old.job and is_held(j))"
    ),
    ...holds("job_items", "what is done stays done", "old.status = 'done' and new is distinct from old", "update"),
    ...holds("intents", "what this intent made may still be there", "old.released_at is null"),
    ...holds("apps", "this app is not deleted", "old.status <> 'deleted'"),
    ...holds("releases", "this release serves", `old.current and not ${isDeleted}`),
    ...holds(
      "deployments",
      "this deployment has not ended, or its number or its fence is the last of its app",
      `old.status in ('queued', 'building', 'deploying') or (not ${isDeleted} and (
      not exists (select from deployments d where d.app = old.app and d.number > old.number)
      or (old.fence is not null and not exists (
        select from deployments d where d.app = old.app and d.finished_at is not null and d.fence > old.fence
      ))
    ))`
    ),

    // Revisions are read from the newest whole Env before them on. What is needed first says which one that is.
    `create function first_revision_needed(of_app text) returns integer language sql stable as $$
  select least(
    (select env_revision from apps where id = of_app),
    (select min(env_revision) from releases where app = of_app),
    (select min(env_revision) from deployments where app = of_app and status in ('queued', 'building', 'deploying'))
  )
$$`,
    `create function whole_revision_needed(of_app text) returns integer language sql stable as $$
  select coalesce(max(revision), 0) from env_snapshots
  where app = of_app and revision <= first_revision_needed(of_app)
$$`,
    ...holds(
      "env_snapshots",
      "a revision that is needed is read from this one on",
      `old.revision = whole_revision_needed(old.app) and not ${isDeleted}`
    ),
    ...holds(
      "env_changes",
      "a revision that is needed is read with this change",
      `old.last > whole_revision_needed(old.app) and not ${isDeleted}`
    ),
    ...holds(
      "env_changes",
      "a revision that is needed is read with this change",
      `new.sealed is null and old.sealed is not null and old.last > whole_revision_needed(old.app) and not ${isDeleted}`,
      "update"
    )
  ]
}
