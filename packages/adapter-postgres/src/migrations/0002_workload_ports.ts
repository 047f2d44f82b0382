// Where an App listens, for runtimes in which it does so at an address of its own.

import type { Migration } from "../PostgresMigrations.ts"

/** The port of an App; null where its image or its runtime decides it. */
export const workloadPorts: Migration = {
  id: 2,
  name: "workload_ports",
  statements: [`alter table apps add column port integer check (port between 1 and 65535)`]
}
