// Replicas whose ports do what a test says: each wraps the memory layers over one shared state, counts every call, and
// reacts to chosen calls by failing, dying, losing the answer, holding it back, or never doing anything again.
import { Context, Deferred, Effect, Latch, Layer, Stream } from "effect"
import { defaultLeaseTerms, type LeaseTerms, ReplicaId } from "../../src/domain/Lease.ts"
import type { LogEntry } from "../../src/domain/LogLine.ts"
import type { Workload, WorkloadName } from "../../src/domain/Workload.ts"
import type { EnvTooLarge } from "../../src/domain/Env.ts"
import { type AppGone, type AppNotLive, AppStore } from "../../src/port/AppStore.ts"
import { ContainerRuntime, RuntimeError } from "../../src/port/ContainerRuntime.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { type EnvBusy, type EnvEdit, type EnvRevised, EnvStore } from "../../src/port/EnvStore.ts"
import { EventFeed } from "../../src/port/EventFeed.ts"
import { HealthProbe, Unhealthy } from "../../src/port/HealthProbe.ts"
import { Journal } from "../../src/port/Journal.ts"
import { LogStore } from "../../src/port/LogStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { Router, RouterError } from "../../src/port/Router.ts"
import { SourceError, SourceFetcher } from "../../src/port/SourceFetcher.ts"
import { StoreError } from "../../src/port/StoreError.ts"
import type { DeployPorts } from "../../src/program/deploy.ts"
import { Replica } from "../../src/program/Replica.ts"

/** What becomes of a call: given what it would do and the port's own way of failing. */
export interface Reaction {
  <A, E, R>(call: Effect.Effect<A, E, R>, refuse: Effect.Effect<never, E>): Effect.Effect<A, E, R>
}

/** Fails before anything was done. */
export const fails: Reaction = (_, refuse) => refuse

/** Does it, and the caller sees a failure. */
export const loses: Reaction = (call, refuse) => Effect.andThen(call, refuse)

/** Dies before anything was done. */
export const dies: Reaction = () => Effect.die(new Error("a defect before the effect"))

/** Does it, and dies before the answer. */
export const diesAfter: Reaction = (call) => Effect.andThen(call, Effect.die(new Error("a defect after the effect")))

/** Never answers and never does anything. */
export const hangs: Reaction = () => Effect.never

/** A reaction for so many calls; the ones after them are as usual. */
export const times = (count: number, reaction: Reaction): Reaction => {
  let left = count
  return (call, refuse) => Effect.suspend(() => (left-- > 0 ? reaction(call, refuse) : call))
}

/** Calls that wait, before or after their effect, until they are let go. */
export interface Hold {
  readonly before: Reaction
  readonly after: Reaction
  readonly reached: Effect.Effect<void>
  readonly release: Effect.Effect<boolean>
}

export const makeHold: Effect.Effect<Hold> = Effect.gen(function* () {
  const reached = yield* Deferred.make<void>()
  const latch = yield* Latch.make()
  const wait = Effect.andThen(Deferred.succeed(reached, undefined), latch.await)
  return {
    before: (call) => Effect.andThen(wait, call),
    after: (call) => Effect.tap(call, wait),
    reached: Deferred.await(reached),
    release: latch.open
  }
})

/** What a replica's ports do. Reactions are found by `Port.method#n` for the n-th call, or `Port.method` for every one. */
export interface Script {
  readonly calls: Array<string>
  readonly reactions: Map<string, Reaction>
  readonly exited: Map<WorkloadName, string>
  reason: StoreError["reason"]
  crashed: boolean
  building: (say: (entry: LogEntry) => Effect.Effect<void>) => Effect.Effect<void, RuntimeError>
  saying: (workload: Workload) => Stream.Stream<LogEntry, RuntimeError>
}

/** From this call on, nothing that the replica does has an effect; as if its process were killed. */
export const crashes =
  (script: Script): Reaction =>
  () =>
    Effect.suspend(() => {
      script.crashed = true
      return Effect.never
    })

/** Does it, and is killed before the answer. */
export const crashesAfter =
  (script: Script): Reaction =>
  (call) =>
    Effect.andThen(call, crashes(script)(call, Effect.never))

