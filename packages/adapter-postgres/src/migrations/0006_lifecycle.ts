// How Deployments end early and begin from what was built before: a request to stop is on record from whoever asks it until
// the holder has carried it out, and whoever was asked to stop never becomes healthy.

import type { Migration } from "../PostgresMigrations.ts"

/** Requests to stop, and Deployments of an earlier Release. */
export const lifecycle: Migration = {
  id: 6,
  name: "lifecycle",
  statements: [
    `alter table deployments
  add column stop_as text check (stop_as in ('cancelled', 'superseded')),
  add column stop_requested_at timestamptz,
  add column of_release text references releases (id),
  add constraint deployments_stop check ((stop_as is null) = (stop_requested_at is null)),
  add constraint deployments_stopped check (stop_as is null or status <> 'healthy')`,
    `alter table logs add column writers jsonb not null default '{}'`,
    `create index deployments_from_release on deployments (of_release) where of_release is not null`,
    `alter table apps
  add column expires_at timestamptz,
  add column pre_deploy jsonb check (jsonb_typeof(pre_deploy) = 'array'),
  add column settled boolean not null default true`,
    `create index apps_expiring on apps (expires_at) where status in ('live', 'stopped') and expires_at is not null`,
    `create index releases_of_image on releases (image)`,
    `create index deployments_of_image on deployments (image)
  where status in ('queued', 'building', 'deploying') and image is not null`,
    `create index apps_ending on apps (id) where not settled`
  ]
}
