// INV-3: a Tenant never has more running than its cap, every end gives one Slot back, and who came first is served first.

import { defaultJobCap, type TenantName } from "@lockkeeper/core/domain/Tenant"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Effect } from "effect"
import { type Entry, entries, isEnded, isRunning, type Ledger, recorded, runningOf } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import type { Seen } from "../Seen.ts"

/** What waits, in the order in which it began. */
type Queue = ReadonlyArray<Entry>

const ofTenant = (list: ReadonlyArray<Entry>, tenant: TenantName | undefined) =>
  list.filter((entry) => entry.tenant === tenant)

/**
 * The first in the queue of each Tenant that has a Slot left, in whatever order the Tenants have their turns. What waits
 * for another Deployment of its App holds nobody up.
 */
const admissible = (ledger: Ledger, queue: Queue): ReadonlyArray<Entry> => {
  const ready = queue.filter(({ app }) => runningOf(ledger, app) === undefined)
  return ready.filter(
    (entry) =>
      ofTenant(ready, entry.tenant)[0] === entry &&
      ofTenant(entries(ledger).filter(isRunning), entry.tenant).length < defaultJobCap
  )
}

const objection = (ledger: Ledger, seen: Seen, queue: Queue, alone: boolean): string | undefined => {
  if (seen.call === "begin" && seen.value?.created === true) {
    const { app, queuePosition } = seen.value.deployment
    const ahead = ofTenant(queue, ledger.tenants.get(app)).filter((entry) => entry.app !== app).length
    return queuePosition === ahead + 1 ? undefined : `it is told to be number ${queuePosition} behind ${ahead} others`
  }
  if (seen.call !== "admit") return undefined
  const { deployment } = seen.request
  const may = admissible(ledger, queue).filter(({ id }) => deployment === undefined || id === deployment)
  const given = seen.value?.deployment.id
  if (given !== undefined) return may.some(({ id }) => id === given) ? undefined : `${given} was given out of turn`
  return alone && may[0] !== undefined ? `nothing was given where ${may[0].id} was next` : undefined
}

/** A Tenant's running Deployments never exceed its cap, and its queue is served in order. */
export const slots = makeRule<Queue>({
  id: "INV-3",
  start: [],
  objection,
  after: (queue, seen, before) => {
    const waiting = entries(recorded(before, seen)).filter(({ stage }) => stage === "queued")
    const begun = waiting.filter(({ id }) => !before.deployments.has(id))
    return [...queue.filter(({ id }) => waiting.some((entry) => entry.id === id)), ...begun]
  },
  look: Effect.fnUntraced(function* (known) {
    const store = yield* DeploymentStore
    const tenants = new Set(known.apps.map(({ tenant }) => tenant))
    const found = yield* Effect.forEach(tenants, (tenant) => store.usage(tenant), { concurrency: 8 })
    return new Map(found.map(({ queued, running, tenant }) => [tenant, { queued, running }]))
  }),
  expected: (ledger, queue) =>
    new Map(
      [...ledger.tenants.values()].map((tenant) => [
        tenant,
        {
          queued: ofTenant(queue, tenant).length,
          running: ofTenant(entries(ledger).filter(isRunning), tenant).length
        }
      ])
    ),
  unsettled: (ledger) => {
    const left = entries(ledger).filter((entry) => !isEnded(entry)).length
    return left === 0 ? undefined : `${left} are queued or hold a Slot for ever`
  }
})
