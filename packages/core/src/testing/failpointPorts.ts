// The ports of a Deployment with a failpoint around each call of a method. A program is nothing but calls of ports, so
// these are all the places at which one can be cut off. What is inside of an adapter has failpoints of its own.
import { Context, Effect } from "effect"
import type { EventId } from "../domain/Event.ts"
import type { EnvTooLarge } from "../domain/Env.ts"
import { type AppGone, type AppNotLive, AppStore } from "../port/AppStore.ts"
import { CheckpointStore } from "../port/CheckpointStore.ts"
import { ContainerRuntime, RuntimeError } from "../port/ContainerRuntime.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { type EnvBusy, type EnvEdit, type EnvRevised, EnvStore } from "../port/EnvStore.ts"
import { EventFeed } from "../port/EventFeed.ts"
import { failpoint } from "../port/failpoint.ts"
import { HealthProbe, Unhealthy } from "../port/HealthProbe.ts"
import { Hints } from "../port/Hints.ts"
import { IdempotencyStore } from "../port/IdempotencyStore.ts"
import { JobStore } from "../port/JobStore.ts"
import { Journal } from "../port/Journal.ts"
import { Leases } from "../port/Leases.ts"
import { LogStore } from "../port/LogStore.ts"
import { RetentionStore } from "../port/RetentionStore.ts"
import { Router, RouterError } from "../port/Router.ts"
import { SourceError, SourceFetcher } from "../port/SourceFetcher.ts"
import { StoreError } from "../port/StoreError.ts"
import { SubnetPool } from "../port/SubnetPool.ts"
import { Subscriber, SubscriberError } from "../port/Subscriber.ts"
import { Subscriptions, type SubscriptionStale } from "../port/Subscriptions.ts"

/** The ports that get failpoints. */
export type FailpointPorts =
  | CheckpointStore
  | DeploymentStore
  | EnvStore
  | Hints
  | JobStore
  | Journal
  | LogStore
  | SourceFetcher
  | ContainerRuntime
  | HealthProbe
  | Router

/**
 * Answers the same ports with a failpoint named `Port.method` around each call, refused as if the technology behind the
 * port were away. `reason` is that of the StoreError of a refused store (`unavailable`). What a Workload says is passed
 * through as it is.
 */
export const failpointPorts = (
  ports: Context.Context<FailpointPorts>,
  reason: () => StoreError["reason"] = () => "unavailable"
): Context.Context<FailpointPorts> => {
  const store = aroundStore(reason)

  return Context.empty().pipe(
    Context.add(CheckpointStore, checkpointStore(Context.get(ports, CheckpointStore), store)),
    Context.add(DeploymentStore, deploymentStore(Context.get(ports, DeploymentStore), store)),
    Context.add(EnvStore, envStore(Context.get(ports, EnvStore), store)),
    Context.add(Hints, hints(Context.get(ports, Hints))),
    Context.add(JobStore, jobStore(Context.get(ports, JobStore), store)),
    Context.add(Journal, journal(Context.get(ports, Journal), store)),
    Context.add(LogStore, logStore(Context.get(ports, LogStore), store)),
    Context.add(SourceFetcher, sourceFetcher(Context.get(ports, SourceFetcher))),
    Context.add(ContainerRuntime, containerRuntime(Context.get(ports, ContainerRuntime))),
    Context.add(HealthProbe, healthProbe(Context.get(ports, HealthProbe))),
    Context.add(Router, router(Context.get(ports, Router)))
  )
}

/** Answers the same store with a failpoint around each call of a method, as {@link failpointPorts} does. */
export const failpointIdempotencyStore = (
  port: IdempotencyStore["Service"],
  reason: () => StoreError["reason"] = () => "unavailable"
): IdempotencyStore["Service"] => {
  const around = aroundStore(reason)
  return IdempotencyStore.of({
    reserve: (request) => around("IdempotencyStore.reserve", port.reserve(request)),
    complete: (reservation, answer) => around("IdempotencyStore.complete", port.complete(reservation, answer)),
    release: (reservation) => around("IdempotencyStore.release", port.release(reservation))
  })
}

