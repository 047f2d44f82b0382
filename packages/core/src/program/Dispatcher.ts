// One replica's share of the work: carries out queued Deployments and Jobs, Runs that it began, and, now and then, expires, reaps, collects,
// sweeps and reconciles.
import { Context, Deferred, Duration, Effect, FiberSet, Layer } from "effect"
import type { RetentionChoice } from "../domain/Retention.ts"
import type { AppStore } from "../port/AppStore.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { Hints } from "../port/Hints.ts"
import type { JobClaim } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import type { RetentionStore } from "../port/RetentionStore.ts"
import { adopt } from "./adopt.ts"
import { backoff } from "./backoff.ts"
import { carryOutJob, type JobPorts } from "./carryOutJob.ts"
import { carryOutRun, type RunPorts } from "./carryOutRun.ts"
import { carryOut, type DeployPorts } from "./deploy.ts"
import { makeCollectImages } from "./collectImages.ts"
import { expire } from "./expire.ts"
import { reap, reapAbandoned } from "./reap.ts"
import { reapJobs } from "./reapJobs.ts"
import { reapRuns, type ReapRunPorts } from "./reapRuns.ts"
import { makeReconcile } from "./Reconciler.ts"
import { recoverRun } from "./recoverRun.ts"
import { Replica } from "./Replica.ts"
import type { RunInHand } from "./RunInHand.ts"
import { gauge, sweep } from "./sweep.ts"

/** How often a replica looks for work that nobody told it of, and from when on. */
export interface DispatcherOptions {
  readonly pollEvery?: Duration.Input | undefined
  readonly takeOverEvery?: Duration.Input | undefined
  readonly reapEvery?: Duration.Input | undefined
  readonly reconcileEvery?: Duration.Input | undefined
  readonly expireEvery?: Duration.Input | undefined
  readonly collectEvery?: Duration.Input | undefined
  readonly sweepEvery?: Duration.Input | undefined
  /** How many Releases of each App stay with their image (`releases`), and the ages that differ from those of the table. */
  readonly retention?: RetentionChoice | undefined
  /** Nothing is looked for until this succeeds, such as when the stores are not ready at the start. */
  readonly startWhen?: Effect.Effect<void> | undefined
}

/** How many Jobs are asked for at once. */
const atOnce = 64

/** The ports that a Dispatcher works with. */
export type DispatcherPorts = AppStore | DeployPorts | JobPorts | ReapRunPorts | RetentionStore | RunPorts

/** Carries out queued Deployments and Jobs in the background for as long as its layer lives. */
export class Dispatcher extends Context.Service<
  Dispatcher,
  {
    /**
     * Waits until what an earlier process of this replica had in hand was given up. A Job or Run that begins, or is run again,
     * before that may be given up with it.
     */
    readonly ready: Effect.Effect<void>
    /** Says that there may be work; every replica that hears Hints looks for it at once. */
    readonly wake: Effect.Effect<void>
    /** Carries out a Job that was admitted at once, in the background. */
    readonly take: (claim: JobClaim) => Effect.Effect<void>
    /** Carries out a Run that has begun at once, in the background. */
    readonly takeRun: (hand: RunInHand) => Effect.Effect<void>
  }
>()("@lockkeeper/core/program/Dispatcher") {
  /**
   * First gives up the Deployments and Jobs that an earlier process of this replica had in hand and adopts the Workloads that it
   * left running, then takes what the queue admits. When the layer is
   * closed, nothing more is admitted, and what is in progress is interrupted: a Deployment ends `cancelled`, a Job waits
   * again, a Run has failed, with everything that it made released; a Run that is only kept is left to be kept by others.
   */
  static readonly layer = (options: DispatcherOptions = {}): Layer.Layer<Dispatcher, never, DispatcherPorts> =>
    Layer.effect(Dispatcher, make(options))
}

