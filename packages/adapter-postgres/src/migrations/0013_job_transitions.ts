// Which status of a Job may follow which is the table's own rule, as core's `jobTransitions` says it: nothing that has ended
// comes back but as one attempt more.

import type { Migration } from "../PostgresMigrations.ts"

/** The transitions of Jobs. */
export const jobTransitions: Migration = {
  id: 13,
  name: "job_transitions",
  statements: [
    `create function jobs_transitions() returns trigger language plpgsql as $$
begin
  if not (case old.status
    when 'queued' then new.status in ('running', 'cancelled')
    when 'running' then new.status in ('queued', 'succeeded', 'failed', 'cancelled')
    when 'succeeded' then false
    else new.status in ('queued', 'running') and new.attempt = old.attempt + 1
  end) then
    raise check_violation using message = format('a job that was %s does not become %s', old.status, new.status),
      table = 'jobs', constraint = 'jobs_transitions';
  end if;
  return new;
end $$`,
    `create trigger jobs_transitions before update of status on jobs
  for each row when (old.status <> new.status) execute function jobs_transitions()`
  ]
}
