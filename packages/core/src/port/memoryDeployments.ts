// How the tables in memory are read and changed as Deployments: what a row is answered as, and the one way in which its
// status changes. Not here: the methods of the store (memoryDeploymentStore.ts).
import type { DateTime } from "effect"
import { type Deployment, isTerminal, type StopStatus } from "../domain/Deployment.ts"
import type { Release } from "../domain/Release.ts"
import { hasEnded } from "../domain/Job.ts"
import type { ImageDigest } from "../domain/Workload.ts"
import { isQueued, type Waiting, waiting } from "./memorySlots.ts"
import { type DeploymentRow, type MemoryTables, publish } from "./MemoryState.ts"

/** A Deployment as it is answered. */
export const positioned = (state: MemoryTables, row: DeploymentRow): Deployment => {
  const isEarlier = (other: Waiting) => other.position <= row.position
  return {
    ...row.deployment,
    queuePosition: isQueued(row) ? waiting(state, row.tenant).filter(isEarlier).length : null,
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
  row.since = now
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
  const held = [...state.intents.values()].filter(({ released }) => !released).map(({ work }) => work)
  const isNeeded = ({ deployment }: DeploymentRow) => !isTerminal(deployment.status) || held.includes(deployment.id)
  const ofJobs = [...state.jobs.values()].filter(({ job }) => !hasEnded(job.status) || held.includes(job.id))
  const needed = new Set([
    ...releases.filter(isRetained).map(({ image }) => image),
    ...[...state.deployments.values()].filter(isNeeded).map(({ deployment }) => deployment.image),
    ...ofJobs.map(({ of }) => of?.image)
  ])
  return images.filter((image) => !needed.has(image))
}

/** Puts on record how a Deployment is to end; who was asked before ends as it was asked first. */
export const askToStop = (row: DeploymentRow, as: StopStatus, at: DateTime.Utc): void => {
  if (row.stopAs !== undefined) return
  row.stopAs = as
  row.stopRequestedAt = at
}
