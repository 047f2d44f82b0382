// Images that were built for a Run are there under a name with its id, and go with it. Apps' images have other names: who
// removes those that no Release needs does not see these.

import { RunId } from "@lockkeeper/core/domain/Run"
import type { ImageDigest } from "@lockkeeper/core/domain/Workload"
import type Dockerode from "dockerode"
import { Effect, Option, Schema } from "effect"
import type { InstallationId } from "../InstallationId.ts"
import { call, decoded, orAbsent, patience } from "./call.ts"
import type { EngineError } from "./EngineError.ts"

const ImagesListed = Schema.Array(Schema.Struct({ RepoTags: Schema.NullOr(Schema.Array(Schema.String)) }))

const repositoryOf = (installation: InstallationId): string => `lockkeeper-run-${installation}`

/** An image of a Run, by its name. */
export interface RunImage {
  readonly run: RunId
  readonly name: string
}

/** Keeps an image for as long as its Run. */
export const keep = (
  docker: Dockerode,
  installation: InstallationId,
  run: RunId,
  image: ImageDigest
): Effect.Effect<void, EngineError> => {
  const tag = `${run}-${image.slice("sha256:".length).slice(0, 32)}`
  return Effect.asVoid(
    call("tag", patience.short, (abortSignal) =>
      docker.getImage(image).tag({ repo: repositoryOf(installation), tag, abortSignal })
    )
  )
}

/** The images that were built for Runs of an installation. */
export const list = (
  docker: Dockerode,
  installation: InstallationId
): Effect.Effect<ReadonlyArray<RunImage>, EngineError> => {
  const repository = repositoryOf(installation)
  const filters = { reference: [repository] }
  return call("images", patience.short, (abortSignal) => docker.listImages({ filters, abortSignal })).pipe(
    Effect.flatMap(decoded("images", ImagesListed)),
    Effect.map((listed) => listed.flatMap(({ RepoTags }) => RepoTags ?? []).flatMap((name) => named(repository, name)))
  )
}

const named = (repository: string, name: string): ReadonlyArray<RunImage> => {
  if (!name.startsWith(`${repository}:`)) return []
  const [run = ""] = name.slice(repository.length + 1).split("-")
  return Option.match(Schema.decodeOption(RunId)(run), { onNone: () => [], onSome: (run) => [{ run, name }] })
}

/** Takes the name of a Run from an image. With its last name the engine removes it. */
export const remove = (docker: Dockerode, { name }: RunImage): Effect.Effect<void, EngineError> =>
  call("remove image", patience.long, (abortSignal) => docker.getImage(name).remove({ abortSignal })).pipe(
    orAbsent,
    Effect.asVoid
  )
