// Runs Workloads as plain processes of this host: the embedded default for a first try. Images are read-only copies of
// trees. Not a sandbox: see `isolation`.

import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import {
  Address,
  type CommandExit,
  IpAddress,
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
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Duration, Effect, Exit, Layer, Scope, Stream } from "effect"
import { imageCommand, imageDirectory, keep, listKept, removeKept, store } from "./internal/buildStore.ts"
import { freePort } from "./internal/freePort.ts"
import { ownDirectory, sweepDirectory } from "./internal/privateDirectory.ts"
import { endForeignGroup } from "./internal/processGroup.ts"
import { identityText, isAlive, parseIdentity } from "./internal/processTable.ts"
import { exitCode, exitReason, shellLine, startProcess, type WorkloadProcess } from "./internal/workloadProcess.ts"

/**
 * Says where files are kept and how long a Workload may take to stop.
 *
 * `builds` holds the images and may be kept for ever; `homes` holds the writable directory of each running Workload.
 * Both belong to this user alone, and to one host. `grace` is the time between TERM and KILL (10 seconds).
 */
export interface ProcessContainerRuntimeOptions {
  readonly builds: string
  readonly homes: string
  readonly grace?: Duration.Input | undefined
  /** Ports that no Workload is given, such as those under which Apps are reached. */
  readonly isReserved?: ((port: number) => boolean) | undefined
}

/** What a server prints when it starts with this runtime. */
export const isolation =
  "The process runtime isolates nothing: every App runs as the user of this server and can read and change what that user can. Use it for code that you trust, and Docker for all other."

// `scope` holds the process and its home.
interface Owned {
  readonly workload: Workload
  readonly process: WorkloadProcess
  readonly scope: Scope.Closeable
}

/**
 * Sweeps what dead servers left, then runs Workloads until the Scope closes, which stops them all.
 *
 * A Workload's whole process group also dies with this process, even when that is killed. Processes that leave their
 * group (`setsid`) are not followed. Workloads of another server on this host are known by pid and start time: they
 * can be inspected and stopped, and only their own server has their output. Of the output the last MiB is kept.
 */
