// The life of one Workload's container: created under its name at an address of its own, started, and removed. What was cut
// off on the way is settled by looking at the engine. A container of somebody else is never touched.

import { freeAddress, type Subnet } from "@lockkeeper/core/domain/Subnet"
import { IpAddress, type Workload, WorkloadId, WorkloadPort } from "@lockkeeper/core/domain/Workload"
import { RuntimeError, type WorkloadSpec } from "@lockkeeper/core/port/ContainerRuntime"
import type Dockerode from "dockerode"
import { Effect, Hash, Option, Schema } from "effect"
import { type ContainerLimits, type ContainerOptions, type Placement, workloadOptions } from "./containerSpec.ts"
import * as Containers from "./containers.ts"
import { EngineError } from "./EngineError.ts"
import { addressOf, filterOf, isOf, isWorkload, type Owner } from "./labels.ts"
import * as Images from "./images.ts"
import type { NetworkPool } from "./networkBlocks.ts"
import * as Networks from "./networks.ts"
import { type EngineId, ObjectName } from "./references.ts"

/** What Workloads are made with. */
export interface WorkloadContext {
  readonly docker: Dockerode
  readonly owner: Owner
  readonly limits: ContainerLimits
  readonly pool: NetworkPool
}

/** Where an App listens that says nothing about it. */
const defaultPort = WorkloadPort.make(8080)

/** The port of a Workload: its own, else the one that its image exposes, else 8080. The image must be there. */
export const portOf = Effect.fnUntraced(function* (
  docker: Dockerode,
  spec: WorkloadSpec
): Effect.fn.Return<WorkloadPort, EngineError | RuntimeError> {
  const image = yield* Images.inspect(docker, spec.image)
  if (image === undefined) {
    return yield* new RuntimeError({ reason: "image_gone", detail: `the image ${spec.image} is gone` })
  }
  const [exposed, ...others] = image.ports
  if (spec.port === null && others.length > 0) {
    const detail = `the image exposes the ports ${image.ports.join(", ")}: the app's port has to be set`
    return yield* new RuntimeError({ reason: "start_failed", detail })
  }
  return spec.port ?? exposed ?? defaultPort
})

/** How often a start is tried again after somebody else took the address or removed the network in between. */
const tries = 8

/** A container that was started, and the address that it was given. */
export interface Started {
  readonly id: EngineId
  readonly address: IpAddress
}

/** Starts the container of a spec. Failed, nothing of its name is left, unless that is somebody else's. */
export const startContainer = Effect.fnUntraced(function* (
  context: WorkloadContext,
  spec: WorkloadSpec,
  optionsAt: (placement: Placement) => ContainerOptions
): Effect.fn.Return<Started, EngineError | RuntimeError> {
  const attempt = Effect.fnUntraced(function* (number: number) {
    const { id: network, subnet } = yield* Networks.ensure(context.docker, context.owner, spec.tenant, context.pool)
    const address = yield* placeIn(context, subnet, spec, number)
    const id = yield* created(context, spec, optionsAt({ network, address }))
    yield* Effect.onError(Containers.start(context.docker, id), () => removed(context, spec))
    return { id, address }
  })
  let number = 0
  return yield* Effect.suspend(() => attempt(number++)).pipe(
    Effect.retry({
      while: (error) =>
        error._tag === "EngineError" && (error.reason === "address_in_use" || error.reason === "not_found"),
      times: tries
    })
  )
})

/** Starts a Workload that listens on this port, and answers where it is reached. */
export const startWorkload = Effect.fnUntraced(function* (
  context: WorkloadContext,
  spec: WorkloadSpec,
  port: WorkloadPort
): Effect.fn.Return<Workload, EngineError | RuntimeError> {
  const started = yield* startContainer(context, spec, (placement) =>
    workloadOptions(spec, context.owner, context.limits, placement, port)
  )
  const host = yield* Effect.onError(addressNow(context, spec, started), () => removed(context, spec))
  return { id: WorkloadId.make(started.id), name: spec.name, address: { host, port }, image: spec.image }
})

const removed = (context: WorkloadContext, { name }: WorkloadSpec): Effect.Effect<void> =>
  Effect.catch(removeWorkload(context, name), (error) => Effect.logWarning(`${name} was not removed yet`, error))

