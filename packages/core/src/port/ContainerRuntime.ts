// Builds images and runs Workloads. A process on this host is as good as a container: the adapter says what isolates it.
import { Context, Effect, Layer, Schedule, Schema, Stream } from "effect"
import type { AppId } from "../domain/App.ts"
import type { Env } from "../domain/Env.ts"
import type { ItemInput, WorkId } from "../domain/Job.ts"
import type { Fence } from "../domain/Lease.ts"
import type { LogCursor, LogEntry } from "../domain/LogLine.ts"
import type { TenantName } from "../domain/Tenant.ts"
import {
  Address,
  type Command,
  type CommandExit,
  ImageDigest,
  IpAddress,
  type KeptImage,
  type Workload,
  WorkloadId,
  type WorkloadName,
  type WorkloadPort,
  type WorkloadState
} from "../domain/Workload.ts"
import { MemoryState } from "./MemoryState.ts"
import type { SourceTree } from "./SourceFetcher.ts"
import type { StoreError } from "./StoreError.ts"

/** The runtime could not do what it was asked; what it made on the way is gone. `detail` holds no secret. */
export class RuntimeError extends Schema.TaggedError<RuntimeError>()("RuntimeError", {
  reason: Schema.Literals([
    "no_build_file",
    "build_failed",
    "start_failed",
    "name_conflict",
    "port_conflict",
    "image_gone",
    "engine_unavailable"
  ]),
  detail: Schema.String
}) {
  override readonly message = this.detail
}

/**
 * What a Workload is started from. Tenant, App, what it is `work` of and Fence say whose it is. Without a `port` the image says on
 * which one it listens, or the runtime gives it one; it is told in the variable PORT in any case.
 */
export interface WorkloadSpec {
  readonly name: WorkloadName
  readonly tenant: TenantName
  readonly app: AppId
  readonly work: WorkId
  readonly fence: Fence
  readonly image: ImageDigest
  readonly env: Env
  readonly port: WorkloadPort | null
}

/** The variable in which a command is told the Item that it runs for. */
export const itemVariable = "LOCKKEEPER_ITEM"

/**
 * A command to run once where a Workload of this spec would run: its program, then its arguments. With an `item` it is told
 * that in {@link itemVariable}.
 */
export interface CommandSpec extends WorkloadSpec {
  readonly command: Command
  readonly item?: ItemInput | undefined
}

/** Runs Workloads. */
export class ContainerRuntime extends Context.Service<
  ContainerRuntime,
  {
    /** Makes an image from a tree; the same tree makes the same image, another one another. Interrupted, it leaves nothing. */
    readonly build: (
      tree: SourceTree,
      say: (entry: LogEntry) => Effect.Effect<void>
    ) => Effect.Effect<ImageDigest, RuntimeError>
    /**
     * Starts a Workload under its name. One in use is refused with `name_conflict`, and what bears it goes on; otherwise,
     * interrupted or failed, nothing of that name is left.
     */
    readonly start: (spec: WorkloadSpec) => Effect.Effect<Workload, RuntimeError>
    /** What is to be seen of a Workload now. */
    readonly inspect: (workload: Workload) => Effect.Effect<WorkloadState, RuntimeError>
    /**
     * Runs a command to its end under a free name, as `start` has it, as long as that takes, and answers how it ended once all that it said was said. What runs is
     * told to `started`, to be written down; when that fails, the command is ended. Until its end it is among what is
     * `owned`, and it can be stopped as a Workload can. Nothing of it is left, however it ends.
     */
    readonly run: (
      spec: CommandSpec,
      say: (entry: LogEntry) => Effect.Effect<void>,
      started: (workload: Workload) => Effect.Effect<void, StoreError>
    ) => Effect.Effect<CommandExit, RuntimeError | StoreError>
    /** What a Workload says, from its start or from behind `after`; ends when it has exited and everything was read. */
    readonly logs: (workload: Workload, after?: LogCursor) => Stream.Stream<LogEntry, RuntimeError>
    /**
     * Stops a Workload, with a bounded grace, and removes what is left of it; with an `id`, that one and no later one of
     * the name. One that is gone is no error.
     */
    readonly stop: (name: WorkloadName, id: WorkloadId | undefined) => Effect.Effect<void, RuntimeError>
    /** Whether an image is there now, so that a Workload can be started from it; whose it is does not matter. */
    readonly hasImage: (image: ImageDigest) => Effect.Effect<boolean, RuntimeError>
    /** The images that are kept here and are ours. */
    readonly images: Effect.Effect<ReadonlyArray<KeptImage>, RuntimeError>
    /** Keeps an image that is there anew: who removes it as it was listed before leaves it. A build does so too. */
    readonly keepImage: (image: ImageDigest) => Effect.Effect<void, RuntimeError>
    /**
     * Keeps an image no longer as it was listed; what nothing else keeps is gone then. One that was kept anew since, or from
     * which a Workload was started that exists, stays. One that is gone is no error.
     */
    readonly removeImage: (kept: KeptImage) => Effect.Effect<void, RuntimeError>
    /** The names of the Workloads that exist and are ours. */
    readonly owned: Effect.Effect<ReadonlyArray<WorkloadName>, RuntimeError>
  }
