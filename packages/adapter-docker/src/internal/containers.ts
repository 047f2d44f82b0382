// Containers on the engine: the calls that the adapter needs, each bounded, with its answer decoded.

import type Dockerode from "dockerode"
import { Duration, Effect, Schedule, Schema, type Scope } from "effect"
import type { Readable } from "node:stream"
import { call, decoded, open, orAbsent, patience } from "./call.ts"
import type { ContainerOptions, HelperOptions } from "./containerSpec.ts"
import { EngineError } from "./EngineError.ts"
import { EngineId, type ObjectName } from "./references.ts"

const Labels = Schema.NullOr(Schema.Record(Schema.String, Schema.String))

const ContainerSeen = Schema.Struct({
  Id: EngineId,
  Name: Schema.String,
  Image: Schema.String,
  Config: Schema.Struct({ Labels }),
  State: Schema.Struct({
    Status: Schema.String,
    Running: Schema.Boolean,
    ExitCode: Schema.Int,
    OOMKilled: Schema.Boolean,
    Error: Schema.String
  }),
  NetworkSettings: Schema.Struct({
    Networks: Schema.Record(Schema.String, Schema.Struct({ IPAddress: Schema.String }))
  })
})

/** A container as it is now. */
export interface ContainerSeen extends Schema.Schema.Type<typeof ContainerSeen> {}

const ContainersListed = Schema.Array(
  Schema.Struct({ Id: EngineId, Names: Schema.Array(Schema.String), Labels, State: Schema.String })
)

/** Containers in a list. */
export type ContainersListed = typeof ContainersListed.Type

/** Creates a container. A name that is in use is `conflict`, an image that is not there `image_not_found`. */
export const create = (
  docker: Dockerode,
  options: ContainerOptions | HelperOptions
): Effect.Effect<EngineId, EngineError> =>
  call("create", patience.long, (abortSignal) => docker.createContainer({ ...options, abortSignal })).pipe(
    Effect.mapError((error) =>
      error.reason === "not_found" && !/network/i.test(error.detail)
        ? new EngineError({ operation: "create", reason: "image_not_found", detail: error.detail })
        : error
    ),
    Effect.flatMap(({ id }) => decoded("create", EngineId)(id))
  )

/** Starts a container; one that runs is no error. */
export const start = (docker: Dockerode, id: EngineId): Effect.Effect<void, EngineError> =>
  Effect.asVoid(call("start", patience.long, (abortSignal) => docker.getContainer(id).start({ abortSignal }))).pipe(
    unlessDone
  )

/** Tells a container to stop, and kills it after the grace; one that does not run, or is not there, is no error. */
export const stop = (docker: Dockerode, id: EngineId, grace: Duration.Duration): Effect.Effect<void, EngineError> =>
  Effect.asVoid(
    call("stop", Duration.sum(grace, patience.short), (abortSignal) =>
      docker.getContainer(id).stop({ t: Math.ceil(Duration.toSeconds(grace)), abortSignal })
    )
  ).pipe(unlessDone, orAbsent)

/** Removes a container with its anonymous volumes, running or not, and waits until it is gone. */
export const remove = (docker: Dockerode, id: EngineId): Effect.Effect<void, EngineError> =>
  call("remove", patience.long, (abortSignal) =>
    docker.getContainer(id).remove({ force: true, v: true, abortSignal })
  ).pipe(
    Effect.asVoid,
    orAbsent,
    Effect.andThen(inspect(docker, id)),
    Effect.filterOrFail(
      (seen) => seen === undefined,
      () => stillThere
    ),
    Effect.retry({
      while: (error) => error.reason === "removal_in_progress",
      schedule: Schedule.spaced("50 millis"),
      times: 200
    }),
    Effect.asVoid
  )

const stillThere = new EngineError({ operation: "remove", reason: "removal_in_progress", detail: "it is still there" })

/** What a container is like now; undefined when there is none. */
export const inspect = (
  docker: Dockerode,
  reference: EngineId | ObjectName
): Effect.Effect<ContainerSeen | undefined, EngineError> =>
  call("inspect", patience.short, (abortSignal) => docker.getContainer(reference).inspect({ abortSignal })).pipe(
    Effect.flatMap(decoded("inspect", ContainerSeen)),
    orAbsent
  )

/** The containers with these labels, running or not. */
export const list = (
  docker: Dockerode,
  filters: { readonly label: Array<string> }
): Effect.Effect<ContainersListed, EngineError> =>
  call("list", patience.short, (abortSignal) => docker.listContainers({ all: true, filters, abortSignal })).pipe(
    Effect.flatMap(decoded("list", ContainersListed))
  )

/** What a container says, from the start or from a time on, with the time of each message; ends when it ends. */
export const logs = (
  docker: Dockerode,
  id: EngineId,
  sinceSeconds: string | undefined
): Effect.Effect<Readable, EngineError, Scope.Scope> =>
  open("logs", (abortSignal) =>
    docker.getContainer(id).logs({
      follow: true,
      stdout: true,
      stderr: true,
      timestamps: true,
      ...(sinceSeconds === undefined ? {} : { since: sinceSeconds }),
      abortSignal
    })
  )

/** The files at a path of a container, as a tar stream. */
export const files = (
  docker: Dockerode,
  id: EngineId,
  path: string
): Effect.Effect<Readable, EngineError, Scope.Scope> =>
  open("files", (abortSignal) => docker.getContainer(id).getArchive({ path, abortSignal }))

/** The engine answers 304 when there is nothing to do; the client library takes that for an error in some calls. */
const unlessDone = <A, R>(self: Effect.Effect<A, EngineError, R>): Effect.Effect<A | void, EngineError, R> =>
  Effect.catch(self, (error) => (error.reason === "already" ? Effect.void : Effect.fail(error)))
