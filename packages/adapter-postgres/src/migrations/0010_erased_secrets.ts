// Secrets of deleted Apps are erased: of a change of an Env the names stay, and its values may be gone.

import type { Migration } from "../PostgresMigrations.ts"

/** Lets the values of a change be NULL, and erases what Apps have left that were deleted before. */
export const erasedSecrets: Migration = {
  id: 10,
  name: "erased_secrets",
  statements: [
    `alter table env_changes alter column sealed drop not null`,
    `update env_changes c set sealed = null from apps a where a.id = c.app and a.status = 'deleted'`,
    `delete from env_snapshots s using apps a where a.id = s.app and a.status = 'deleted'`,
    `update deployments d set source_secret = null from apps a
where a.id = d.app and a.status = 'deleted' and d.source_secret is not null`,
    `update apps set source_secret = null where status = 'deleted' and source_secret is not null`
  ]
}
