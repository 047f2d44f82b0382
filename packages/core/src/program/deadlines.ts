// How long a Deployment and each of its steps may take. A platform that knows its builds gives others.
import { Context, Duration } from "effect"

/** The steps that have a limit of their own; how long an App may take to be healthy its health check says. */
export interface StepDeadlines {
  readonly fetch: Duration.Duration
  readonly build: Duration.Duration
  readonly preDeploy: Duration.Duration
  readonly start: Duration.Duration
}

/**
 * All limits. `overall` counts from when the Deployment is taken in hand, and not while it waits for a Slot. `progress` is how
 * long nothing may be said in its log, by a step or by what runs in one; it is never shorter than the App's health check
 * may take.
 */
export interface DeploymentDeadlines extends StepDeadlines {
  readonly overall: Duration.Duration
  readonly progress: Duration.Duration
}

/** What the limits are where nobody gave others: `overall` and `progress` leave room for what each step may take. */
export const defaultDeadlines: DeploymentDeadlines = {
  fetch: Duration.minutes(10),
  build: Duration.minutes(20),
  preDeploy: Duration.minutes(20),
  start: Duration.minutes(2),
  overall: Duration.hours(2),
  progress: Duration.minutes(25)
}

/** The limits of the Deployments that are carried out with it in their context, such as by a Dispatcher. */
export const Deadlines: Context.Reference<DeploymentDeadlines> = Context.Reference<DeploymentDeadlines>(
  "@lockkeeper/core/program/Deadlines",
  { defaultValue: () => defaultDeadlines }
)
