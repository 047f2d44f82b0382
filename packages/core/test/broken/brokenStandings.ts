// DeploymentStores that say something untrue of where a Deployment stands.

import { DateTime, Effect } from "effect"
import type { Standing } from "../../src/domain/Explanation.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { altered, type Broken } from "./Broken.ts"

const waits = "X5 one that waits"
const held = "X5 one in progress"
const lost = "X5 a holder whose lease"
const asked = "X5 how one was asked"

const untrue = (
  what: string,
  violates: Broken["violates"],
  alter: (standing: Standing) => Partial<Standing>
): Broken => ({
  what: `a DeploymentStore that ${what}`,
  contract: "DeploymentStore",
  violates,
  layer: altered(DeploymentStore, (original) => ({
    standing: (id) => Effect.map(original.standing(id), (standing) => ({ ...standing, ...alter(standing) }))
  }))
})

/** DeploymentStores that are broken in `standing`. */
export const brokenStandings: ReadonlyArray<Broken> = [
  untrue("says of each step that it began with the Deployment", [held, asked], ({ deployment }) => ({
    since: deployment.status === "building" ? (deployment.startedAt ?? deployment.createdAt) : deployment.createdAt
  })),
  untrue("does not say behind what a Deployment waits", [waits], () => ({ behind: null })),
  untrue("says that what is in progress is behind itself", [held], ({ behind, deployment, holder }) => ({
    behind: holder === null ? behind : deployment.id
  })),
  untrue("counts what waits among the Slots that are taken", [waits], ({ deployment, running }) => ({
    running: running + (deployment.queuePosition ?? 0)
  })),
  untrue("says of a lease that ran out that it is held", [lost], ({ holder }) => ({
    holder: holder === null ? null : { ...holder, leaseLost: false }
  })),
  untrue("says that a lease ends when its step began", [held], ({ holder, since }) => ({
    holder: holder === null ? null : { ...holder, leaseUntil: since }
  })),
  untrue("forgets a request to stop", [asked], () => ({ stop: null })),
  untrue("says that a request to stop is always the latest", [asked], ({ stop }) => ({
    stop: stop === null ? null : { ...stop, at: DateTime.nowUnsafe() }
  })),
  untrue("knows no switch", [held], ({ holder }) => ({
    holder: holder === null ? null : { ...holder, step: holder.step === "switching" ? "deploying" : holder.step }
  }))
]
