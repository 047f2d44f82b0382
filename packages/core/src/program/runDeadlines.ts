// How long a Run may take to be made and to be removed. How long a step and a health check may take its Topology says.
import { Context, Duration } from "effect"

/**
 * All limits. `provisioning` counts from when the Run is taken in hand until all its nodes are ready, `fetch` and `build` are
 * those of one node's Source. Removing is tried `removalTries` times, each for `removal`, before it is left to the Reaper.
 */
export interface RunLimits {
  readonly provisioning: Duration.Duration
  readonly fetch: Duration.Duration
  readonly build: Duration.Duration
  readonly removal: Duration.Duration
  readonly removalTries: number
}

/** What the limits are where nobody gave others. */
export const defaultRunLimits: RunLimits = {
  provisioning: Duration.minutes(30),
  fetch: Duration.minutes(10),
  build: Duration.minutes(20),
  removal: Duration.minutes(2),
  removalTries: 3
}

/** The limits of the Runs that are carried out with it in their context, such as by a Dispatcher. */
export const RunDeadlines: Context.Reference<RunLimits> = Context.Reference<RunLimits>(
  "@lockkeeper/core/program/RunDeadlines",
  { defaultValue: () => defaultRunLimits }
)
