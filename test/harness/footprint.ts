// Everything that exists because of a server, counted from outside of it: in the database, on the disk, and on the runtime.

import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { existsSync, readdirSync } from "node:fs"
import * as Path from "node:path"
import { buildStepsOf, containersOf, runImagesOf, unusedNetworksOf, volumesOf } from "./engine.ts"
import { flavour } from "./flavour.ts"
import { processesWith } from "./processes.ts"
import type { Place } from "./server.ts"

/** What exists because of a server. With `n` apps that serve and nothing else going on, see {@link atRest}. */
export interface Footprint {
  /** Workloads that run: groups of processes, by the directory that each has for itself, or containers. */
  readonly running: number
  /** What Workloads have for as long as they are not released: directories, or containers in whatever state. */
  readonly homes: number
  readonly fetches: number
  /** What a fetch with a key has: its file, or its container and volume. */
  readonly keys: number
  readonly partialBuilds: number
  readonly temporary: number
  /** Networks that nothing is connected to. */
  readonly networks: number
  /** What else there is of Runs: their directories, or what was built for them; and their blocks of addresses. */
  readonly runs: number
  readonly blocks: number
  readonly intents: number
  readonly slots: number
  readonly active: number
  /** Routes that lead to a Workload of the Journal, and others. */
  readonly routes: number
  readonly strayRoutes: number
}

/** What exists when this many Apps serve and nothing is going on. */
export const atRest = (apps: number): Footprint => ({
  running: apps,
  homes: apps,
  fetches: 0,
  keys: 0,
  partialBuilds: 0,
  temporary: 0,
  networks: 0,
  runs: 0,
  blocks: 0,
  intents: apps,
  slots: 0,
  active: 0,
  routes: apps,
  strayRoutes: 0
})

type OnRuntime = Pick<Footprint, "running" | "homes" | "keys" | "partialBuilds" | "networks" | "runs">

const entries = (...path: ReadonlyArray<string>): ReadonlyArray<string> => {
  const directory = Path.join(...path)
  return existsSync(directory) ? readdirSync(directory) : []
}

const partialBuilds = ({ dataDir }: Place): number =>
  entries(dataDir, "builds").filter((name) => name.includes("-")).length

const onProcesses = (place: Place): OnRuntime => {
  const { dataDir } = place
  const running = processesWith(`HOME=${dataDir}/work/`).flatMap(({ environment }) =>
    environment.filter((variable) => variable.startsWith("HOME="))
  )
  return {
    running: new Set(running).size,
    homes: entries(dataDir, "work", "homes").length,
    keys: entries(dataDir, "work", "fetch", "keys").length,
    partialBuilds: partialBuilds(place),
    networks: 0,
    runs: entries(dataDir, "work", "runs").length
  }
}

const onDocker = async (place: Place): Promise<OnRuntime> => {
  const [containers, networks, volumes, partialBuilds, runImages] = await Promise.all([
    containersOf(place),
    unusedNetworksOf(place),
    volumesOf(place),
    buildStepsOf(place),
    runImagesOf(place)
  ])
  const workloads = containers.filter(({ kind }) => kind === "workload")
  return {
    running: workloads.filter(({ running }) => running).length,
    homes: workloads.length,
    keys: containers.length - workloads.length + volumes.length,
    partialBuilds,
    networks: networks.length,
    runs: runImages.length
  }
}

/** Counts. */
export const footprintOf = Effect.fnUntraced(function* (
  place: Place,
  sql: SqlClient.SqlClient
): Effect.fn.Return<Footprint, SqlError.SqlError> {
  const [rows] = yield* sql<
    Pick<Footprint, "blocks" | "intents" | "slots" | "active" | "routes" | "strayRoutes">
  >`with led as (
      select r.app, exists (
        select from intents i where i.app = r.app and i.released_at is null
          and (i.workload -> 'address' ->> 'host') = r.address_host
          and (i.workload -> 'address' ->> 'port')::int = r.address_port
      ) as known from routes r where r.address_port is not null
    )
    select (select count(*)::int from intents where released_at is null) as intents,
      (select count(*)::int from subnets where owner like 'run_%') as blocks,
      (select count(*)::int from slots) as slots,
      (select count(*)::int from deployments where finished_at is null)
        + (select count(*)::int from jobs where finished_at is null)
        + (select count(*)::int from runs where finished_at is null or cleanup = 'pending') as active,
      (select count(*)::int from led where known) as routes,
      (select count(*)::int from led where not known) as "strayRoutes"`
  const onRuntime = flavour === "docker" ? yield* Effect.promise(() => onDocker(place)) : onProcesses(place)
  return {
    blocks: -1,
    intents: -1,
    slots: -1,
    active: -1,
    routes: -1,
    strayRoutes: -1,
    ...rows,
    ...onRuntime,
    fetches:
      entries(place.dataDir, "work", "fetch", "sources").length + entries(place.dataDir, "work", "clones").length,
    temporary: entries(place.env["TMPDIR"] ?? "").length
  }
})