>()("@lockkeeper/core/port/ContainerRuntime") {
  /** Workloads that are only remembered: they run until they are stopped. Every command succeeds but `false`, and `sleep`, which runs until it is stopped; `env` says its Item. */
  static readonly layerMemory: Layer.Layer<ContainerRuntime, never, MemoryState> = Layer.effect(
    ContainerRuntime,
    Effect.gen(function* () {
      const state = yield* MemoryState

      const built = new Map<string, ImageDigest>()
      let marks = 0

      const keep = (image: ImageDigest): void => {
        for (const kept of state.keptImages.values()) if (kept.image === image) state.keptImages.delete(kept.mark)
        const mark = String(++marks)
        state.keptImages.set(mark, { image, mark })
      }

      const keepImage = Effect.fnUntraced(function* (image: ImageDigest) {
        if (!state.images.has(image)) {
          return yield* new RuntimeError({ reason: "image_gone", detail: `the image ${image} is gone` })
        }
        keep(image)
      })

      const build = Effect.fnUntraced(function* (tree: SourceTree, say: (entry: LogEntry) => Effect.Effect<void>) {
        const identity = state.trees.get(tree.directory) ?? `${tree.directory} ${tree.commit}`
        const digest = () => ImageDigest.make(`sha256:${(++state.sequence).toString(16).padStart(64, "0")}`)
        const image = built.get(identity) ?? digest()
        built.set(identity, image)
        state.images.add(image)
        keep(image)
        yield* say({ stream: "build", line: `built ${image}` })
        return image
      })

      const start = Effect.fnUntraced(function* (spec: WorkloadSpec) {
        if (!state.images.has(spec.image)) {
          return yield* new RuntimeError({ reason: "image_gone", detail: `the image ${spec.image} is gone` })
        }
        if (state.workloads.has(spec.name)) {
          return yield* new RuntimeError({ reason: "name_conflict", detail: `the name ${spec.name} is in use` })
        }
        const workload = {
          id: WorkloadId.make(`memory-${++state.sequence}`),
          name: spec.name,
          address: Address.make({ host: IpAddress.make("127.0.0.1"), port: 30_000 + (state.sequence % 10_000) }),
          image: spec.image
        }
        state.workloads.set(spec.name, workload)
        return workload
      })

      const gone = (name: WorkloadName) =>
        Effect.repeat(
          Effect.sync(() => state.workloads.has(name)),
          { while: (isThere) => isThere, schedule: Schedule.spaced("100 millis") }
        )

      const run = (
        spec: CommandSpec,
        say: (entry: LogEntry) => Effect.Effect<void>,
        started: (workload: Workload) => Effect.Effect<void, StoreError>
      ) =>
        Effect.acquireUseRelease(
          start(spec),
          (workload) =>
            Effect.gen(function* () {
              yield* started(workload)
              const line = spec.command[0] === "env" ? `${itemVariable}=${spec.item}` : spec.command.join(" ")
              yield* say({ stream: "stdout", line })
              if (spec.command[0] === "sleep") yield* gone(spec.name)
              const exitCode = { false: 1, sleep: 137 }[spec.command[0]] ?? 0
              return { exitCode, reason: `exited with code ${exitCode}` }
            }),
          () => Effect.sync(() => state.workloads.delete(spec.name))
        )

      const removeImage = ({ image, mark }: KeptImage) =>
        Effect.sync(() => {
          if ([...state.workloads.values()].some((workload) => workload.image === image)) return
          const wasKept = state.keptImages.delete(mark)
          const isKept = [...state.keptImages.values()].some((other) => other.image === image)
          if (wasKept && !isKept) state.images.delete(image)
        })

      return ContainerRuntime.of({
        build,
        start,
        inspect: (workload) =>
          Effect.sync(() => {
            const running = state.workloads.get(workload.name)
            return running?.id === workload.id ? { state: "running", image: running.image } : { state: "gone" }
          }),
        run,
        logs: () => Stream.empty,
        stop: (name, id) =>
          Effect.sync(() => {
            if (id === undefined || state.workloads.get(name)?.id === id) state.workloads.delete(name)
          }),
        hasImage: (image) => Effect.sync(() => state.images.has(image)),
        images: Effect.sync(() => [...state.keptImages.values()]),
        keepImage,
        removeImage,
        owned: Effect.sync(() => [...state.workloads.keys()])
      })
    })
  )
}