const make = Effect.fnUntraced(function* (options: DispatcherOptions) {
  const store = yield* DeploymentStore
  const jobs = yield* JobStore
  const jobPorts = yield* Effect.context<JobPorts | RunPorts>()
  const { id: replica, terms } = yield* Replica
  const running = yield* FiberSet.make<unknown, unknown>()
  const hints = yield* Hints
  const mayBeAdmitted = yield* hints.listen("deployments")
  const jobMayBeAdmitted = yield* hints.listen("jobs")
  const mayBeEnding = yield* hints.listen("apps")
  const wake = Effect.forEach(["deployments", "jobs", "apps"] as const, hints.give, { discard: true })

  const admitAll = Effect.gen(function* () {
    const claim = yield* store.admit({ replica, terms })
    if (claim === undefined) return false
    yield* FiberSet.run(
      running,
      carryOut(claim).pipe(
        Effect.catchCause((cause) => Effect.logError(`${claim.deployment.id} is left to the reaper`, cause))
      )
    )
    return true
  }).pipe(Effect.uninterruptible, untilNothing, untilStored("admitting deployments"))

  const take = (claim: JobClaim) =>
    carryOutJob(claim).pipe(
      Effect.provideContext(jobPorts),
      Effect.catchCause((cause) => Effect.logError(`${claim.job.id} is left to the reaper`, cause)),
      (work) => Effect.asVoid(FiberSet.run(running, work))
    )

  const inBackground = <E>(hand: RunInHand, work: Effect.Effect<unknown, E, RunPorts>) =>
    work.pipe(
      Effect.provideContext(jobPorts),
      Effect.catchCause((cause) => Effect.logError(`${hand.run.run.id} is left to the reaper`, cause)),
      (work) => Effect.asVoid(FiberSet.run(running, work))
    )
  const takeRun = (hand: RunInHand) => inBackground(hand, carryOutRun(hand))
  const endTakenRun = (hand: RunInHand) => inBackground(hand, recoverRun(hand))

  const admitJobs = Effect.gen(function* () {
    const claims = yield* jobs.admit({ replica, terms }, atOnce)
    yield* Effect.forEach(claims, take, { discard: true })
    return claims.length > 0
  }).pipe(Effect.uninterruptible, untilNothing, untilStored("admitting jobs"))

  const pollEvery = options.pollEvery ?? Duration.seconds(1)
  const poll = mayBeAdmitted(pollEvery)
  const reconcile = yield* makeReconcile
  const collectImages = yield* makeCollectImages
  const reconciled = Effect.catchCause(reconcile(), (cause) => Effect.logWarning("reconciling failed", cause))

  const [adopted, givenUp] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
  const ready = Deferred.await(givenUp)

  const work = Effect.gen(function* () {
    yield* options.startWhen ?? Effect.void
    yield* untilStored("giving up old leases")(Effect.andThen(store.abandon(replica), jobs.abandon(replica))).pipe(
      Effect.andThen(Deferred.succeed(givenUp, undefined)),
      Effect.andThen(untilStored("adopting workloads")(adopt())),
      Effect.andThen(Deferred.succeed(adopted, undefined)),
      Effect.andThen(
        Effect.all(
          [
            Effect.forever(Effect.andThen(admitAll, poll)),
            Effect.forever(Effect.andThen(admitJobs, jobMayBeAdmitted(pollEvery)))
          ],
          { concurrency: "unbounded" }
        )
      ),
      Effect.forkScoped
    )
    yield* loop(
      "taking over",
      ready.pipe(Effect.andThen(reapAbandoned()), Effect.andThen(reapJobs(endTakenRun))),
      Effect.sleep(options.takeOverEvery ?? Duration.millis(500))
    )
    yield* loop(
      "reaping",
      Effect.andThen(ready, reap(endTakenRun)),
      Effect.sleep(options.reapEvery ?? Duration.seconds(5))
    )
    yield* loop("reaping runs", reapRuns(), Effect.sleep(options.reapEvery ?? Duration.seconds(5)))
    yield* loop("expiring", expire(), mayBeEnding(options.expireEvery ?? Duration.seconds(1)))
    yield* loop(
      "collecting images",
      collectImages(options.retention?.releases),
      Effect.sleep(options.collectEvery ?? Duration.seconds(10))
    )
    yield* loop(
      "sweeping",
      Effect.andThen(sweep(options.retention), gauge()),
      Effect.sleep(options.sweepEvery ?? Duration.minutes(1))
    )
    yield* loop(
      "reconciling",
      Effect.andThen(Deferred.await(adopted), Effect.forkScoped(reconciled)),
      Effect.sleep(options.reconcileEvery ?? Duration.seconds(2))
    )
  })
  yield* options.startWhen === undefined ? work : Effect.forkScoped(work)
  return Dispatcher.of({ ready, wake, take, takeRun })
})

/** Again and again, while there was something; it ends between two times when the layer is closed. */
const untilNothing = <E, R>(work: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.asVoid(Effect.repeat(work, { while: (found) => found }))

const untilStored =
  (what: string) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, never, R> =>
    work.pipe(
      Effect.sandbox,
      Effect.tapError((cause) => Effect.logWarning(`${what} failed and is tried again`, cause)),
      Effect.retry(backoff("200 millis", "5 seconds")),
      Effect.orDie
    )

/** Does a work again and again, with a pause after each time, also after one that failed. */
const loop = <A, E, R>(what: string, work: Effect.Effect<A, E, R>, pause: Effect.Effect<unknown>) =>
  work.pipe(
    Effect.catchCause((cause) => Effect.logWarning(`${what} failed and is tried again`, cause)),
    Effect.andThen(pause),
    Effect.forever,
    Effect.forkScoped
  )
