// Makes the nodes of Runs as processes of this host, from the same images as the process runtime. They share the host's
// addresses: a node has the ports that it declares, at 127.0.0.1, and none of its own address. Not a sandbox: see `isolation`
// of the process runtime.

import { type RunId, Target } from "@lockkeeper/core/domain/Run"
import { maxResultBytes } from "@lockkeeper/core/domain/StepResult"
import type { NodeName, Topology } from "@lockkeeper/core/domain/Topology"
import { imageOf, InvalidTopology, inOrder } from "@lockkeeper/core/domain/topologyRefusal"
import { Address, type ImageDigest, IpAddress } from "@lockkeeper/core/domain/Workload"
import {
  credentialsVariable,
  type NodePlace,
  type NodeSpec,
  type NodeState,
  type Provider,
  ProviderError,
  RemovalError,
  type RunOwner,
  resultsVariable,
  type StepExit,
  type StepSpec
} from "@lockkeeper/core/port/Provider"
import { targetSpec, type TargetSpec } from "@lockkeeper/core/port/Providers"
import type { SourceTree } from "@lockkeeper/core/port/SourceFetcher"
import { Duration, Effect, Exit, Fiber, Schema, Scope, Stream } from "effect"
import * as Path from "node:path"
import { imageCommand, imageDirectory, store } from "./internal/buildStore.ts"
import { isFree } from "./internal/freePort.ts"
import { ownDirectory, sweepDirectory } from "./internal/privateDirectory.ts"
import { resultFile } from "./internal/resultFile.ts"
import { credentialFiles } from "./internal/secretFile.ts"
import { exitCode, exitReason, shellLine, startProcess, type WorkloadProcess } from "./internal/workloadProcess.ts"

/**
 * Says where files are kept and how long a node may take to stop. Below `directory` each Run has one of its own, with what was
 * built for it and the writable directories of its nodes. `grace` is the time between TERM and KILL (10 seconds).
 */
export interface ProcessProviderOptions {
  readonly directory: string
  readonly grace?: Duration.Input | undefined
}

/** The target of Runs whose nodes are processes. The operator says nothing of it. */
export const target = (options: ProcessProviderOptions): TargetSpec =>
  targetSpec({ target: Target.make("process"), settings: Schema.Struct({}), make: () => make(options) })

/** The processes of a node or of a step. `scope` holds its home and its ports. */
interface Running {
  readonly process: WorkloadProcess
  readonly scope: Scope.Closeable
  /** Waits, not for long, until all that it said was handed on. */
  readonly said: Effect.Effect<unknown>
}

/** How long what a node said at its end may take to be handed on. */
const patience = Duration.seconds(2)

/** What there is of a Run on this host. `scope` holds the directory that has the other two. */
interface Place {
  readonly owner: RunOwner
  readonly builds: string
  readonly homes: string
  readonly scope: Scope.Closeable
  readonly nodes: Map<NodeName, Running>
  readonly steps: Set<Running>
}

/**
 * Makes the Provider. What dead servers left is swept; nodes end with this process, even when that is killed, so that no other
 * replica has to remove them. When the Scope closes, all are ended.
 */