/** Answers the same pools with a failpoint around each call of a method, as {@link failpointPorts} does. */
export const failpointSubnetPool = (
  port: SubnetPool["Service"],
  reason: () => StoreError["reason"] = () => "unavailable"
): SubnetPool["Service"] => {
  const around = aroundStore(reason)
  return SubnetPool.of({
    reserve: (request) => around("SubnetPool.reserve", port.reserve(request)),
    release: (lease, rest) => around("SubnetPool.release", port.release(lease, rest)),
    claimLapsed: (pool, ttl, limit) => around("SubnetPool.claimLapsed", port.claimLapsed(pool, ttl, limit))
  })
}

/** Answers the same store with a failpoint around each call of a method, as {@link failpointPorts} does. */
export const failpointAppStore = (
  port: AppStore["Service"],
  reason: () => StoreError["reason"] = () => "unavailable"
): AppStore["Service"] => {
  const around = aroundStore(reason)
  return AppStore.of({
    register: (request) => around("AppStore.register", port.register(request)),
    get: (app) => around("AppStore.get", port.get(app)),
    list: (tenant, page) => around("AppStore.list", port.list(tenant, page)),
    change: (app, change) => around("AppStore.change", port.change(app, change)),
    mark: (app, to) => around("AppStore.mark", port.mark(app, to)),
    setExpiry: (app, expiresAt) => around("AppStore.setExpiry", port.setExpiry(app, expiresAt)),
    claimExpired: (limit) => around("AppStore.claimExpired", port.claimExpired(limit)),
    ending: (limit) => around("AppStore.ending", port.ending(limit)),
    settle: (ending) => around("AppStore.settle", port.settle(ending))
  })
}

/** Answers the same store with a failpoint around each call of a method, as {@link failpointPorts} does. */
export const failpointRetentionStore = (
  port: RetentionStore["Service"],
  reason: () => StoreError["reason"] = () => "unavailable"
): RetentionStore["Service"] => {
  const around = aroundStore(reason)
  return RetentionStore.of({
    sweep: (kind, terms, limit) => around("RetentionStore.sweep", port.sweep(kind, terms, limit)),
    usage: around("RetentionStore.usage", port.usage)
  })
}

/** The ports of `deliver` that get failpoints. */
export type FailpointDeliverPorts = EventFeed | Leases | Subscriber | Subscriptions

/** Answers the same ports with a failpoint around each call of a method, as {@link failpointPorts} does. */
export const failpointDeliverPorts = (
  ports: Context.Context<FailpointDeliverPorts>
): Context.Context<FailpointDeliverPorts> => {
  const around = aroundStore(() => "unavailable")
  const [feed, leases] = [Context.get(ports, EventFeed), Context.get(ports, Leases)]
  const [subscriber, subscriptions] = [Context.get(ports, Subscriber), Context.get(ports, Subscriptions)]
  const away = Effect.fail(new SubscriberError({ reason: "unavailable", detail: "a failpoint" }))
  return Context.empty().pipe(
    Context.add(EventFeed, { read: (query) => around("EventFeed.read", feed.read(query)) }),
    Context.add(Leases, {
      acquire: (name, replica, ttl) => around("Leases.acquire", leases.acquire(name, replica, ttl)),
      release: (name, replica) => around("Leases.release", leases.release(name, replica))
    }),
    Context.add(Subscriber, { deliver: (event) => failpoint("Subscriber.deliver", subscriber.deliver(event), away) }),
    Context.add(Subscriptions, {
      begin: (name) => around("Subscriptions.begin", subscriptions.begin(name)),
      take: (name, fence) =>
        around<EventId, SubscriptionStale, never>("Subscriptions.take", subscriptions.take(name, fence)),
      advance: (name, fence, to) =>
        around<void, SubscriptionStale, never>("Subscriptions.advance", subscriptions.advance(name, fence, to))
    })
  )
}

/** Puts a failpoint around what a store does. */
type AroundStore = <A, E, R>(
  point: string,
  effect: Effect.Effect<A, E | StoreError, R>
) => Effect.Effect<A, E | StoreError, R>

