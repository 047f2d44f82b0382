// Removes what there is of a Run, by its labels: anybody of the installation can. One failure does not stop the rest.

import type { RunId } from "@lockkeeper/core/domain/Run"
import { RemovalError } from "@lockkeeper/core/port/Provider"
import type Dockerode from "dockerode"
import { Effect } from "effect"
import * as Containers from "./containers.ts"
import type { EngineError } from "./EngineError.ts"
import { filterOf, type Owner, partOf, runOf } from "./labels.ts"
import * as RunImages from "./runImages.ts"
import * as RunNetworks from "./runNetworks.ts"

type Left = RemovalError["left"][number]

const attempted = (what: string, removal: Effect.Effect<unknown, EngineError>): Effect.Effect<ReadonlyArray<Left>> =>
  Effect.match(removal, { onSuccess: () => [], onFailure: ({ message: detail }) => [{ what, detail }] })

/** Removes containers, then networks and what was built. */
export const removeRun = Effect.fnUntraced(function* (
  docker: Dockerode,
  owner: Owner,
  run: RunId
): Effect.fn.Return<void, RemovalError> {
  const unseen = ({ message: detail }: EngineError) =>
    new RemovalError({ left: [{ what: `what is left of ${run}`, detail }] })
  const containers = yield* Effect.mapError(Containers.list(docker, filterOf(owner, "node", { run })), unseen)
  const networks = yield* Effect.mapError(RunNetworks.find(docker, owner, run), unseen)
  const images = yield* Effect.mapError(RunImages.list(docker, owner.installation), unseen)
  const removals = containers.map(({ Id, Labels }) => attempted(partOf(Labels ?? {}), Containers.remove(docker, Id)))
  const left = (yield* Effect.all(removals, { concurrency: 8 })).flat()
  for (const network of networks) left.push(...(yield* attempted("the network", RunNetworks.remove(docker, network))))
  for (const image of images) {
    if (image.run === run) left.push(...(yield* attempted(`the image ${image.name}`, RunImages.remove(docker, image))))
  }
  if (left.length > 0) return yield* new RemovalError({ left })
})

/** The Runs of which there is a container, a network or an image. */
export const ownedRuns = Effect.fnUntraced(function* (
  docker: Dockerode,
  owner: Owner
): Effect.fn.Return<ReadonlyArray<RunId>, EngineError> {
  const containers = yield* Containers.list(docker, filterOf(owner, "node"))
  const networks = yield* RunNetworks.labels(docker, owner)
  const labels = [...containers.map(({ Labels }) => Labels ?? {}), ...networks]
  const images = yield* RunImages.list(docker, owner.installation)
  return [...new Set([...labels.flatMap((it) => runOf(it) ?? []), ...images.map(({ run }) => run)])]
})
