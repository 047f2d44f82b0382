// Images on the engine: looked at and brought. How they are kept is in keptImages.ts.

import { ImageDigest, WorkloadPort } from "@lockkeeper/core/domain/Workload"
import { ImageReference } from "@lockkeeper/core/domain/Source"
import type Dockerode from "dockerode"
import { Effect, Option, Schema, Stream } from "effect"
import { bytesOf, call, decoded, open, orAbsent, patience } from "./call.ts"
import { EngineError, oneLine, reasonOf } from "./EngineError.ts"
import { messages } from "./messages.ts"

const ImageSeen = Schema.Struct({
  Id: ImageDigest,
  Config: Schema.NullOr(
    Schema.Struct({
      ExposedPorts: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown)))
    })
  )
})

/** An image, and the TCP ports that it says it listens on. */
export interface ImageSeen {
  readonly id: ImageDigest
  readonly ports: ReadonlyArray<WorkloadPort>
}

const isPort = Schema.decodeUnknownOption(WorkloadPort)

const portsOf = (exposed: Readonly<Record<string, unknown>>): ReadonlyArray<WorkloadPort> =>
  Object.keys(exposed).flatMap((key) => {
    const [, number] = /^(\d+)\/tcp$/.exec(key) ?? []
    return Option.toArray(isPort(Number(number)))
  })

/** What an image is; undefined when the engine does not have it. */
export const inspect = (
  docker: Dockerode,
  reference: ImageReference | ImageDigest
): Effect.Effect<ImageSeen | undefined, EngineError> =>
  call("inspect image", patience.short, () => docker.getImage(reference).inspect()).pipe(
    Effect.flatMap(decoded("inspect image", ImageSeen)),
    Effect.map(({ Config, Id }) => ({ id: Id, ports: portsOf(Config?.ExposedPorts ?? {}) })),
    orAbsent
  )

const PullMessage = Schema.Struct({
  error: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(Schema.String)
})

/** A reference that names one image: without tag and digest the registry would send them all. */
const single = (reference: ImageReference): string =>
  /:[\w][\w.-]*$|@/.test(reference) ? reference : `${reference}:latest`

/** The image of this very name: without a tag the engine would take the first digits of any image's id for it. */
const named = (docker: Dockerode, reference: ImageReference): Effect.Effect<ImageSeen | undefined, EngineError> =>
  inspect(docker, ImageReference.make(single(reference)))

/** Brings an image from its registry. Success is what the engine has afterwards, not what the stream said. */
const pull = (
  docker: Dockerode,
  reference: ImageReference,
  say: (line: string) => Effect.Effect<void>
): Effect.Effect<ImageSeen, EngineError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const stream = yield* open("pull", (abortSignal) => docker.pull(single(reference), { abortSignal }))
      yield* Stream.runForEach(messages("pull", PullMessage, bytesOf("pull", stream)), ({ error, status }) => {
        if (error !== undefined) {
          const detail = oneLine(error)
          return Effect.fail(new EngineError({ operation: "pull", reason: reasonOf(detail) ?? "registry", detail }))
        }
        return status === undefined ? Effect.void : say(status)
      })
      const seen = yield* named(docker, reference)
      return (
        seen ??
        (yield* new EngineError({
          operation: "pull",
          reason: "image_not_found",
          detail: `${reference} was not brought`
        }))
      )
    })
  )

/** The image of a reference, brought when it is not there. */
export const ensure = (
  docker: Dockerode,
  reference: ImageReference,
  say: (line: string) => Effect.Effect<void>
): Effect.Effect<ImageSeen, EngineError> =>
  Effect.flatMap(named(docker, reference), (seen) =>
    seen === undefined ? pull(docker, reference, say) : Effect.succeed(seen)
  )

/**
 * What a reference stands for now: a digest is what it is, and what it stands for may be there already; a tag is asked for at
 * its registry, and only where that does not answer, it is what the engine has.
 */
export const resolve = (docker: Dockerode, reference: ImageReference): Effect.Effect<ImageSeen, EngineError> => {
  if (reference.includes("@")) return ensure(docker, reference, () => Effect.void)
  return Effect.catch(
    pull(docker, reference, () => Effect.void),
    (error) =>
      error.reason === "registry" || error.reason === "timed_out"
        ? Effect.flatMap(named(docker, reference), (seen) =>
            seen === undefined ? Effect.fail(error) : Effect.succeed(seen)
          )
        : Effect.fail(error)
  )
}
