// INV-4: what was asked to stop ends as it was asked, at once while it waits and by its holder while it is worked at, and
// never becomes healthy; and nothing stops or ends that nobody asked.

import type { DeploymentId } from "@lockkeeper/core/domain/App"
import type { Deployment, StopStatus } from "@lockkeeper/core/domain/Deployment"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Effect } from "effect"
import { type Entry, entries, heldUnder, isEnded, type Ledger, recorded } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import type { Seen } from "../Seen.ts"

const isCancelling = (entry: Entry): boolean => entry.stopAs === "cancelled" && !isEnded(entry)

const shown = ({ cancelling, status }: Pick<Deployment, "cancelling" | "status">): string =>
  cancelling ? `${status} and cancelling` : status

const known = (ledger: Ledger, id: DeploymentId): string | undefined => {
  const entry = ledger.deployments.get(id)
  return entry && shown({ status: entry.stage, cancelling: isCancelling(entry) })
}

const objection = (ledger: Ledger, seen: Seen): string | undefined => {
  switch (seen.call) {
    case "activate":
    case "finish": {
      const entry = heldUnder(ledger, seen.claim)
      const isServing = seen.call === "activate" || seen.outcome.status === "healthy"
      const isDue = isServing && entry?.stage === "deploying" && entry.stopAs !== undefined
      if (isDue !== (seen.refusal === "StopRequested")) {
        return isDue ? `${seen.call} was done though a stop was asked for` : "it was stopped though nobody asked"
      }
      const ended = seen.call === "finish" ? seen.value : undefined
      const due = known(recorded(ledger, seen), seen.claim.deployment.id)
      return ended === undefined || shown(ended) === due ? undefined : `it ended ${shown(ended)} and not ${due}`
    }
    case "requestCancel": {
      const due = known(recorded(ledger, seen), seen.deployment)
      const told = seen.value && shown(seen.value)
      return told === due ? undefined : `who cancels is told that it is ${told} where it is ${due}`
    }
    default:
      return undefined
  }
}

/** Whoever was asked to stop ends so and in no other way. */
export const stops = makeRule<null>({
  id: "INV-4",
  start: null,
  objection,
  after: () => null,
  look: Effect.fnUntraced(function* ({ claims, deployments }) {
    const store = yield* DeploymentStore
    const found = yield* Effect.forEach(deployments, (id) => store.get(id), { concurrency: 8 })
    const running = new Set(found.filter(({ finishedAt }) => finishedAt === null).map(({ id }) => id))
    const held = new Map(claims.map((claim) => [claim.deployment.id, claim]))
    const asked = yield* Effect.forEach(
      [...held].filter(([id]) => running.has(id)),
      ([id, claim]) => Effect.map(store.stopRequested(claim), (as) => [id, as] as const),
      { concurrency: 8 }
    )
    return {
      statuses: new Map(found.map((deployment) => [deployment.id, shown(deployment)])),
      asked: new Map<DeploymentId, StopStatus | undefined>(asked)
    }
  }),
  expected: (ledger) => ({
    statuses: new Map(entries(ledger).map(({ id }) => [id, known(ledger, id)])),
    asked: new Map(
      entries(ledger)
        .filter((entry) => !isEnded(entry) && entry.replica !== undefined)
        .map(({ id, stopAs }) => [id, stopAs])
    )
  })
})
