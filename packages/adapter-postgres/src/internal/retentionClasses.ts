// Which class of Retention each table belongs to. One that is added belongs to one, or a test fails.

import type { RetentionKind } from "@lockkeeper/core/domain/Retention"

/** The tables of each class. */
export const tablesOf: { readonly [K in RetentionKind]: ReadonlyArray<string> } = {
  reservations: ["idempotency_keys"],
  subscriptions: ["subscriptions"],
  events: ["events"],
  logs: ["logs", "log_chunks"],
  intents: ["intents"],
  runs: ["runs"],
  jobs: ["jobs", "job_items"],
  deployments: ["deployments", "deployment_history"],
  releases: ["releases"],
  revisions: ["env_changes", "env_snapshots"],
  apps: ["apps", "routes"],
  slots: ["slots"],
  subnets: ["subnets", "free_subnets", "subnet_ranges"],
  tenants: ["tenants"],
  installation: ["installation", "lockkeeper_migrations", "leases", "counters"]
}
