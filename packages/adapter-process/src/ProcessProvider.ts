// Makes the nodes of Runs as plain processes of this host, from sources alone. They share its addresses and are not isolated,
// and they end with this server, also when it is killed: nothing of them is left for another one to remove.

import type { LogEntry } from "@lockkeeper/core/domain/LogLine"
import type { PlanNode } from "@lockkeeper/core/domain/Plan"
import { type RunId, Target } from "@lockkeeper/core/domain/Run"
import type { NodeName } from "@lockkeeper/core/domain/Topology"
import { unsupportedImage } from "@lockkeeper/core/domain/topologyRefusal"
import { Address, type ImageDigest, IpAddress } from "@lockkeeper/core/domain/Workload"
import type { RuntimeError } from "@lockkeeper/core/port/ContainerRuntime"
import { failpoint } from "@lockkeeper/core/port/failpoint"
import {
  credentialsVariable,
  type NodePlace,
  type NodeSpec,
  type NodeState,
  type Provider,
  ProviderError,
  RemovalError,
  resultsVariable,
  type RunOwner,
  type StepExit,
  type StepSpec
} from "@lockkeeper/core/port/Provider"
import { type TargetSpec, targetSpec } from "@lockkeeper/core/port/Providers"
import type { SourceTree } from "@lockkeeper/core/port/SourceFetcher"
import { Duration, Effect, Exit, Schema, Scope, Stream } from "effect"
import * as Path from "node:path"
import { imageCommand, imageDirectory, store } from "./internal/buildStore.ts"
import { isFree } from "./internal/freePort.ts"
import { ownDirectory, removeDirectory, sweepDirectory } from "./internal/privateDirectory.ts"
import { isAlive } from "./internal/processTable.ts"
import { credentialFiles, freshDirectory, resultFile } from "./internal/runFiles.ts"
import { exitCode, exitReason, shellLine, startProcess, type WorkloadProcess } from "./internal/workloadProcess.ts"

/** Where files are kept: everything of a Run, what was built for it too, in a directory of its own below `runs`. */
export interface ProcessProviderOptions {
  readonly runs: string
  /** Ports that no node is given, such as those of the server. */
  readonly isReserved?: ((port: number) => boolean) | undefined
}

/**
 * What the operator says of Runs as processes: `graceSeconds` is the time between TERM and KILL (5). The end of a step and
 * that of the nodes come one after the other, so that a server which stops needs twice as long at worst.
 */
export const ProcessProviderSettings = Schema.Struct({
  graceSeconds: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 300 })))
})

/** The type of {@link ProcessProviderSettings}. */
export interface ProcessProviderSettings extends Schema.Schema.Type<typeof ProcessProviderSettings> {}

type Say = (entry: LogEntry) => Effect.Effect<void>

interface Place {
  readonly owner: RunOwner
  readonly directory: string
  readonly scope: Scope.Closeable
  readonly nodes: Map<NodeName, WorkloadProcess | undefined>
  readonly ports: Set<number>
  readonly steps: Set<WorkloadProcess>
  /** Whether it is being removed: nothing begins in it any more. */
  isClosing: boolean
}

const buildsOf = ({ directory }: Place): string => Path.join(directory, "builds")

const failed = (reason: ProviderError["reason"], what: string) => (problem: string | RuntimeError) => {
  const detail = `${what}: ${typeof problem === "string" ? problem : problem.detail}`
  return new ProviderError({ reason, detail })
}

/**
 * Removes what dead servers left of Runs below `runs`, Credentials among it. A Provider does so when it is made, which is with
 * the first Run: a server does it when it starts.
 */
export const sweep = (runs: string): Effect.Effect<void> => Effect.asVoid(sweepDirectory(runs))