/** Puts a failpoint around what a store does, refused with a StoreError of this reason. */
export const aroundStore =
  (reason: () => StoreError["reason"]): AroundStore =>
  <A, E, R>(point: string, effect: Effect.Effect<A, E | StoreError, R>) => {
    const refuse = Effect.suspend(() => new StoreError({ operation: point, reason: reason(), cause: "a failpoint" }))
    return failpoint<A, E | StoreError, R>(point, effect, refuse)
  }

const deploymentStore = (port: DeploymentStore["Service"], around: AroundStore) =>
  DeploymentStore.of({
    begin: (request) => around("DeploymentStore.begin", port.begin(request)),
    get: (deployment) => around("DeploymentStore.get", port.get(deployment)),
    standing: (deployment) => around("DeploymentStore.standing", port.standing(deployment)),
    list: (app, page) => around("DeploymentStore.list", port.list(app, page)),
    admit: (request) => around("DeploymentStore.admit", port.admit(request)),
    withdraw: (deployment) => around("DeploymentStore.withdraw", port.withdraw(deployment)),
    requestCancel: (deployment) => around("DeploymentStore.requestCancel", port.requestCancel(deployment)),
    stopRequested: (claim) => around("DeploymentStore.stopRequested", port.stopRequested(claim)),
    renew: (claim, terms) => around("DeploymentStore.renew", port.renew(claim, terms)),
    built: (claim, image, commit) => around("DeploymentStore.built", port.built(claim, image, commit)),
    activate: (claim) => around("DeploymentStore.activate", port.activate(claim)),
    finish: (claim, outcome) => around("DeploymentStore.finish", port.finish(claim, outcome)),
    abandon: (replica) => around("DeploymentStore.abandon", port.abandon(replica)),
    abandoned: (limit) => around("DeploymentStore.abandoned", port.abandoned(limit)),
    claimAbandoned: (request, limit) => around("DeploymentStore.claimAbandoned", port.claimAbandoned(request, limit)),
    releases: (app, page) => around("DeploymentStore.releases", port.releases(app, page)),
    release: (app, release) => around("DeploymentStore.release", port.release(app, release)),
    unneeded: (images, retain) => around("DeploymentStore.unneeded", port.unneeded(images, retain)),
    serving: around("DeploymentStore.serving", port.serving),
    setCap: (tenant, jobCap) => around("DeploymentStore.setCap", port.setCap(tenant, jobCap)),
    usage: (tenant) => around("DeploymentStore.usage", port.usage(tenant))
  })

const envStore = (port: EnvStore["Service"], around: AroundStore) =>
  EnvStore.of({
    read: (app) => around("EnvStore.read", port.read(app)),
    readAt: (app, revision) => around("EnvStore.readAt", port.readAt(app, revision)),
    history: (app, page) => around("EnvStore.history", port.history(app, page)),
    revise: <E>(edit: EnvEdit<E>) =>
      around<EnvRevised, E | AppGone | AppNotLive | EnvTooLarge | EnvBusy, never>("EnvStore.revise", port.revise(edit))
  })

const hints = (port: Hints["Service"]) =>
  Hints.of({
    give: (topic) => failpoint("Hints.give", port.give(topic)),
    listen: (topic) => failpoint("Hints.listen", port.listen(topic))
  })

const checkpointStore = (port: CheckpointStore["Service"], around: AroundStore) =>
  CheckpointStore.of({
    items: (job, page) => around("CheckpointStore.items", port.items(job, page)),
    remaining: (job, after, limit) => around("CheckpointStore.remaining", port.remaining(job, after, limit)),
    record: (claim, number, outcome) => around("CheckpointStore.record", port.record(claim, number, outcome))
  })

