// Where a Deployment stands, from the tables in memory.
import { DateTime } from "effect"
import { isTerminal } from "../domain/Deployment.ts"
import type { Standing } from "../domain/Explanation.ts"
import { positioned } from "./memoryDeployments.ts"
import { activeDeployments, type DeploymentRow, type MemoryTables } from "./MemoryState.ts"

/** Where a Deployment stands now; `slots` is what its Tenant has and uses. */
export const standingOf = (
  state: MemoryTables,
  row: DeploymentRow,
  now: DateTime.Utc,
  slots: Pick<Standing, "tenant" | "limit" | "running">
): Standing => {
  const { inProgress } = activeDeployments(state, row.deployment.app)
  const { stopAs: as, stopRequestedAt: at } = row
  return {
    deployment: positioned(state, row),
    since: row.since,
    holder: holderOf(row, now),
    stop: as === undefined || at === undefined || isTerminal(row.deployment.status) ? null : { as, at },
    behind: inProgress === undefined || inProgress === row ? null : inProgress.deployment.id,
    ...slots
  }
}

const holderOf = ({ activated, deployment, leaseUntil, replica }: DeploymentRow, now: DateTime.Utc) => {
  const { status } = deployment
  if (replica === undefined || (status !== "building" && status !== "deploying")) return null
  const step = activated ? ("switching" as const) : status
  const until = DateTime.makeUnsafe(leaseUntil)
  return { step, replica, leaseUntil: until, leaseLost: DateTime.isLessThanOrEqualTo(until, now) }
}
