// Containers that help with one operation, with a volume each. One forced removal takes away the process, what it knew and
// what it wrote. A helper that a dead process left is found by its labels, by anybody.

import type Dockerode from "dockerode"
import { Clock, Effect, Schedule, type Scope } from "effect"
import { randomBytes } from "node:crypto"
import type { HelperSpec } from "./containerSpec.ts"
import { helperLabels, helperOptions } from "./containerSpec.ts"
import * as Containers from "./containers.ts"
import type { EngineError } from "./EngineError.ts"
import { filterOf, isLeftOver, type Owner } from "./labels.ts"
import { type EngineId, ObjectName } from "./references.ts"
import * as Volumes from "./volumes.ts"

/** How long after its time a helper is still left alone. */
const graceSeconds = 60

/** Starts a helper; container and volume are gone when the Scope closes. */
export const startHelper = Effect.fnUntraced(function* (
  docker: Dockerode,
  owner: Owner,
  spec: Omit<HelperSpec, "name" | "volume"> & { readonly target: string }
): Effect.fn.Return<EngineId, EngineError, Scope.Scope> {
  const name = ObjectName.make(`lockkeeper-helper-${randomBytes(10).toString("hex")}`)
  const nowSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1_000)
  const labels = helperLabels(owner, nowSeconds + spec.lifetimeSeconds + graceSeconds)
  const options = helperOptions({ ...spec, name, volume: { name, target: spec.target } }, labels)

  const noVolume = settled(name, removeVolume(docker, name))
  const noContainer = settled(name, removeByName(docker, name))
  yield* Effect.acquireRelease(
    Effect.onError(Volumes.create(docker, name, labels), () => noVolume),
    () => noVolume
  )
  const id = yield* Effect.acquireRelease(
    Effect.onError(Containers.create(docker, options), () => noContainer),
    () => noContainer
  )
  yield* Effect.uninterruptible(Containers.start(docker, id))
  return id
})

/** Removes the container of a name, whether or not its creation was ever answered. */
const removeByName = (docker: Dockerode, name: ObjectName): Effect.Effect<void, EngineError> =>
  Effect.flatMap(Containers.inspect(docker, name), (seen) =>
    seen === undefined ? Effect.void : Containers.remove(docker, seen.Id)
  )

const removeVolume = (docker: Dockerode, name: ObjectName): Effect.Effect<void, EngineError> =>
  Effect.retry(Volumes.remove(docker, name), {
    while: ({ reason }) => reason === "in_use" || reason === "conflict",
    schedule: Schedule.spaced("50 millis"),
    times: 100
  })

/** Tries a removal a few times: a helper may hold a key, and the sweep comes only when its time is over. */
const settled = (name: string, removal: Effect.Effect<void, EngineError>): Effect.Effect<void> =>
  removal.pipe(
    Effect.sandbox,
    Effect.retry({ times: 4, schedule: Schedule.exponential("100 millis") }),
    Effect.catch((cause) => Effect.logWarning(`${name} is left to the next sweep`, cause))
  )

/** A container inherits the labels of its image, which anybody may write; what it is called, only who made it. */
const isHelperName = (name: string): boolean => /^\/lockkeeper-helper-[0-9a-f]{20}$/.test(name)

/** Removes the helpers and volumes that nobody needs any more. One that cannot be removed does not keep the others. */
export const sweep = Effect.fnUntraced(function* (
  docker: Dockerode,
  owner: Owner
): Effect.fn.Return<number, EngineError> {
  const nowSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1_000)
  const filter = filterOf(owner, "helper")
  const containers = (yield* Containers.list(docker, filter)).filter(
    ({ Labels, Names }) => Names.some(isHelperName) && isLeftOver(Labels ?? {}, owner, nowSeconds)
  )
  yield* Effect.forEach(containers, ({ Id }) => settled(Id, Containers.remove(docker, Id)), { discard: true })
  const volumes = (yield* Volumes.list(docker, filter)).filter(({ labels }) => isLeftOver(labels, owner, nowSeconds))
  yield* Effect.forEach(volumes, ({ name }) => settled(name, removeVolume(docker, name)), { discard: true })
  return containers.length + volumes.length
})
