// How the tables in memory are read and changed as Deployments: what a row is answered as, and the one way in which its
// status changes. Not here: the methods of the store (memoryDeploymentStore.ts).
import type { DateTime } from "effect"
import { type Deployment, isTerminal } from "../domain/Deployment.ts"
import type { Release } from "../domain/Release.ts"
import type { TenantName } from "../domain/Tenant.ts"
import type { ImageDigest } from "../domain/Workload.ts"
import { activeDeployments, type DeploymentRow, type MemoryTables, publish } from "./MemoryState.ts"

/** The Tenant of a Deployment. */
export const tenantOf = (state: MemoryTables, row: DeploymentRow): TenantName | undefined =>
  state.apps.get(row.deployment.app)?.app.tenant

/** The Deployments of a Tenant. */
export const ofTenant = (state: MemoryTables, tenant: TenantName | undefined): ReadonlyArray<DeploymentRow> =>
  [...state.deployments.values()].filter((row) => tenantOf(state, row) === tenant)

/** Whether a Deployment waits. */
export const isQueued = ({ deployment }: DeploymentRow): boolean => deployment.status === "queued"

/** Whether a Deployment only waits for a Slot. One that waits for another of its App stands in nobody's way. */
export const isReady = (state: MemoryTables, row: DeploymentRow): boolean =>
  isQueued(row) && activeDeployments(state, row.deployment.app).inProgress === undefined

/** A Deployment as it is answered. */
export const positioned = (state: MemoryTables, row: DeploymentRow): Deployment => {
  const earlier = (other: DeploymentRow) => isQueued(other) && other.position <= row.position
  return {
    ...row.deployment,
    queuePosition: isQueued(row) ? ofTenant(state, tenantOf(state, row)).filter(earlier).length : null,
    cancelling: row.stopAs === "cancelled" && !isTerminal(row.deployment.status)
  }
}

/** Changes a Deployment, with the Event of its status. */
export const moved = (
  state: MemoryTables,
  now: DateTime.Utc,
  row: DeploymentRow,
  change: Partial<Deployment>
): Deployment => {
  row.deployment = { ...row.deployment, ...change }
  const app = state.apps.get(row.deployment.app)
  if (app !== undefined) publish(state, now, `deployment.${row.deployment.status}`, app.app, row.deployment.id)
  return positioned(state, row)
}

/** Those of some images that nothing needs, see the store. */
export const unneededImages = (
  state: MemoryTables,
  images: ReadonlyArray<ImageDigest>,
  retain: number
): ReadonlyArray<ImageDigest> => {
  const releases = [...state.releases.values()].map(({ release }) => release)
  const isRetained = (release: Release): boolean =>
    state.apps.get(release.app)?.app.status !== "deleted" &&
    releases.filter(({ app, number }) => app === release.app && number > release.number).length < retain
  const held = [...state.intents.values()].filter(({ released }) => !released).map(({ deployment }) => deployment)
  const isNeeded = ({ deployment }: DeploymentRow) => !isTerminal(deployment.status) || held.includes(deployment.id)
  const needed = new Set([
    ...releases.filter(isRetained).map(({ image }) => image),
    ...[...state.deployments.values()].filter(isNeeded).map(({ deployment }) => deployment.image)
  ])
  return images.filter((image) => !needed.has(image))
}
