// Replicas whose ports do what a test says: each has failpoints around the memory layers over one shared state, counts
// every call, and reacts to chosen calls by failing, dying, losing the answer, holding it back, or being killed.
import { Context, Effect, Layer, Stream } from "effect"
import { defaultLeaseTerms, type LeaseTerms, ReplicaId } from "../../src/domain/Lease.ts"
import type { LogEntry } from "../../src/domain/LogLine.ts"
import type { Workload, WorkloadName } from "../../src/domain/Workload.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { CheckpointStore } from "../../src/port/CheckpointStore.ts"
import { ContainerRuntime, type RuntimeError } from "../../src/port/ContainerRuntime.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { EnvStore } from "../../src/port/EnvStore.ts"
import { EventFeed } from "../../src/port/EventFeed.ts"
import { type FailpointReaction, Failpoints } from "../../src/port/failpoint.ts"
import { HealthProbe } from "../../src/port/HealthProbe.ts"
import { hinted } from "../../src/port/hinted.ts"
import { Hints } from "../../src/port/Hints.ts"
import { JobStore } from "../../src/port/JobStore.ts"
import { RunStore } from "../../src/port/RunStore.ts"
import { RetentionStore } from "../../src/port/RetentionStore.ts"
import { Journal } from "../../src/port/Journal.ts"
import { LogStore } from "../../src/port/LogStore.ts"
import { MemoryState, type MemoryTables } from "../../src/port/MemoryState.ts"
import { Providers } from "../../src/port/Providers.ts"
import { Router } from "../../src/port/Router.ts"
import { SourceFetcher } from "../../src/port/SourceFetcher.ts"
import type { StoreError } from "../../src/port/StoreError.ts"
import type { DispatcherPorts } from "../../src/program/Dispatcher.ts"
import { Replica } from "../../src/program/Replica.ts"
import {
  failpointAppStore,
  failpointRetentionStore,
  type FailpointPorts,
  failpointPorts
} from "../../src/testing/failpointPorts.ts"
import { failpointRunStore } from "../../src/testing/failpointRunStore.ts"
import { failpointProviders } from "../../src/testing/failpointProviders.ts"
import { endsAfter, endsBefore, type Reaction } from "../../src/testing/Reaction.ts"

/** What a replica's ports do. Reactions are found by `Port.method#n` for the n-th call, or `Port.method` for every one. */
export interface Script {
  readonly calls: Array<string>
  readonly reactions: Map<string, Reaction>
  readonly exited: Map<WorkloadName, string>
  /** What was stopped while the traffic of its App went there: it must stay empty. */
  readonly misled: Array<WorkloadName>
  reason: StoreError["reason"]
  crashed: boolean
  building: (say: (entry: LogEntry) => Effect.Effect<void>) => Effect.Effect<void, RuntimeError>
  running: Effect.Effect<void, RuntimeError>
  probing: Effect.Effect<void>
  saying: (workload: Workload) => Stream.Stream<LogEntry, RuntimeError>
}

const crash = (script: Script) => Effect.sync(() => void (script.crashed = true))

/** From this call on, nothing that the replica does has an effect; as if its process were killed. */
export const crashes = (script: Script): Reaction => endsBefore(crash(script))

/** Does it, and is killed before the answer. */
export const crashesAfter = (script: Script): Reaction => endsAfter(crash(script))

/** One server among those that share the state. */
export interface ScriptedReplica {
  readonly script: Script
  readonly id: ReplicaId
  /** Its ports, with failpoints that nothing listens to. */
  readonly ports: Context.Context<DispatcherPorts>
  /** Its ports, with failpoints that react as the script says. */
  readonly context: Context.Context<DispatcherPorts>
  /** Runs a program with what {@link context} holds. */
  readonly run: <A, E, R>(program: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, DispatcherPorts>>
}

const stores = Layer.mergeAll(
  AppStore.layerMemory,
  CheckpointStore.layerMemory,
  DeploymentStore.layerMemory,
  EnvStore.layerMemory,
  EventFeed.layerMemory,
  Hints.layerMemory,
  JobStore.layerMemory,
  RunStore.layerMemory,
  Providers.layerMemory,
  RetentionStore.layerMemory,
  Journal.layerMemory,
  LogStore.layerMemory,
  Router.layerMemory,
  ContainerRuntime.layerMemory,
  SourceFetcher.layerMemory
)

/** An empty state, with ports that do as they should. Nobody gives Hints: replicas find out by polling. */
export const world = Layer.provideMerge(stores, MemoryState.layer)

/** The same with stores that give Hints, which every replica hears. */
export const hintedWorld = Layer.effectContext(Effect.map(Layer.build(world), hinted))

const reactionOf = (script: Script): FailpointReaction => {
  const counts = new Map<string, number>()
  return (point, effect, refuse) =>
    Effect.suspend(() => {
      if (script.crashed) return Effect.never
      const count = (counts.get(point) ?? 0) + 1
      counts.set(point, count)
      script.calls.push(`${point}#${count}`)
      const reaction = script.reactions.get(`${point}#${count}`) ?? script.reactions.get(point)
      return reaction === undefined ? effect : reaction(effect, refuse)
    })
}

/** A runtime whose builds, commands, output and exits are those of the script. */
const scriptedRuntime = (runtime: ContainerRuntime["Service"], script: Script, tables: MemoryTables) =>
  ContainerRuntime.of({
    ...runtime,
    stop: (name, id) => {
      const port = tables.workloads.get(name)?.address.port
      const isRouted = [...tables.routes.values()].some(({ address }) => address !== undefined && address.port === port)
      if (isRouted) script.misled.push(name)
      return runtime.stop(name, id)
    },
    build: (tree, say) => Effect.andThen(script.building(say), runtime.build(tree, say)),
    run: (spec, say, started) => Effect.andThen(script.running, runtime.run(spec, say, started)),
    inspect: (workload) => {
      const reason = script.exited.get(workload.name)
      return reason === undefined ? runtime.inspect(workload) : Effect.succeed({ state: "exited", reason })
    },
    logs: (workload) => script.saying(workload)
  })

/** Starts a server over the shared state. */
export const startReplica = Effect.fnUntraced(function* (name: string, terms: LeaseTerms = defaultLeaseTerms) {
  const script: Script = {
    calls: [],
    reactions: new Map(),
    exited: new Map(),
    misled: [],
    reason: "unavailable",
    crashed: false,
    building: () => Effect.void,
    running: Effect.void,
    probing: Effect.void,
    saying: () => Stream.empty
  }
  const id = ReplicaId.make(name)
  const originals = (yield* Effect.context<Exclude<FailpointPorts, HealthProbe>>()).pipe(
    Context.add(ContainerRuntime, scriptedRuntime(yield* ContainerRuntime, script, yield* MemoryState)),
    Context.add(HealthProbe, HealthProbe.of({ probe: () => Effect.suspend(() => script.probing) }))
  )
  const ports = failpointPorts(originals, () => script.reason).pipe(
    Context.add(
      AppStore,
      failpointAppStore(yield* AppStore, () => script.reason)
    ),
    Context.add(
      RetentionStore,
      failpointRetentionStore(yield* RetentionStore, () => script.reason)
    ),
    Context.add(
      RunStore,
      failpointRunStore(yield* RunStore, () => script.reason)
    ),
    Context.add(Providers, failpointProviders(yield* Providers)),
    Context.add(Replica, { id, terms })
  )
  const context = Context.add(ports, Failpoints, reactionOf(script))
  const run: ScriptedReplica["run"] = (program) => Effect.provideContext(program, context)
  const replica: ScriptedReplica = { script, id, ports, context, run }
  return replica
})
