// INV-2: an App has at most one active Deployment, and the same delivery is the same Deployment.

import type { AppId, DeploymentId } from "@lockkeeper/core/domain/App"
import type { DeploymentRequest } from "@lockkeeper/core/port/DeploymentRequest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Effect } from "effect"
import { entries, type Ledger, put } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import type { Seen } from "../Seen.ts"

/** The Deployment that a delivery made. */
type Deliveries = ReadonlyMap<string, DeploymentId>

const deliveryOf = ({ app, trigger }: DeploymentRequest): string => `${app} ${trigger.deliveryId ?? ""}`

const activeOf = (ledger: Ledger, app: AppId) =>
  entries(ledger).find((entry) => entry.app === app && entry.stage !== "ended")?.id

const objection = (ledger: Ledger, seen: Seen, deliveries: Deliveries): string | undefined => {
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
  if (refusal === "AppNotLive") return undefined
  if (active === undefined) return value?.created === true ? undefined : "nothing is active, and none began"
  return refusal === "DeploymentInProgress" ? undefined : `one more began while ${active} was active`
}

/** An App has at most one active Deployment. */
export const activity = makeRule<Deliveries>({
  id: "INV-2",
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
  expected: (ledger) =>
    [...ledger.tenants.keys()].map((app) => {
      const active = activeOf(ledger, app)
      return active === undefined ? [] : [active]
    })
})
