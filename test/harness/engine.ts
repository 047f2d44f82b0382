// What a server made on the engine, seen and cleared away from outside of it, by the labels that say whose it is.

import Dockerode from "dockerode"
import { createHmac } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import * as Path from "node:path"
import type { Place } from "./server.ts"

/** The engine of this machine. */
export const docker = new Dockerode()

/** A container of a server. */
export interface SeenContainer {
  readonly id: string
  readonly kind: string
  readonly running: boolean
}

const filtersOf = ({ dataDir }: Pick<Place, "dataDir">): { readonly label: Array<string> } => {
  const file = Path.join(dataDir, "private", "replica-id")
  return { label: [`lockkeeper.replica=${existsSync(file) ? readFileSync(file, "utf8") : "none"}`] }
}

/** What the server of a place calls its installation: it follows from its key. */
const installationOf = ({ dataDir, env }: Place): string => {
  const file = env["LOCKKEEPER_SECRET_KEY_FILE"] ?? Path.join(dataDir, "private", "secret.key")
  return createHmac("sha256", existsSync(file) ? readFileSync(file) : "")
    .update("lockkeeper installation")
    .digest("hex")
    .slice(0, 12)
}

/** How many containers exist that are steps of builds. */
export const buildStepsOf = async (place: Place): Promise<number> => {
  const filters = { label: [`lockkeeper.image.installation=${installationOf(place)}`] }
  const listed = await docker.listContainers({ all: true, filters })
  return listed.filter(({ Labels }) => Labels["lockkeeper.kind"] === undefined).length
}

/** The containers of the server of a place. */
export const containersOf = async (place: Pick<Place, "dataDir">): Promise<ReadonlyArray<SeenContainer>> =>
  (await docker.listContainers({ all: true, filters: filtersOf(place) })).map(({ Id, Labels, State }) => ({
    id: Id,
    kind: Labels["lockkeeper.kind"] ?? "",
    running: State === "running"
  }))

/** The networks of the server of a place that nothing is connected to; a Tenant has one for the containers of all servers. */
export const unusedNetworksOf = async (place: Pick<Place, "dataDir">): Promise<ReadonlyArray<string>> => {
  const networks = await docker.listNetworks({ filters: filtersOf(place) })
  const used = (await docker.listContainers()).flatMap(({ NetworkSettings }) =>
    Object.values(NetworkSettings.Networks).map(({ NetworkID }) => NetworkID)
  )
  return networks.map(({ Id }) => Id).filter((id) => !used.includes(id))
}

/** The names of what was built for Runs of the server of a place. */
export const runImagesOf = async (place: Place): Promise<ReadonlyArray<string>> => {
  const reference = [`lockkeeper-run-${installationOf(place)}`]
  return (await docker.listImages({ filters: { reference } })).flatMap(({ RepoTags }) => RepoTags ?? [])
}

/** The volumes of the server of a place. */
export const volumesOf = async (place: Pick<Place, "dataDir">): Promise<ReadonlyArray<string>> =>
  ((await docker.listVolumes({ filters: filtersOf(place) })).Volumes ?? []).map(({ Name }) => Name)

/** What the images of the server of a place say about themselves, and how each step of them was made. */
export const imagesOf = async (place: Place): Promise<string> => {
  const filters = { label: [`lockkeeper.image.installation=${installationOf(place)}`] }
  const listed = await docker.listImages({ all: true, filters })
  const told = await Promise.all(
    listed.flatMap(({ Id }) => [docker.getImage(Id).inspect(), docker.getImage(Id).history()])
  )
  return JSON.stringify(told)
}

const ignoring = (work: Promise<unknown>): Promise<unknown> => work.catch(() => undefined)

/** Removes everything of an installation from the engine, its images too. */
export const removeInstallation = async (installation: string): Promise<void> => {
  const filters = { label: [`lockkeeper.installation=${installation}`] }
  for (const { Id } of await docker.listContainers({ all: true, filters })) {
    await ignoring(docker.getContainer(Id).remove({ force: true, v: true }))
  }
  for (const { Id } of await docker.listNetworks({ filters })) await ignoring(docker.getNetwork(Id).remove())
  for (const { Name } of (await docker.listVolumes({ filters })).Volumes ?? []) {
    await ignoring(docker.getVolume(Name).remove())
  }
  for (const { RepoTags } of await docker.listImages()) {
    const own = (RepoTags ?? []).filter((tag) => tag.startsWith(`lockkeeper-${installation}:`))
    for (const tag of own) await ignoring(docker.getImage(tag).remove())
  }
  await ignoring(docker.pruneImages({ filters: { label: [`lockkeeper.image.installation=${installation}`] } }))
}

/** Removes everything that the servers of an installation made on the engine. */
export const clearEngine = (place: Place): Promise<void> => removeInstallation(installationOf(place))