export const make = (options: ProcessProviderOptions): Effect.Effect<Provider, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { directory } = options
    const grace = Duration.fromInputUnsafe(options.grace ?? "10 seconds")
    const places = new Map<RunId, Place>()
    const taken = new Set<number>()

    yield* sweepDirectory(directory)

    const end = Effect.fnUntraced(function* ({ process, said, scope }: Running): Effect.fn.Return<void, string> {
      if (!(yield* process.end(grace))) return yield* Effect.fail("a process of it does not end although it was killed")
      yield* said
      yield* Scope.close(scope, Exit.void)
    })

    /** A port is the Run's own while its node is there: two Runs that declare the same one do not get in each other's way. */
    const claimPort = (port: number) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          if (taken.has(port)) return Effect.fail(`another run has the port ${port}`)
          taken.add(port)
          return Effect.void
        }),
        () => Effect.sync(() => taken.delete(port))
      ).pipe(
        Effect.andThen(isFree(port)),
        Effect.flatMap((free) => (free ? Effect.void : Effect.fail(`the port ${port} is in use`)))
      )

    const placeOf = (run: RunId, reason: ProviderError["reason"]): Effect.Effect<Place, ProviderError> =>
      Effect.suspend(() => {
        const place = places.get(run)
        return place === undefined ? failed(reason, `nothing was prepared for ${run}`) : Effect.succeed(place)
      })

    const prepare = Effect.fn("ProcessProvider.prepare")(function* (
      owner: RunOwner
    ): Effect.fn.Return<void, ProviderError> {
      const known = places.get(owner.run)
      if (known?.owner.tenant === owner.tenant) return
      if (known !== undefined) return yield* failed("name_conflict", `${owner.run} is of another tenant`)
      const { made: own, scope } = yield* Effect.mapError(kept(ownDirectory(directory, owner.run)), (detail) =>
        problem("start_failed", `${owner.run} has no directory: ${detail}`)
      )
      const place = { owner, scope, builds: Path.join(own, "builds"), homes: Path.join(own, "homes") }
      places.set(owner.run, { ...place, nodes: new Map(), steps: new Set() })
    }, Effect.uninterruptible)

    const build = Effect.fn("ProcessProvider.build")(function* (
      { run }: RunOwner,
      tree: SourceTree,
      say: Parameters<Provider["build"]>[2]
    ): Effect.fn.Return<ImageDigest, ProviderError> {
      const { builds } = yield* placeOf(run, "build_failed")
      return yield* Effect.mapError(store(builds, tree.directory, say), ({ detail }) => problem("build_failed", detail))
    })

    /** Starts the process of a node or of a step, in a home of its own that has the Credentials. */
    const launch = Effect.fnUntraced(function* (
      { builds, homes }: Place,
      spec: NodeSpec,
      argv: Parameters<typeof startProcess>[0]["argv"],
      results?: string
    ) {
      const { credentials, env, image, node } = spec
      const home = yield* ownDirectory(homes)
      const secrets = yield* credentialFiles(Path.join(home, "credentials"), credentials)
      const told = { [credentialsVariable]: secrets, ...(results === undefined ? {} : { [resultsVariable]: results }) }
      const [port] = node.ports
      return yield* startProcess({ argv, directory: imageDirectory(builds, image), home, port, env, told })
    })

    /** Does something in a Scope of its own, which stays open when that succeeds. */
    const kept = <A>(making: Effect.Effect<A, string, Scope.Scope>) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const made = yield* making.pipe(
          Scope.provide(scope),
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
        )
        return { made, scope }
      })

    const start = Effect.fn("ProcessProvider.start")(function* (
      spec: NodeSpec,
      say: Parameters<Provider["start"]>[1]
    ): Effect.fn.Return<NodePlace, ProviderError> {
      const { image, node, owner } = spec
      const place = yield* placeOf(owner.run, "start_failed")
      const line = yield* Effect.mapError(imageCommand(place.builds, image), ({ detail }) =>
        problem("image_not_found", detail)
      )
      if (place.nodes.has(node.name)) return yield* failed("name_conflict", `the node ${node.name} is there already`)
      const making = Effect.andThen(
        Effect.forEach(node.ports, claimPort, { discard: true }),
        launch(place, spec, node.command ?? shellLine(line))
      )
      const { made: process, scope } = yield* Effect.mapError(kept(making), (detail) =>
        problem("start_failed", `the node ${node.name} could not be started: ${detail}`)
      )
      const saying = yield* Effect.forkIn(Stream.runForEach(process.logs, say), scope)
      const running = { process, scope, said: Effect.timeoutOption(Fiber.await(saying), patience) }
      if (places.get(owner.run) !== place) {
        yield* Effect.ignore(end(running))
        return yield* failed("start_failed", `${owner.run} was removed meanwhile`)
      }
      place.nodes.set(node.name, running)
      const [port] = node.ports
      const address = port === undefined ? null : Address.make({ host: IpAddress.make("127.0.0.1"), port })
      return { node: node.name, address }
    }, Effect.uninterruptible)

    const perform = Effect.fn("ProcessProvider.perform")(function* (
      spec: StepSpec,
      say: Parameters<Provider["perform"]>[1]
    ): Effect.fn.Return<StepExit, ProviderError> {
      const { node, owner, step } = spec
      const place = yield* placeOf(owner.run, "step_failed")
      if (!place.nodes.has(node.name)) {
        return yield* failed("step_failed", `the node ${node.name} does not run`)
      }
      const done = Effect.gen(function* () {
        const results = yield* ownDirectory(place.homes)
        const exit = yield* Effect.acquireUseRelease(
          Effect.map(kept(launch(place, spec, step.command, results)), ({ made: process, scope }) => {
            const running = { process, scope, said: Effect.void }
            place.steps.add(running)
            return running
          }),
          ({ process }) => Effect.andThen(Stream.runForEach(process.logs, say), process.exited),
          (running) =>
            Effect.andThen(
              end(running),
              Effect.sync(() => place.steps.delete(running))
            )
        )
        const file = step.result === null ? undefined : yield* resultFile(results, step.result.file, maxResultBytes + 1)
        return { exitCode: exitCode(exit), file }
      })
      return yield* Effect.mapError(Effect.scoped(done), (detail) =>
        problem("step_failed", `the step ${step.name} could not be taken: ${detail}`)
      )
    })

    const remove = Effect.fn("ProcessProvider.remove")(function* (run: RunId): Effect.fn.Return<void, RemovalError> {
      const place = places.get(run)
      if (place === undefined) return
      const running = [
        ...[...place.steps].map((step) => ({ what: "a step", running: step, forget: () => place.steps.delete(step) })),
        ...[...place.nodes].map(([name, node]) => ({
          what: `the node ${name}`,
          running: node,
          forget: () => place.nodes.delete(name)
        }))
      ]
      const left = yield* Effect.forEach(
        running,
        ({ forget, running, what }) =>
          Effect.match(end(running), {
            onSuccess: () => {
              forget()
              return []
            },
            onFailure: (detail) => [{ what, detail }]
          }),
        { concurrency: "unbounded" }
      )
      if (left.flat().length > 0) return yield* new RemovalError({ left: left.flat() })
      yield* Scope.close(place.scope, Exit.void)
      places.delete(run)
    }, Effect.uninterruptible)

    const inspect = (run: RunId, name: NodeName): Effect.Effect<NodeState> =>
      Effect.suspend((): Effect.Effect<NodeState> => {
        const node = places.get(run)?.nodes.get(name)
        if (node === undefined) return Effect.succeed({ state: "gone" })
        if (node.process.isAlive()) return Effect.succeed({ state: "running" })
        return Effect.map(node.process.exited, (exit) => ({ state: "exited", reason: exitReason(exit) }))
      })

    yield* Effect.addFinalizer(() =>
      Effect.forEach(
        [...places.keys()],
        (run) => Effect.catch(remove(run), (error) => Effect.logWarning(error.message)),
        { concurrency: "unbounded", discard: true }
      )
    )

    return {
      refuses,
      reserve: () => Effect.succeed(null),
      extend: () => Effect.void,
      giveBack: () => Effect.void,
      resolve: (reference) => failed("image_not_found", `a process runs no image, such as ${reference}`),
      build,
      prepare,
      start,
      inspect,
      perform,
      remove,
      owned: Effect.sync(() => [...places.keys()])
    }
  })

/** Processes run what is built from a source. */
const refuses = ({ nodes }: Topology): InvalidTopology | undefined => {
  const node = inOrder(nodes).find((it) => imageOf(it) !== undefined)
  if (node === undefined) return undefined
  const detail = `the node ${node.name} has an image; here nodes are processes, which are built from a source`
  return new InvalidTopology({ reason: "image_or_source", node: node.name, nodes: [node.name], detail })
}

const problem = (reason: ProviderError["reason"], detail: string): ProviderError =>
  new ProviderError({ reason, detail })

const failed = (reason: ProviderError["reason"], detail: string): Effect.Effect<never, ProviderError> =>
  Effect.fail(problem(reason, detail))
