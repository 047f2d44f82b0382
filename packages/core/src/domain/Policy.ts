// What a new Deployment does while one is active. Decided here from values; the store applies it on the locked rows.
import { Schema } from "effect"
import type { Trigger } from "./Deployment.ts"

/**
 * `reject`: the request is refused and told which Deployment is active. `queue`: it waits for the one in progress, in place
 * of the one that waits. `supersede`: as `queue`, and the one in progress is asked to stop.
 */
export const Policy = Schema.Literals(["reject", "queue", "supersede"])

/** The type of {@link Policy}. */
export type Policy = typeof Policy.Type

/** The Policy of a request: its own, else the App's, else that of its Trigger: `supersede` for webhooks, `reject` for others. */
export const choose = (request: Policy | undefined, app: Policy | null, trigger: Trigger): Policy =>
  request ?? app ?? (trigger.kind === "webhook" ? "supersede" : "reject")

/** The active Deployments of an App: at most one that waits and one in progress. */
export interface Active<Deployment> {
  readonly queued: Deployment | undefined
  readonly inProgress: Deployment | undefined
}

/**
 * The outcome of {@link decide}. A request that begins ends `displaced` as superseded, and asks `stopped` to end so.
 */
export type PolicyDecision<Deployment> =
  | {
      readonly decision: "begin"
      readonly displaced: Deployment | undefined
      readonly stopped: Deployment | undefined
    }
  | { readonly decision: "reject"; readonly active: Deployment }

/** What to do with a new request: begin it, or refuse it in favour of what is active. */
export const decide = <Deployment>(
  policy: Policy,
  { inProgress, queued }: Active<Deployment>
): PolicyDecision<Deployment> => {
  const active = inProgress ?? queued
  if (policy === "reject" && active !== undefined) return { decision: "reject", active }
  return { decision: "begin", displaced: queued, stopped: policy === "supersede" ? inProgress : undefined }
}