const jobStore = (port: JobStore["Service"], around: AroundStore) =>
  JobStore.of({
    begin: (request) => around("JobStore.begin", port.begin(request)),
    rerun: (job, by) => around("JobStore.rerun", port.rerun(job, by)),
    get: (job) => around("JobStore.get", port.get(job)),
    list: (filter, page) => around("JobStore.list", port.list(filter, page)),
    admit: (by, limit) => around("JobStore.admit", port.admit(by, limit)),
    admitJob: (by, job) => around("JobStore.admitJob", port.admitJob(by, job)),
    renew: (claim, terms) => around("JobStore.renew", port.renew(claim, terms)),
    stopRequested: (claim) => around("JobStore.stopRequested", port.stopRequested(claim)),
    requestCancel: (job) => around("JobStore.requestCancel", port.requestCancel(job)),
    finish: (claim, outcome) => around("JobStore.finish", port.finish(claim, outcome)),
    giveBack: (claim) => around("JobStore.giveBack", port.giveBack(claim)),
    abandon: (replica) => around("JobStore.abandon", port.abandon(replica)),
    claimAbandoned: (by, limit) => around("JobStore.claimAbandoned", port.claimAbandoned(by, limit))
  })

const journal = (port: Journal["Service"], around: AroundStore) =>
  Journal.of({
    intend: (intent) => around("Journal.intend", port.intend(intent)),
    confirm: (workload) => around("Journal.confirm", port.confirm(workload)),
    released: (name) => around("Journal.released", port.released(name)),
    held: (app) => around("Journal.held", port.held(app)),
    heldBy: (replica) => around("Journal.heldBy", port.heldBy(replica)),
    heldFor: (job) => around("Journal.heldFor", port.heldFor(job)),
    unowned: (limit) => around("Journal.unowned", port.unowned(limit)),
    unknown: (names) => around("Journal.unknown", port.unknown(names))
  })

const logStore = (port: LogStore["Service"], around: AroundStore) =>
  LogStore.of({
    append: (log, entries, place) => around("LogStore.append", port.append(log, entries, place)),
    end: (log) => around("LogStore.end", port.end(log)),
    read: (log, after, limit) => around("LogStore.read", port.read(log, after, limit)),
    cursor: (log) => around("LogStore.cursor", port.cursor(log))
  })

const sourceFetcher = (port: SourceFetcher["Service"]) =>
  SourceFetcher.of({
    fetch: (source) =>
      failpoint(
        "SourceFetcher.fetch",
        port.fetch(source),
        Effect.fail(new SourceError({ reason: "source_unreachable", detail: "a failpoint" }))
      )
  })

const containerRuntime = (port: ContainerRuntime["Service"]) => {
  const away = Effect.fail(new RuntimeError({ reason: "engine_unavailable", detail: "a failpoint" }))
  return ContainerRuntime.of({
    build: (tree, say) => failpoint("ContainerRuntime.build", port.build(tree, say), away),
    start: (spec) => failpoint("ContainerRuntime.start", port.start(spec), away),
    inspect: (workload) => failpoint("ContainerRuntime.inspect", port.inspect(workload), away),
    run: (spec, say, started) => failpoint("ContainerRuntime.run", port.run(spec, say, started), away),
    logs: (workload, after) => port.logs(workload, after),
    stop: (name, id) => failpoint("ContainerRuntime.stop", port.stop(name, id), away),
    hasImage: (image) => failpoint("ContainerRuntime.hasImage", port.hasImage(image), away),
    images: failpoint("ContainerRuntime.images", port.images, away),
    keepImage: (image) => failpoint("ContainerRuntime.keepImage", port.keepImage(image), away),
    removeImage: (kept) => failpoint("ContainerRuntime.removeImage", port.removeImage(kept), away),
    owned: failpoint("ContainerRuntime.owned", port.owned, away)
  })
}

const healthProbe = (port: HealthProbe["Service"]) =>
  HealthProbe.of({
    probe: (address, check) =>
      failpoint(
        "HealthProbe.probe",
        port.probe(address, check),
        Effect.fail(new Unhealthy({ detail: "nothing answered" }))
      )
  })

const router = (port: Router["Service"]) => {
  const away = Effect.fail(new RouterError({ reason: "unavailable", detail: "a failpoint" }))
  return Router.of({
    swap: (route) => failpoint("Router.swap", port.swap(route), away),
    current: (app) => failpoint("Router.current", port.current(app), away),
    drain: (app) => failpoint("Router.drain", port.drain(app)),
    remove: (app, fence) => failpoint("Router.remove", port.remove(app, fence), away)
  })
}
