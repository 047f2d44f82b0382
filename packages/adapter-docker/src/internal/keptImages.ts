// Images are kept under names of ours, so that neither a tag that moves on nor somebody else's clean-up takes away what a
// Release runs. Each time that one is needed again it gets a new name: who removes it by a name that was read before leaves
// it.

import { ImageDigest, type KeptImage } from "@lockkeeper/core/domain/Workload"
import type Dockerode from "dockerode"
import { Effect, Schema } from "effect"
import { randomBytes } from "node:crypto"
import type { InstallationId } from "../InstallationId.ts"
import { call, decoded, orAbsent, patience } from "./call.ts"
import type { EngineError } from "./EngineError.ts"

const ImagesListed = Schema.Array(
  Schema.Struct({ Id: ImageDigest, RepoTags: Schema.NullOr(Schema.Array(Schema.String)) })
)

/** The digest, and something unique. */
const markPattern = /^[0-9a-f]{32}-[0-9a-f]{16}$/

const repositoryOf = (installation: InstallationId): string => `lockkeeper-${installation}`

/** Keeps an image from now on, under a new name in place of the earlier ones. */
export const keep = Effect.fnUntraced(function* (
  docker: Dockerode,
  installation: InstallationId,
  image: ImageDigest
): Effect.fn.Return<void, EngineError> {
  const repo = repositoryOf(installation)
  const tag = `${image.slice("sha256:".length).slice(0, 32)}-${randomBytes(8).toString("hex")}`
  const before = yield* list(docker, installation)
  yield* call("tag", patience.short, (abortSignal) => docker.getImage(image).tag({ repo, tag, abortSignal }))
  const earlier = before.filter((kept) => kept.image === image)
  yield* Effect.forEach(earlier, (kept) => remove(docker, installation, kept), { discard: true })
})

/** The images of an installation, once for each name. */
export const list = (
  docker: Dockerode,
  installation: InstallationId
): Effect.Effect<ReadonlyArray<KeptImage>, EngineError> => {
  const repository = repositoryOf(installation)
  const filters = { reference: [repository] }
  return call("images", patience.short, (abortSignal) => docker.listImages({ filters, abortSignal })).pipe(
    Effect.flatMap(decoded("images", ImagesListed)),
    Effect.map((listed) =>
      listed.flatMap(({ Id, RepoTags }) =>
        (RepoTags ?? [])
          .filter((name) => name.startsWith(`${repository}:`))
          .map((name) => ({ image: Id, mark: name.slice(repository.length + 1) }))
          .filter(({ mark }) => markPattern.test(mark))
      )
    )
  )
}

/**
 * Takes a name from an image. With its last name the engine removes it, unless a container was made from it: then it
 * refuses, and both stay.
 */
export const remove = (
  docker: Dockerode,
  installation: InstallationId,
  { mark }: KeptImage
): Effect.Effect<void, EngineError> => {
  if (!markPattern.test(mark)) return Effect.void
  const name = `${repositoryOf(installation)}:${mark}`
  return call("remove image", patience.long, (abortSignal) => docker.getImage(name).remove({ abortSignal })).pipe(
    orAbsent,
    Effect.catch((error) =>
      error.reason === "conflict" || error.reason === "in_use" ? Effect.void : Effect.fail(error)
    ),
    Effect.asVoid
  )
}
