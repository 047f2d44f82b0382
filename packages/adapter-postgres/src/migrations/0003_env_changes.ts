// Envs as what was changed, and not as what they are: a change costs what it says, however large the Env is. The Revision of
// an Env stands on its App's row, so that one locked row decides both its status and who is next.

import type { Migration } from "../PostgresMigrations.ts"

/** Changes of Envs, sealed, in the order of their Revisions, and now and then the whole Env. */
export const envChanges: Migration = {
  id: 3,
  name: "env_changes",
  statements: [
    `alter table apps
  add column env_revision integer not null default 0 check (env_revision >= 0),
  add column env_bytes integer not null default 2 check (env_bytes between 2 and 65536)`,
    `alter table apps set (fillfactor = 70)`,
    `update apps set env_revision = e.revision, env_bytes = e.bytes from envs e where e.app = apps.id`,

    `create table env_changes (
  app text not null references apps (id),
  first integer not null check (first >= 1),
  last integer not null,
  operation uuid not null,
  sealed bytea not null,
  history jsonb not null,
  at timestamptz not null,
  primary key (app, first),
  constraint env_changes_one_entry_each check (jsonb_array_length(history) = last - first + 1)
)`,
    `insert into env_changes (app, first, last, operation, sealed, history, at)
select app, revision, revision, gen_random_uuid(), sealed_change, jsonb_build_array(jsonb_build_object(
  'actor', actor, 'keysSet', to_jsonb(keys_set), 'keysDeleted', to_jsonb(keys_deleted), 'total', total)), at
from env_revisions`,

    `create table env_snapshots (
  app text not null references apps (id),
  revision integer not null check (revision >= 1),
  sealed bytea not null,
  primary key (app, revision)
)`,
    `insert into env_snapshots (app, revision, sealed) select app, revision, sealed from envs`,

    `drop table env_revisions`,
    `drop table envs`,

    // Holds an App's row until the transaction ends, and answers what was changed after a Revision, as of then: a statement
    // that reads what it waits for itself would see it as it was before the wait. It waits no longer than it is told.
    `create function hold_env_1(held text, known integer, lock_timeout text)
returns table (status text, revision integer, first integer, last integer, sealed bytea) language plpgsql as $$
begin
  perform set_config('lock_timeout', hold_env_1.lock_timeout, true), set_config('statement_timeout', '10s', true),
    set_config('idle_in_transaction_session_timeout', '10s', true);
  perform from apps a where a.id = held for no key update;
  return query select a.status, a.env_revision, c.first, c.last, c.sealed
    from apps a left join env_changes c on c.app = a.id and c.first > known where a.id = held order by c.first;
end $$`,

    // A row of many changes stands for their Events too: the next one has the next id, and the next Revision in its data.
    `alter table events add column count integer not null default 1 check (count between 1 and 256)`
  ]
}