export const make = (
  options: ProcessContainerRuntimeOptions
): Effect.Effect<ContainerRuntime["Service"], never, Scope.Scope> =>
  Effect.gen(function* () {
    const { builds, homes } = options
    const grace = Duration.fromInputUnsafe(options.grace ?? "10 seconds")
    const workloads = new Map<WorkloadName, Owned>()
    const starting = new Set<WorkloadName>()
    const given = new Set<number>()
    const isGiven = (port: number): boolean => given.has(port) || options.isReserved?.(port) === true
    let closing = false

    yield* sweepDirectory(builds)
    yield* sweepDirectory(homes)

    const release = Effect.fnUntraced(function* (owned: Owned): Effect.fn.Return<void, RuntimeError> {
      if (!(yield* owned.process.end(grace))) return yield* wouldNotEnd(owned.workload.name)
      yield* Scope.close(owned.scope, Exit.void)
      if (workloads.get(owned.workload.name) === owned) workloads.delete(owned.workload.name)
    })

    const launch = Effect.fnUntraced(function* (
      spec: WorkloadSpec,
      argv: CommandSpec["command"],
      item?: CommandSpec["item"]
    ) {
      const home = yield* ownDirectory(homes, spec.name)
      const port = yield* Effect.acquireRelease(
        Effect.tap(freePort(isGiven), (port) => Effect.sync(() => given.add(port))),
        (port) => Effect.sync(() => given.delete(port))
      )
      const directory = imageDirectory(builds, spec.image)
      const process = yield* startProcess({ argv, directory, home, port, env: spec.env, item })
      return { process, workload: workloadOf(spec, process, port) }
    })

    const begin = Effect.fnUntraced(function* (
      spec: WorkloadSpec,
      argv: CommandSpec["command"],
      item?: CommandSpec["item"]
    ): Effect.fn.Return<Owned, RuntimeError> {
      if (closing) return yield* failed(spec.name, "this server is stopping")
      if (workloads.has(spec.name) || starting.has(spec.name)) return yield* nameInUse(spec.name)
      starting.add(spec.name)
      const scope = yield* Scope.make()
      const launched = yield* launch(spec, argv, item).pipe(
        Scope.provide(scope),
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        Effect.mapError((problem) => failed(spec.name, problem)),
        Effect.ensuring(Effect.sync(() => starting.delete(spec.name)))
      )
      const owned = { ...launched, scope }
      workloads.set(spec.name, owned)
      return owned
    })

    const start = Effect.fn("ProcessContainerRuntime.start")(function* (
      spec: WorkloadSpec
    ): Effect.fn.Return<Workload, RuntimeError> {
      const command = yield* imageCommand(builds, spec.image)
      return yield* Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const owned = yield* begin(spec, shellLine(command))
          const undo = Effect.ignore(release(owned))
          yield* restore(Effect.yieldNow).pipe(Effect.onInterrupt(() => undo))
          if (!closing) return owned.workload
          yield* undo
          return yield* failed(spec.name, "this server is stopping")
        })
      )
    })

    const run = Effect.fn("ProcessContainerRuntime.run")(function* (
      spec: CommandSpec,
      say: (entry: LogEntry) => Effect.Effect<void>,
      started: (workload: Workload) => Effect.Effect<void, StoreError>
    ): Effect.fn.Return<CommandExit, RuntimeError | StoreError> {
      yield* imageCommand(builds, spec.image)
      return yield* Effect.acquireUseRelease(
        begin(spec, spec.command, spec.item),
        ({ process, workload }) =>
          Effect.gen(function* () {
            yield* started(workload)
            yield* Stream.runForEach(process.logs, say)
            const exit = yield* process.exited
            return { exitCode: exitCode(exit), reason: exitReason(exit) }
          }),
        release
      )
    })

    const own = (name: WorkloadName, id: WorkloadId | undefined): Owned | undefined => {
      const owned = workloads.get(name)
      return owned === undefined || (id !== undefined && id !== owned.workload.id) ? undefined : owned
    }

    const inspect = (workload: Workload): Effect.Effect<WorkloadState> =>
      Effect.gen(function* () {
        const leader = parseIdentity(workload.id)
        if (leader !== undefined && isAlive(leader)) return { state: "running", image: workload.image }
        const owned = own(workload.name, workload.id)
        return owned === undefined
          ? { state: "gone" }
          : { state: "exited", reason: exitReason(yield* owned.process.exited) }
      })

    const stop = Effect.fn("ProcessContainerRuntime.stop")(function* (
      name: WorkloadName,
      id: WorkloadId | undefined
    ): Effect.fn.Return<void, RuntimeError> {
      const owned = own(name, id)
      if (owned !== undefined) return yield* release(owned)
      const leader = id === undefined ? undefined : parseIdentity(id)
      if (leader !== undefined && !(yield* endForeignGroup(leader, grace))) return yield* wouldNotEnd(name)
    })

    const removeImage = (kept: KeptImage): Effect.Effect<void, RuntimeError> => {
      const isUsed = [...workloads.values()].some(({ workload }) => workload.image === kept.image)
      return isUsed ? Effect.void : removeKept(builds, kept)
    }

    yield* Effect.addFinalizer(() => {
      closing = true
      return Effect.forEach(
        workloads.values(),
        (owned) => Effect.catch(release(owned), (error) => Effect.logWarning(error.detail)),
        { concurrency: "unbounded", discard: true }
      )
    })

    return ContainerRuntime.of({
      build: Effect.fn("ProcessContainerRuntime.build")((tree, say) => store(builds, tree.directory, say)),
      start,
      inspect,
      run,
      logs: (workload) => own(workload.name, workload.id)?.process.logs ?? elsewhere(workload),
      stop,
      hasImage: (image) => Effect.isSuccess(imageCommand(builds, image)),
      images: listKept(builds),
      keepImage: (image) => keep(builds, image),
      removeImage,
      owned: Effect.sync(() => [...workloads.keys()])
    })
  })

/** Provides {@link make}. */
export const layer = (options: ProcessContainerRuntimeOptions): Layer.Layer<ContainerRuntime> =>
  Layer.effect(ContainerRuntime, make(options))

const failed = (name: WorkloadName, problem: string): RuntimeError =>
  new RuntimeError({ reason: "start_failed", detail: `${name} could not be started: ${problem}` })

const nameInUse = (name: WorkloadName): RuntimeError =>
  new RuntimeError({ reason: "name_conflict", detail: `the name ${name} is in use` })

const wouldNotEnd = (name: WorkloadName): RuntimeError =>
  new RuntimeError({ reason: "engine_unavailable", detail: `a process of ${name} does not end although it was killed` })

const workloadOf = (spec: WorkloadSpec, process: WorkloadProcess, port: number): Workload => ({
  id: WorkloadId.make(identityText(process.leader)),
  name: spec.name,
  address: Address.make({ host: IpAddress.make("127.0.0.1"), port }),
  image: spec.image
})

const elsewhere = (workload: Workload): ReturnType<ContainerRuntime["Service"]["logs"]> => {
  const leader = parseIdentity(workload.id)
  return leader !== undefined && isAlive(leader)
    ? Stream.make({ stream: "system", line: "the output of this Workload is kept by the server that started it" })
    : Stream.empty
}