const noAddress = ({ tenant }: WorkloadSpec): EngineError =>
  new EngineError({ operation: "start", reason: "overlap", detail: `the network of ${tenant} has no free address` })

/**
 * An address that no container of the network has, whether it runs or not. The engine gives an address away as soon as a
 * container has ended; here it is kept until the container is removed, which is after traffic was led elsewhere.
 */
const placeIn = Effect.fnUntraced(function* (
  { docker, owner }: WorkloadContext,
  subnet: Subnet,
  spec: WorkloadSpec,
  attempt: number
) {
  const neighbours = yield* Containers.list(docker, filterOf(owner, "workload", { tenant: spec.tenant }))
  const taken = new Set(neighbours.flatMap(({ Labels }) => addressOf(Labels ?? {}) ?? []))
  const address = freeAddress(subnet, taken, Math.abs(Hash.string(spec.name)) + attempt * 7)
  return address ?? (yield* noAddress(spec))
})

/** Creates the container. What {@link nameIsFree} does not take for a use of the name is replaced. */
const created = Effect.fnUntraced(function* (
  context: WorkloadContext,
  spec: WorkloadSpec,
  options: ContainerOptions
): Effect.fn.Return<EngineId, EngineError | RuntimeError> {
  const create = Containers.create(context.docker, options)
  return yield* Effect.catch(create, (error) =>
    Effect.gen(function* () {
      if (error.reason !== "conflict") return yield* error
      const present = yield* nameIsFree(context, spec)
      if (present !== undefined) yield* Containers.remove(context.docker, present.Id)
      return yield* create
    })
  )
})

/** The refusal of a name that is in use. */
export const nameInUse = ({ name }: WorkloadSpec, by = ""): RuntimeError =>
  new RuntimeError({ reason: "name_conflict", detail: `the name ${name} is in use${by}` })

/**
 * Fails when a container bears the name. One that was made for this very spec and never started is what a call has left
 * whose answer was lost: it is answered, and may be replaced.
 */
export const nameIsFree = Effect.fnUntraced(function* (
  { docker, owner }: WorkloadContext,
  spec: WorkloadSpec
): Effect.fn.Return<Containers.ContainerSeen | undefined, EngineError | RuntimeError> {
  const seen = yield* Containers.inspect(docker, ObjectName.make(spec.name))
  if (seen === undefined) return undefined
  const labels = seen.Config.Labels ?? {}
  if (!isWorkload(labels, owner, spec.name)) return yield* nameInUse(spec, " by a container that is not ours")
  return seen.State.Status === "created" && isOf(labels, spec) ? seen : yield* nameInUse(spec)
})

const isAddress = Schema.decodeUnknownOption(IpAddress)

/** Where it is reached, as the engine has it; one that has ended already is where it was put. */
const addressNow = Effect.fnUntraced(function* ({ docker }: WorkloadContext, spec: WorkloadSpec, started: Started) {
  const seen = yield* Containers.inspect(docker, started.id)
  if (seen === undefined) {
    return yield* new RuntimeError({ reason: "start_failed", detail: `${spec.name} was removed as soon as it started` })
  }
  const given = Object.values(seen.NetworkSettings.Networks).map(({ IPAddress }) => IPAddress)
  return given.flatMap((text) => Option.toArray(isAddress(text)))[0] ?? started.address
})

/** Removes the container of a name if it is ours, whatever state it is in; none is no error. */
export const removeWorkload = Effect.fnUntraced(function* (
  { docker, owner }: WorkloadContext,
  name: string
): Effect.fn.Return<void, EngineError> {
  const seen = yield* Containers.inspect(docker, ObjectName.make(name))
  if (seen !== undefined && isWorkload(seen.Config.Labels ?? {}, owner, name)) yield* Containers.remove(docker, seen.Id)
})

/**
 * How a container that does not run has ended, as a clause for a person. The engine can miss that it was memory that a
 * process was killed for, when that is all that the container was.
 */
export const exitReason = ({ State }: Containers.ContainerSeen): string => {
  if (State.OOMKilled) return `exited with code ${State.ExitCode}: it was out of memory`
  if (State.Error !== "") return `could not be started: ${State.Error}`
  const killed = State.ExitCode === 137 ? ": it was killed, perhaps because it was out of memory" : ""
  return `exited with code ${State.ExitCode}${killed}`
}
