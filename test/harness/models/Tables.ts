// What a test does to the tables behind the stores: what only time does, and what no port does in one step.

import type { AppId, AppStatus, DeploymentId } from "@lockkeeper/core/domain/App"
import { Context, type Effect } from "effect"

/** The tables behind the stores of a run. */
export class Tables extends Context.Service<
  Tables,
  {
    /**
     * Moves an App to a status and does nothing else, so that its Deployments are asked nothing. One that is deleted stays
     * so: its secrets may be erased, and nothing reads what is left.
     */
    readonly setStatus: (app: AppId, status: AppStatus) => Effect.Effect<void>
    /** Lets the lease of a Deployment in progress run out now. */
    readonly lapse: (deployment: DeploymentId) => Effect.Effect<void>
    /** Empties them before a run. */
    readonly clear: Effect.Effect<void>
  }
>()("@lockkeeper/test/harness/models/Tables") {}
