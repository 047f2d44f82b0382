// INV-2 and U5: an App has at most one Deployment that waits and one in progress, a new one does with them what its Policy
// says, and the same delivery is the same Deployment. The Policy here is a second one, and shares nothing with the domain.

import type { AppId, DeploymentId } from "@lockkeeper/core/domain/App"
import type { DeploymentRequest } from "@lockkeeper/core/port/DeploymentRequest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Effect } from "effect"
import { type Ledger, put, queuedOf, runningOf } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import type { Seen } from "../Seen.ts"

/** The Deployment that a delivery made. */
type Deliveries = ReadonlyMap<string, DeploymentId>

const deliveryOf = ({ app, trigger }: DeploymentRequest): string => `${app} ${trigger.deliveryId ?? ""}`

/** The active Deployments of an App, the newest first. */
const activeOf = (ledger: Ledger, app: AppId): ReadonlyArray<DeploymentId> =>
  [queuedOf(ledger, app), runningOf(ledger, app)].flatMap((entry) => (entry === undefined ? [] : [entry.id]))

/** No App of a run has a Policy of its own. */
const policyOf = ({ policy, trigger }: DeploymentRequest): string =>
  policy ?? (trigger.kind === "webhook" ? "supersede" : "reject")

/** Refusals that come before the Policy; others judge them. */
const earlierRefusals: ReadonlyArray<string | undefined> = ["AppNotLive", "AppNotStopped", "NoRelease"]

const objection = (ledger: Ledger, seen: Seen, deliveries: Deliveries): string | undefined => {
  if (seen.call === "admit" && seen.value !== undefined) {
    const other = runningOf(ledger, seen.value.app.id)
    return other === undefined ? undefined : `${seen.value.deployment.id} was given while ${other.id} is in progress`
  }
  if (seen.call !== "begin") return undefined
  const earlier = deliveries.get(deliveryOf(seen.request))
  const active = activeOf(ledger, seen.request.app)
  const { refusal, value } = seen

  if (refusal === "AppGone") return undefined
  if (earlier !== undefined) {
    return value?.created === false && value.deployment.id === earlier
      ? undefined
      : `a repeated delivery was not answered with ${earlier}`
  }
  if (earlierRefusals.includes(refusal)) return undefined
  const policy = policyOf(seen.request)
  if (policy === "reject" && active.length > 0) {
    return refusal === "DeploymentInProgress" ? undefined : `one more began while ${active[0]} was active`
  }
  if (value?.created !== true) return `none began under the Policy ${policy}, with ${active.length} active`
  return value.deployment.policy === policy ? undefined : `it began under the Policy ${value.deployment.policy}`
}

/** An App has at most one Deployment that waits and one in progress, as Policies say. */
export const activity = makeRule<Deliveries>({
  id: "INV-2 U5",
  start: new Map(),
  objection,
  after: (deliveries, seen) =>
    seen.call === "begin" && seen.request.trigger.deliveryId !== undefined && seen.value !== undefined
      ? put(deliveries, deliveryOf(seen.request), seen.value.deployment.id)
      : deliveries,
  look: Effect.fnUntraced(function* (known) {
    const store = yield* DeploymentStore
    const lists = yield* Effect.forEach(known.apps, ({ id }) => store.list(id, { limit: 100 }), { concurrency: 8 })
    return lists.map(({ items }) => items.filter(({ finishedAt }) => finishedAt === null).map(({ id }) => id))
  }),
  expected: (ledger) => [...ledger.tenants.keys()].map((app) => activeOf(ledger, app))
})
