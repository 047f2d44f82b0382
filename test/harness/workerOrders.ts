// What a process of historyWorker.ts is told.

import { AppId, DeploymentId } from "@lockkeeper/core/domain/App"
import { Redacted, Schema } from "effect"

/** As JSON in the variable `WORKER`. Histories are written to `<file>.env` and `<file>.status`. */
export const WorkerOrders = Schema.Struct({
  name: Schema.String,
  seed: Schema.String,
  file: Schema.String,
  apps: Schema.NonEmptyArray(AppId),
  deployments: Schema.NonEmptyArray(DeploymentId),
  leaseMillis: Schema.Int,
  /** The longest pause between two operations. */
  pauseMillis: Schema.Int,
  /** Whether its stores have no locks and no fences, to see that this is noticed. */
  isBroken: Schema.Boolean
})

/** The type of {@link WorkerOrders}. */
export type WorkerOrders = typeof WorkerOrders.Type

/** The key under which all of them seal. */
export const workerKey = Redacted.make(new Uint8Array(32))
