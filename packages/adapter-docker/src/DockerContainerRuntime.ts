// Runs Workloads as containers of a Docker engine, each Tenant's on a network of its own. What outlives this process is found
// again by its labels; what belongs to another installation, or to nobody, is left alone.

import type { ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { LogCursor, LogEntry } from "@lockkeeper/core/domain/LogLine"
import type { Subnet } from "@lockkeeper/core/domain/Subnet"
import {
  type CommandExit,
  ImageDigest,
  type KeptImage,
  type Workload,
  WorkloadId,
  type WorkloadName,
  type WorkloadState
} from "@lockkeeper/core/domain/Workload"
import {
  type CommandSpec,
  ContainerRuntime,
  RuntimeError,
  type WorkloadSpec
} from "@lockkeeper/core/port/ContainerRuntime"
import { SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import type { SourceTree } from "@lockkeeper/core/port/SourceFetcher"
import { Duration, Effect, Layer, type Scope, Stream } from "effect"
import type { DockerEngineOptions } from "./DockerEngine.ts"
import type { InstallationId } from "./InstallationId.ts"
import { build } from "./internal/build.ts"
import { inBackground } from "./internal/background.ts"
import { connect } from "./internal/connect.ts"
import { ended } from "./internal/ended.ts"
import { commandOptions, type ContainerLimits } from "./internal/containerSpec.ts"
import * as Containers from "./internal/containers.ts"
import { type EngineError, isAbsent } from "./internal/EngineError.ts"
import * as Images from "./internal/images.ts"
import * as KeptImages from "./internal/keptImages.ts"
import { filterOf, imageLabel, isWorkload, newOwner, tenantOf, workloadNameOf } from "./internal/labels.ts"
import { keepEvery } from "./internal/networkBlocks.ts"
import * as Networks from "./internal/networks.ts"
import { follow } from "./internal/follow.ts"
import { makeLastWords } from "./internal/lastWords.ts"
import { EngineId, ObjectName } from "./internal/references.ts"
import { asRuntimeError } from "./internal/runtimeErrors.ts"
import {
  exitReason,
  nameInUse,
  nameIsFree,
  portOf,
  removeWorkload,
  startContainer,
  startWorkload,
  type WorkloadContext
} from "./internal/workloads.ts"

/**
 * Says whose the Workloads are and how much each may use. `memoryBytes` (512 MiB), `cpus` (1) and `pids` (512) bound a
 * Workload, a command and, but for `pids`, a build. `grace` is the time between TERM and KILL (10 seconds). The network of a
 * Tenant is a block of `networks.prefix` bits (24) in `networks.range` (10.208.0.0/13), held in the SubnetPool.
 */
export interface DockerContainerRuntimeOptions extends DockerEngineOptions {
  readonly installation: InstallationId
  readonly replica: ReplicaId
  readonly memoryBytes?: number | undefined
  readonly cpus?: number | undefined
  readonly pids?: number | undefined
  readonly grace?: Duration.Input | undefined
  readonly networks?: { readonly range: Subnet; readonly prefix: number } | undefined
}

/**
 * Makes the runtime. While the engine is away, every method fails with `engine_unavailable`. Networks that nothing is
 * connected to, as a killed process leaves them, are removed in the background.
 * Commands that are run are in `owned` for as long as they last, so an intent is due for them as for a Workload.
 */
export const make = (
  options: DockerContainerRuntimeOptions
): Effect.Effect<ContainerRuntime["Service"], never, Scope.Scope | SubnetPool> =>
  Effect.gen(function* () {
    const context = contextOf(options, yield* SubnetPool)
    const { docker, limits, owner, pool } = context
    const grace = Duration.fromInputUnsafe(options.grace ?? "10 seconds")

    const lastWords = yield* makeLastWords
    yield* inBackground("sweeping networks", Networks.sweep(docker, owner, pool), Networks.sweepEvery)
    yield* inBackground("keeping the blocks of networks", Networks.keep(docker, owner, pool), keepEvery)

    const buildTree = Effect.fn("DockerContainerRuntime.build")(function* (
      tree: SourceTree,
      say: (entry: LogEntry) => Effect.Effect<void>
    ): Effect.fn.Return<ImageDigest, RuntimeError> {
      return yield* Effect.scoped(build(docker, tree.directory, imageLabel(owner), limits, say)).pipe(
        Effect.tap((image) => KeptImages.keep(docker, owner.installation, image)),
        // What was found in the engine's cache may have been removed before it was kept.
        Effect.retry({ times: 1, while: (error) => error._tag === "EngineError" && isAbsent(error) }),
        Effect.mapError(asRuntimeError("build_failed"))
      )
    })

    /** Removes a container, and its Tenant's network with the last one. */
    const remove = (name: WorkloadName, tenant: string | undefined): Effect.Effect<void, EngineError> =>
      Effect.andThen(removeWorkload(context, name), tenant === undefined ? Effect.void : sweepOf(tenant))
    const sweepOf = (tenant: string) => Networks.sweepOf(docker, owner, pool, tenant)

    const undo = ({ name, tenant }: WorkloadSpec): Effect.Effect<void> =>
      Effect.catch(remove(name, tenant), (error) => Effect.logWarning(`${name} was not removed yet`, error))

    const starting = new Set<WorkloadName>()

    /** Makes something whole under a free name: what interrupts it has to wait, and then it is taken back. */
    const whole = <A>(spec: WorkloadSpec, making: Effect.Effect<A, EngineError | RuntimeError>) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          if (starting.has(spec.name)) return yield* nameInUse(spec)
          starting.add(spec.name)
          const made = Effect.onError(making, () => undo(spec)).pipe(
            Effect.tap(() => Effect.onInterrupt(restore(Effect.yieldNow), () => undo(spec)))
          )
          const isOver = Effect.sync(() => starting.delete(spec.name))
          return yield* Effect.ensuring(Effect.andThen(restore(nameIsFree(context, spec)), made), isOver)
        }).pipe(Effect.mapError(asRuntimeError("start_failed")))
      )

    const start = Effect.fn("DockerContainerRuntime.start")(function* (
      spec: WorkloadSpec
    ): Effect.fn.Return<Workload, RuntimeError> {
      const port = yield* Effect.mapError(portOf(docker, spec), asRuntimeError("start_failed"))
      return yield* whole(spec, startWorkload(context, spec, port))
    })

    const run = Effect.fn("DockerContainerRuntime.run")(function* (
      spec: CommandSpec,
      say: (entry: LogEntry) => Effect.Effect<void>,
      told: (workload: Workload) => Effect.Effect<void, StoreError>
    ): Effect.fn.Return<CommandExit, RuntimeError | StoreError> {
      const port = yield* Effect.mapError(portOf(docker, spec), asRuntimeError("start_failed"))
      const started = startContainer(context, spec, (placement) => commandOptions(spec, owner, limits, placement, port))
      return yield* Effect.acquireUseRelease(
        whole(spec, started),
        ({ address, id }) =>
          Effect.andThen(
            told({ id: WorkloadId.make(id), name: spec.name, address: { host: address, port }, image: spec.image }),
            Effect.mapError(exitOf(id, say), asRuntimeError("engine_unavailable"))
          ),
        () => undo(spec)
      )
    })

    const exitOf = Effect.fnUntraced(function* (id: EngineId, say: (entry: LogEntry) => Effect.Effect<void>) {
      const seen = yield* ended(docker, id, say)
      return seen === undefined
        ? { exitCode: 137, reason: "it was removed while it ran" }
        : { exitCode: seen.State.ExitCode, reason: exitReason(seen) }
    })

    const inspect = Effect.fn("DockerContainerRuntime.inspect")(function* (
      workload: Workload
    ): Effect.fn.Return<WorkloadState, RuntimeError> {
      const seen = yield* Effect.mapError(
        Containers.inspect(docker, ObjectName.make(workload.name)),
        asRuntimeError("engine_unavailable")
      )
      if (seen === undefined || !isOurs(seen, workload.name, workload.id)) return { state: "gone" }
      if (!seen.State.Running) return { state: "exited", reason: exitReason(seen) }
      return { state: "running", image: ImageDigest.make(seen.Image) }
    })

    const isOurs = (seen: Containers.ContainerSeen, name: WorkloadName, id: WorkloadId | undefined): boolean =>
      isWorkload(seen.Config.Labels ?? {}, owner, name) && (id === undefined || seen.Id.startsWith(id))

    const stop = Effect.fn("DockerContainerRuntime.stop")(function* (
      name: WorkloadName,
      id: WorkloadId | undefined
    ): Effect.fn.Return<void, RuntimeError> {
      const stopped = Effect.gen(function* () {
        const seen = yield* Containers.inspect(docker, ObjectName.make(name))
        if (seen === undefined || !isOurs(seen, name, id)) return
        // One that cannot be asked to stop is removed all the same.
        const asked = seen.State.Running ? Containers.stop(docker, seen.Id, grace) : Effect.void
        yield* Effect.catch(asked, (error) => Effect.logWarning(`${name} was not asked to stop`, error))
        yield* lastWords.awaitRead(seen.Id)
        yield* remove(name, tenantOf(seen.Config.Labels ?? {}))
      })
      yield* Effect.mapError(stopped, asRuntimeError("engine_unavailable"))
    })

    const hasImage = (image: ImageDigest): Effect.Effect<boolean, RuntimeError> =>
      Images.inspect(docker, image).pipe(
        Effect.map((seen) => seen !== undefined),
        Effect.mapError(asRuntimeError("engine_unavailable"))
      )

    const images = Effect.mapError(KeptImages.list(docker, owner.installation), asRuntimeError("engine_unavailable"))

    const keepImage = Effect.fn("DockerContainerRuntime.keepImage")(function* (
      image: ImageDigest
    ): Effect.fn.Return<void, RuntimeError> {
      const kept = KeptImages.keep(docker, owner.installation, image)
      yield* Effect.mapError(kept, (error) =>
        isAbsent(error)
          ? new RuntimeError({ reason: "image_gone", detail: `the image ${image} is gone` })
          : asRuntimeError("engine_unavailable")(error)
      )
    })

    const removeImage = Effect.fn("DockerContainerRuntime.removeImage")(function* (
      kept: KeptImage
    ): Effect.fn.Return<void, RuntimeError> {
      const removed = KeptImages.remove(docker, owner.installation, kept)
      yield* Effect.mapError(removed, asRuntimeError("engine_unavailable"))
    })

    const owned = Containers.list(docker, filterOf(owner, "workload")).pipe(
      Effect.map((listed) => listed.flatMap(nameOf)),
      Effect.mapError(asRuntimeError("engine_unavailable"))
    )

    const logs = (workload: Workload, cursor?: LogCursor): Stream.Stream<LogEntry, RuntimeError> => {
      const id = EngineId.make(workload.id)
      return Stream.mapError(lastWords.reading(id, follow(docker, id, cursor)), asRuntimeError("engine_unavailable"))
    }

    return ContainerRuntime.of({
      build: buildTree,
      start,
      inspect,
      run,
      logs,
      stop,
      hasImage,
      images,
      keepImage,
      removeImage,
      owned
    })
  })

/** Provides {@link make}. */
export const layer = (options: DockerContainerRuntimeOptions): Layer.Layer<ContainerRuntime, never, SubnetPool> =>
  Layer.effect(ContainerRuntime, make(options))

const contextOf = (options: DockerContainerRuntimeOptions, subnets: SubnetPool["Service"]): WorkloadContext => {
  const { cpus = 1, installation, memoryBytes = 512 * 1024 ** 2, pids = 512, replica } = options
  const limits: ContainerLimits = { memoryBytes, cpus, pids }
  const networks = options.networks ?? { range: { first: 10 * 2 ** 24 + 208 * 2 ** 16, prefix: 13 }, prefix: 24 }
  return { docker: connect(options), owner: newOwner(installation, replica), limits, pool: { ...networks, subnets } }
}

/** The name of a Workload, unless the container is called otherwise: then its labels are those of its image. */
const nameOf = ({ Labels, Names }: Containers.ContainersListed[number]): ReadonlyArray<WorkloadName> => {
  const name = workloadNameOf(Labels ?? {})
  return name !== undefined && Names.includes(`/${name}`) ? [name] : []
}
