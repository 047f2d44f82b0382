// What a new Deployment does while one is active. Decided here from values; the store applies it on the locked rows.
import { Schema } from "effect"

/** `reject`: the request is refused and told which Deployment is active. */
export const Policy = Schema.Literals(["reject"])

/** The type of {@link Policy}. */
export type Policy = typeof Policy.Type

/** The Policy of a request: its own, else the App's, else `reject`. */
export const choose = (request: Policy | undefined, app: Policy | null): Policy => request ?? app ?? "reject"

/** What to do with a new request: begin it, or refuse it in favour of the active Deployment. */
export const decide = <Active>(policy: Policy, active: Active | undefined): PolicyDecision<Active> =>
  active === undefined ? { decision: "begin" } : { decision: policy, active }

/** The outcome of {@link decide}. */
export type PolicyDecision<Active> =
  { readonly decision: "begin" } | { readonly decision: "reject"; readonly active: Active }
