// Volumes on the engine, one for each operation that needs a disk.

import type Dockerode from "dockerode"
import { Effect, Schema } from "effect"
import { call, decoded, orAbsent, patience } from "./call.ts"
import type { EngineError } from "./EngineError.ts"
import type { Labels } from "./labels.ts"
import { ObjectName } from "./references.ts"

const VolumesListed = Schema.Struct({
  Volumes: Schema.NullOr(
    Schema.Array(
      Schema.Struct({ Name: ObjectName, Labels: Schema.NullOr(Schema.Record(Schema.String, Schema.String)) })
    )
  )
})

/** Makes a volume. */
export const create = (docker: Dockerode, name: ObjectName, labels: Labels): Effect.Effect<void, EngineError> =>
  Effect.asVoid(
    call("create volume", patience.short, (abortSignal) =>
      docker.createVolume({ Name: name, Labels: { ...labels }, abortSignal })
    )
  )

/** Removes a volume; one that is not there is no error. */
export const remove = (docker: Dockerode, name: ObjectName): Effect.Effect<void, EngineError> =>
  call("remove volume", patience.short, (abortSignal) => docker.getVolume(name).remove({ abortSignal })).pipe(
    Effect.asVoid,
    orAbsent,
    Effect.asVoid
  )

/** The volumes with these labels. */
export const list = (docker: Dockerode, filters: { readonly label: Array<string> }) =>
  call("volumes", patience.short, (abortSignal) => docker.listVolumes({ filters, abortSignal })).pipe(
    Effect.flatMap(decoded("volumes", VolumesListed)),
    Effect.map(({ Volumes }) => (Volumes ?? []).map(({ Labels, Name }) => ({ name: Name, labels: Labels ?? {} })))
  )
