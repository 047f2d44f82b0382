// Everything that is listed, in the order of the report.

import type { Listed } from "./Guard.ts"
import { adapters } from "./lists/adapters.ts"
import { appLife } from "./lists/appLife.ts"
import { columnChecks } from "./lists/columnChecks.ts"
import { coreMemory } from "./lists/coreMemory.ts"
import { corePrograms } from "./lists/corePrograms.ts"
import { docker } from "./lists/docker.ts"
import { heldRuns } from "./lists/heldRuns.ts"
import { hints } from "./lists/hints.ts"
import { joined } from "./lists/listing.ts"
import { jobPrograms } from "./lists/jobPrograms.ts"
import { idempotency } from "./lists/idempotency.ts"
import { jobSchema } from "./lists/jobSchema.ts"
import { logs } from "./lists/logs.ts"
import { memoryJobs } from "./lists/memoryJobs.ts"
import { postgresAdmission } from "./lists/postgresAdmission.ts"
import { postgresEndings } from "./lists/postgresEndings.ts"
import { postgresEnvs } from "./lists/postgresEnvs.ts"
import { postgresMigrations } from "./lists/postgresMigrations.ts"
import { postgresJobs } from "./lists/postgresJobs.ts"
import { postgresJournal } from "./lists/postgresJournal.ts"
import { postgresRoutes } from "./lists/postgresRoutes.ts"
import { postgresSchema } from "./lists/postgresSchema.ts"
import { postgresJobsTogether } from "./lists/postgresJobsTogether.ts"
import { postgresSlots } from "./lists/postgresSlots.ts"
import { postgresStores } from "./lists/postgresStores.ts"
import { runPrograms } from "./lists/runPrograms.ts"
import { providerGuards } from "./lists/providers.ts"
import { retention } from "./lists/retention.ts"
import { runSchema } from "./lists/runSchema.ts"
import { runs } from "./lists/runs.ts"
import { standing } from "./lists/standing.ts"
import { subnets } from "./lists/subnets.ts"
import { subscriptions } from "./lists/subscriptions.ts"

/** What is said of every guard. */
export const listed: Listed = joined([
  postgresEndings,
  postgresAdmission,
  postgresStores,
  postgresJournal,
  appLife,
  standing,
  postgresEnvs,
  postgresMigrations,
  postgresRoutes,
  postgresSchema,
  columnChecks,
  postgresJobs,
  postgresJobsTogether,
  postgresSlots,
  jobSchema,
  idempotency,
  runs,
  heldRuns,
  runSchema,
  subnets,
  subscriptions,
  logs,
  hints,
  corePrograms,
  jobPrograms,
  coreMemory,
  memoryJobs,
  providerGuards,
  runPrograms,
  retention,
  adapters,
  docker
])
