// INV-1 and INV-13: whoever holds a Deployment is known by the newest Fence, nobody else writes, and what its holder left
// can be taken by somebody else, so that nothing stays as it is for ever.

import type { AppId } from "@lockkeeper/core/domain/App"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Effect } from "effect"
import { entries, heldUnder, isAbandoned, isEnded, type Ledger, put } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import type { Seen } from "../Seen.ts"

type LastFences = ReadonlyMap<AppId, number>

const claimsOf = (seen: Seen): ReadonlyArray<Claim> => {
  if (seen.call === "claimAbandoned") return seen.value ?? []
  return seen.call === "admit" && seen.value !== undefined ? [seen.value] : []
}

const isLost = (seen: Seen, should: boolean): string | undefined => {
  const is = seen.refusal === "LeaseLost"
  if (is === should) return undefined
  return should ? `${seen.call} was done under a Claim that is lost` : `${seen.call} was refused to the holder`
}

const wronglyTaken = (ledger: Ledger, claims: ReadonlyArray<Claim>, limit: number, alone: boolean) => {
  const abandoned = entries(ledger).filter(isAbandoned)
  const wrong = claims.find((claim) => abandoned.every(({ id }) => id !== claim.deployment.id))
  if (wrong !== undefined) return `${wrong.deployment.id} was taken from its holder`
  const wanted = Math.min(limit, abandoned.length)
  return alone && claims.length !== wanted ? `${claims.length} of ${wanted} abandoned ones were taken` : undefined
}

const objection = (ledger: Ledger, seen: Seen, lastFences: LastFences, alone: boolean): string | undefined => {
  const old = claimsOf(seen).find(({ app, fence }) => fence <= (lastFences.get(app.id) ?? 0))
  if (old !== undefined) return `Fence ${old.fence} was given, which is not above all before it`
  switch (seen.call) {
    case "admit":
      return claimsOf(seen).every(({ deployment }) => ledger.deployments.get(deployment.id)?.stage === "queued")
        ? undefined
        : "a Deployment was given away that was not queued"
    case "claimAbandoned":
      return wronglyTaken(ledger, claimsOf(seen), seen.limit, alone)
    case "renew":
      return isLost(seen, heldUnder(ledger, seen.claim)?.lapsed !== false)
    case "built":
      return isLost(seen, heldUnder(ledger, seen.claim)?.stage !== "building")
    case "activate":
      return isLost(seen, heldUnder(ledger, seen.claim)?.stage !== "deploying")
    case "finish": {
      const entry = heldUnder(ledger, seen.claim)
      if (seen.outcome.status !== "healthy") return isLost(seen, entry === undefined)
      if (entry?.stage === "deploying" && !entry.activated) return undefined
      return isLost(seen, entry?.stage !== "deploying")
    }
    default:
      return undefined
  }
}

/** A Deployment is in the hands of one holder or can be taken, and only the newest Fence writes. */
export const holding = makeRule<LastFences>({
  id: "INV-1 INV-13",
  start: new Map(),
  objection,
  after: (lastFences, seen) =>
    claimsOf(seen).reduce<LastFences>((fences, { app, fence }) => put(fences, app.id, fence), lastFences),
  look: Effect.fnUntraced(function* (known) {
    const store = yield* DeploymentStore
    const found = yield* Effect.forEach(known.deployments, (id) => store.get(id), { concurrency: 8 })
    return new Map(found.map(({ id, status }) => [id, status]))
  }),
  expected: (ledger) => new Map(entries(ledger).map(({ id, stage }) => [id, stage])),
  unsettled: (ledger) => {
    const stuck = entries(ledger).filter((entry) => !isEnded(entry))
    return stuck.length === 0 ? undefined : `${stuck.map(({ id }) => id).join(", ")} did not end`
  }
})