/** Makes the Provider; when the Scope closes, all Runs end. */
export const make = Effect.fnUntraced(function* (
  { isReserved = () => false, runs }: ProcessProviderOptions,
  { graceSeconds = 5 }: ProcessProviderSettings
): Effect.fn.Return<Provider, never, Scope.Scope> {
  const grace = Duration.seconds(graceSeconds)
  const places = new Map<RunId, Place>()
  yield* sweep(runs)

  /** The place of a Run in which something may begin. */
  const openPlace = (run: RunId): Place | undefined => {
    const place = places.get(run)
    return place?.isClosing === true ? undefined : place
  }

  const removedMeanwhile = "its run was removed meanwhile"

  const prepare = Effect.fn("ProcessProvider.prepare")(function* (owner: RunOwner) {
    const present = places.get(owner.run)
    if (present?.owner.tenant === owner.tenant) return
    if (present !== undefined) return yield* failed("name_conflict", owner.run)("it is there, of another tenant")
    const scope = yield* Scope.make()
    const directory = yield* ownDirectory(runs, owner.run).pipe(
      Scope.provide(scope),
      Effect.mapError(failed("start_failed", `${owner.run} has no directory`))
    )
    const nothing = { nodes: new Map(), ports: new Set<number>(), steps: new Set<WorkloadProcess>() }
    places.set(owner.run, { owner, directory, scope, ...nothing, isClosing: false })
  }, Effect.uninterruptible)

  const build = Effect.fn("ProcessProvider.build")(function* (
    { run }: RunOwner,
    tree: SourceTree,
    say: Say
  ): Effect.fn.Return<ImageDigest, ProviderError> {
    const place = openPlace(run)
    if (place === undefined) return yield* failed("build_failed", run)("it was not prepared")
    // A build makes the directories that it needs, also after they were removed.
    const building = Effect.ensuring(
      store(buildsOf(place), tree.directory, say),
      Effect.suspend(() => (places.get(run) === place ? Effect.void : removeDirectory(place.directory)))
    )
    const image = yield* Effect.mapError(building, failed("build_failed", "the source cannot be run"))
    return openPlace(run) === place ? image : yield* failed("build_failed", run)(removedMeanwhile)
  })

  /** Takes the ports of a node, which nobody has: what answers there must be the node, and not what another Run has there. */
  const takePorts = Effect.fnUntraced(function* (place: Place, { ports }: PlanNode) {
    for (const port of ports) {
      if (isReserved(port)) return yield* Effect.fail(`the port ${port} is reserved`)
      const isTaken = [...places.values()].some((other) => other !== place && other.ports.has(port))
      if (!isTaken) place.ports.add(port)
      if (isTaken || !(yield* isFree(port))) return yield* Effect.fail(`the port ${port} is in use`)
    }
  })

  const startIn = Effect.fnUntraced(function* (
    place: Place,
    { credentials, env, image, node }: NodeSpec,
    argv: readonly [string, ...ReadonlyArray<string>],
    more: Readonly<Record<string, string>> = {}
  ) {
    const { directory } = place
    const home = yield* freshDirectory(directory, `home-${node.name}`)
    const files = credentials.size === 0 ? undefined : yield* credentialFiles(directory, node, credentials)
    const places = { ...more, ...(files === undefined ? {} : { [credentialsVariable]: files }) }
    const process = yield* startProcess({
      argv,
      directory: imageDirectory(buildsOf(place), image),
      home,
      port: node.ports[0],
      env,
      places
    })
    if (openPlace(place.owner.run) === place) return process
    // Who removed the Run did not see this one: it has only just begun, and gets no grace.
    yield* process.end(Duration.zero)
    return yield* Effect.fail(removedMeanwhile)
  })

  const start = Effect.fn("ProcessProvider.start")(function* (
    spec: NodeSpec,
    say: Say
  ): Effect.fn.Return<NodePlace, ProviderError> {
    const { image, node, owner } = spec
    const place = openPlace(owner.run)
    if (place === undefined) return yield* failed("start_failed", node.name)("its run was not prepared")
    if (place.nodes.has(node.name)) return yield* failed("name_conflict", node.name)("it is there")
    place.nodes.set(node.name, undefined)
    const line = Effect.mapError(imageCommand(buildsOf(place), image), failed("image_not_found", node.name))
    const process = yield* line.pipe(
      Effect.flatMap((web) =>
        Effect.mapError(
          Effect.andThen(takePorts(place, node), startIn(place, spec, node.command ?? shellLine(web))),
          failed("start_failed", node.name)
        )
      ),
      Effect.tapError(() => Effect.sync(() => place.nodes.delete(node.name)))
    )
    place.nodes.set(node.name, process)
    yield* Effect.forkIn(Stream.runForEach(process.logs, say), place.scope)
    const [port] = node.ports
    const host = IpAddress.make("127.0.0.1")
    return { node: node.name, address: port === undefined ? null : Address.make({ host, port }) }
  }, Effect.uninterruptible)

  const inspect = (run: RunId, node: NodeName): Effect.Effect<NodeState> =>
    Effect.gen(function* () {
      const process = places.get(run)?.nodes.get(node)
      if (process === undefined) return { state: "gone" }
      return isAlive(process.leader)
        ? { state: "running" }
        : { state: "exited", reason: exitReason(yield* process.exited) }
    })

  const perform = Effect.fn("ProcessProvider.perform")(function* (
    spec: StepSpec,
    say: Say
  ): Effect.fn.Return<StepExit, ProviderError> {
    const { node, owner, step } = spec
    const place = openPlace(owner.run)
    if (place === undefined || (yield* inspect(owner.run, node.name)).state !== "running") {
      return yield* failed("step_failed", step.name)(`the node ${node.name} does not run`)
    }
    const asStepError = failed("step_failed", step.name)
    const results = yield* Effect.mapError(freshDirectory(place.directory, `results-${step.name}`), asStepError)
    return yield* Effect.acquireUseRelease(
      Effect.tap(
        Effect.mapError(startIn(place, spec, step.command, { [resultsVariable]: results }), asStepError),
        (process) => Effect.sync(() => place.steps.add(process))
      ),
      (process) =>
        Effect.gen(function* () {
          yield* Stream.runForEach(process.logs, say)
          const exit = yield* process.exited
          const file = step.result === null ? undefined : yield* resultFile(Path.join(results, step.result.file))
          return { exitCode: exitCode(exit), file }
        }),
      (process) => Effect.tap(process.end(grace), () => Effect.sync(() => place.steps.delete(process)))
    )
  })

  /** Ends a group; what is left of it is said. */
  const ended = (what: string, process: WorkloadProcess | undefined) =>
    Effect.gen(function* () {
      const isGone = process === undefined || (yield* process.end(grace))
      return yield* isGone ? Effect.void : Effect.fail("it does not end although it was killed")
    }).pipe(
      (removal) => failpoint("process.remove", removal, Effect.fail("a failpoint")),
      Effect.match({ onSuccess: () => [], onFailure: (detail) => [{ what, detail }] })
    )

  const remove = Effect.fn("ProcessProvider.remove")(function* (run: RunId): Effect.fn.Return<void, RemovalError> {
    const place = places.get(run)
    if (place === undefined) return
    place.isClosing = true
    const nodes = [...place.nodes].map(([name, process]) =>
      Effect.tap(ended(`the node ${name}`, process), (left) =>
        Effect.sync(() => left.length === 0 && place.nodes.delete(name))
      )
    )
    const steps = [...place.steps].map((process) => ended("a step", process))
    const left = (yield* Effect.all([...steps, ...nodes], { concurrency: "unbounded" })).flat()
    if (left.length > 0) return yield* new RemovalError({ left })
    yield* Scope.close(place.scope, Exit.void)
    places.delete(run)
  })

  yield* Effect.addFinalizer(() =>
    Effect.forEach([...places.keys()], (run) => Effect.ignore(remove(run)), { concurrency: "unbounded", discard: true })
  )

  return {
    refuses: unsupportedImage,
    reserve: () => Effect.succeed(null),
    extend: () => Effect.void,
    giveBack: () => Effect.void,
    resolve: (reference) => Effect.fail(failed("image_not_found", reference)("processes run no images")),
    build,
    prepare,
    start,
    inspect,
    perform,
    remove,
    owned: Effect.sync(() => [...places.keys()])
  }
})

/** The target `process`, for {@link Providers.layer}. */
export const target = (options: ProcessProviderOptions): TargetSpec =>
  targetSpec({
    target: Target.make("process"),
    settings: ProcessProviderSettings,
    make: (settings) => make(options, settings)
  })