/** One server among those that share the state. */
export interface ScriptedReplica {
  readonly script: Script
  readonly id: ReplicaId
  readonly context: Context.Context<DeployPorts>
  /** Runs a program with this replica's ports. */
  readonly run: <A, E, R>(program: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, DeployPorts>>
}

const stores = Layer.mergeAll(
  AppStore.layerMemory,
  DeploymentStore.layerMemory,
  EnvStore.layerMemory,
  EventFeed.layerMemory,
  Journal.layerMemory,
  LogStore.layerMemory,
  Router.layerMemory,
  ContainerRuntime.layerMemory,
  SourceFetcher.layerMemory
)

/** An empty state, with ports that do as they should. */
export const world = Layer.provideMerge(stores, MemoryState.layer)

const scripted = Effect.fnUntraced(function* (script: Script, id: ReplicaId, terms: LeaseTerms) {
  const counts = new Map<string, number>()
  const noFailure = Effect.die(new Error("this port has no failure of its own"))

  const call = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>, refuse: Effect.Effect<never, E> = noFailure) =>
    Effect.suspend(() => {
      if (script.crashed) return Effect.never
      const count = (counts.get(name) ?? 0) + 1
      counts.set(name, count)
      script.calls.push(`${name}#${count}`)
      const reaction = script.reactions.get(`${name}#${count}`) ?? script.reactions.get(name)
      return reaction === undefined ? effect : reaction(effect, refuse)
    })

  const store = <A, E, R>(
    name: string,
    effect: Effect.Effect<A, E | StoreError, R>
  ): Effect.Effect<A, E | StoreError, R> =>
    call(
      name,
      effect,
      Effect.suspend(() => new StoreError({ operation: name, reason: script.reason, cause: "scripted" }))
    )

  const engine = <A, E, R>(name: string, effect: Effect.Effect<A, E | RuntimeError, R>) =>
    call(name, effect, Effect.fail(new RuntimeError({ reason: "engine_unavailable", detail: "scripted" })))

  const deployments = yield* DeploymentStore
  const envs = yield* EnvStore
  const journal = yield* Journal
  const logs = yield* LogStore
  const router = yield* Router
  const runtime = yield* ContainerRuntime
  const noSource = Effect.fail(new SourceError({ reason: "source_unreachable", detail: "scripted" }))
  const noRoute = Effect.fail(new RouterError({ reason: "unavailable", detail: "scripted" }))
  const fetcher = yield* SourceFetcher

  return Context.empty().pipe(
    Context.add(Replica, { id, terms }),
    Context.add(DeploymentStore, {
      begin: (request) => store("DeploymentStore.begin", deployments.begin(request)),
      get: (deployment) => store("DeploymentStore.get", deployments.get(deployment)),
      list: (app, page) => store("DeploymentStore.list", deployments.list(app, page)),
      admit: (request) => store("DeploymentStore.admit", deployments.admit(request)),
      withdraw: (deployment) => store("DeploymentStore.withdraw", deployments.withdraw(deployment)),
      renew: (claim, terms) => store("DeploymentStore.renew", deployments.renew(claim, terms)),
      built: (claim, image, commit) => store("DeploymentStore.built", deployments.built(claim, image, commit)),
      activate: (claim) => store("DeploymentStore.activate", deployments.activate(claim)),
      finish: (claim, outcome) => store("DeploymentStore.finish", deployments.finish(claim, outcome)),
      abandon: (replica) => store("DeploymentStore.abandon", deployments.abandon(replica)),
      claimAbandoned: (request, limit) =>
        store("DeploymentStore.claimAbandoned", deployments.claimAbandoned(request, limit)),
      serving: store("DeploymentStore.serving", deployments.serving),
      usage: (tenant) => store("DeploymentStore.usage", deployments.usage(tenant))
    }),
    Context.add(EnvStore, {
      read: (app) => store("EnvStore.read", envs.read(app)),
      readAt: (app, revision) => store("EnvStore.readAt", envs.readAt(app, revision)),
      revise: <E>(edit: EnvEdit<E>) =>
        store<EnvRevised, E | AppGone | AppNotLive | EnvTooLarge | EnvBusy, never>("EnvStore.revise", envs.revise(edit))
    }),
    Context.add(Journal, {
      intend: (intent) => store("Journal.intend", journal.intend(intent)),
      confirm: (workload) => store("Journal.confirm", journal.confirm(workload)),
      released: (name) => store("Journal.released", journal.released(name)),
      held: (app) => store("Journal.held", journal.held(app)),
      heldBy: (replica) => store("Journal.heldBy", journal.heldBy(replica)),
      unowned: (limit) => store("Journal.unowned", journal.unowned(limit)),
      unknown: (names) => store("Journal.unknown", journal.unknown(names))
    }),
    Context.add(LogStore, {
      append: (log, entries) => store("LogStore.append", logs.append(log, entries)),
      end: (log) => store("LogStore.end", logs.end(log)),
      read: (log, after, limit) => store("LogStore.read", logs.read(log, after, limit)),
      cursor: (log) => store("LogStore.cursor", logs.cursor(log))
    }),
    Context.add(SourceFetcher, {
      fetch: (source) => call("SourceFetcher.fetch", fetcher.fetch(source), noSource)
    }),
    Context.add(ContainerRuntime, {
      build: (tree, say) =>
        engine("ContainerRuntime.build", Effect.andThen(script.building(say), runtime.build(tree, say))),
      start: (spec) => engine("ContainerRuntime.start", runtime.start(spec)),
      inspect: (workload) => {
        const reason = script.exited.get(workload.name)
        const seen =
          reason === undefined ? runtime.inspect(workload) : Effect.succeed({ state: "exited" as const, reason })
        return engine("ContainerRuntime.inspect", seen)
      },
      run: (spec, say) => engine("ContainerRuntime.run", runtime.run(spec, say)),
      logs: (workload) => script.saying(workload),
      stop: (name, id) => engine("ContainerRuntime.stop", runtime.stop(name, id)),
      owned: engine("ContainerRuntime.owned", runtime.owned)
    }),
    Context.add(HealthProbe, {
      probe: () => call("HealthProbe.probe", Effect.void, Effect.fail(new Unhealthy({ detail: "nothing answered" })))
    }),
    Context.add(Router, {
      swap: (route) => call("Router.swap", router.swap(route), noRoute),
      current: (app) => call("Router.current", router.current(app), noRoute),
      drain: (app) => call("Router.drain", router.drain(app)),
      remove: (app, fence) => call("Router.remove", router.remove(app, fence), noRoute)
    })
  )
})

/** Starts a server over the shared state. */
export const startReplica = Effect.fnUntraced(function* (name: string, terms: LeaseTerms = defaultLeaseTerms) {
  const script: Script = {
    calls: [],
    reactions: new Map(),
    exited: new Map(),
    reason: "unavailable",
    crashed: false,
    building: () => Effect.void,
    saying: () => Stream.empty
  }
  const id = ReplicaId.make(name)
  const context = yield* scripted(script, id, terms)
  const replica: ScriptedReplica = { script, id, context, run: (program) => Effect.provideContext(program, context) }
  return replica
})
