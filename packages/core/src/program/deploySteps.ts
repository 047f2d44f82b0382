// The steps of a Deployment between its admission and its end, each with its deadline and its words in the log.
import { Deferred, Duration, Effect, Fiber, Option, Ref, Schedule, Schema, type Scope } from "effect"
import { type Deployment, DeploymentFailure, type DeploymentFailureCode } from "../domain/Deployment.ts"
import type { Env } from "../domain/Env.ts"
import type { HealthCheck } from "../domain/HealthCheck.ts"
import type { LogEntry } from "../domain/LogLine.ts"
import { makeRedactor, secretsOf } from "../domain/Redactor.ts"
import { type ImageDigest, type Workload, WorkloadName } from "../domain/Workload.ts"
import type { AppGone } from "../port/AppStore.ts"
import type { Claim, LeaseLost, StopRequested } from "../port/Claim.ts"
import { ContainerRuntime, type RuntimeError } from "../port/ContainerRuntime.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import { EnvStore } from "../port/EnvStore.ts"
import { HealthProbe } from "../port/HealthProbe.ts"
import { Journal } from "../port/Journal.ts"
import type { LogStore } from "../port/LogStore.ts"
import { Router, type RouterError } from "../port/Router.ts"
import { type SourceError, SourceFetcher, type SourceImage, type SourceTree } from "../port/SourceFetcher.ts"
import type { StoreError } from "../port/StoreError.ts"
import { Deadlines, type StepDeadlines } from "./deadlines.ts"
import type { LogWriter } from "./DeploymentLog.ts"
import { ended } from "./ended.ts"
import { Replica } from "./Replica.ts"
import { keepLogs, releaseWorkload, sayAll } from "./retire.ts"
import { switchTo } from "./traffic.ts"

/** A step did not end as it should. It carries what the Deployment will say about it. */
export class StepFailed extends Schema.TaggedError<StepFailed>()("StepFailed", { failure: DeploymentFailure }) {
  override readonly message = this.failure.detail
}

/** What may go wrong in a step. */
export type StepError = SourceError | RuntimeError | RouterError | AppGone | StopRequested | StoreError | StepFailed

const said: { readonly [Step in keyof StepDeadlines]: string } = {
  fetch: "fetch",
  build: "build",
  preDeploy: "the command before the deploy",
  start: "start"
}

/** Runs the work of a step until its deadline. */
export const within = <A, E, R>(
  step: keyof StepDeadlines,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | StepFailed, R> =>
  Effect.flatMap(Deadlines, ({ [step]: duration }) =>
    Effect.timeoutOrElse(work, {
      duration,
      orElse: () => failed("deadline_exceeded", `${said[step]} took longer than ${Duration.format(duration)}`)
    })
  )

/** The image to run: that of a Release when the Deployment was made from one, else what is built from its Source. */
export const imageOf = Effect.fn("imageOf")(function* (
  claim: Claim,
  log: LogWriter
): Effect.fn.Return<
  ImageDigest,
  SourceError | RuntimeError | StepFailed | LeaseLost | StoreError,
  ContainerRuntime | DeploymentStore | SourceFetcher | Scope.Scope
> {
  const { commit, image } = claim.deployment
  if (image === null) return yield* buildImage(claim, yield* fetchSource(claim, log), log)
  const store = yield* DeploymentStore
  const runtime = yield* ContainerRuntime
  yield* runtime.keepImage(image)
  yield* store.built(claim, image, commit)
  yield* log.say(system(`the image is ${image}, built before`))
  return image
})

/** Reads the Env of a Deployment. From here on neither its log nor its error holds a secret of it. */
export const readEnv = Effect.fn("readEnv")(function* (
  { app, deployment, source }: Claim,
  log: LogWriter
): Effect.fn.Return<Env, AppGone | StoreError, EnvStore> {
  const env = yield* (yield* EnvStore).readAt(app.id, deployment.envRevision)
  yield* log.hide(makeRedactor(secretsOf(env, source)))
  return env
})

/** Brings the Source here for as long as the Scope lasts. */
const fetchSource = Effect.fn("fetchSource")(function* (
  claim: Claim,
  log: LogWriter
): Effect.fn.Return<SourceTree | SourceImage, SourceError | StepFailed, SourceFetcher | Scope.Scope> {
  const fetcher = yield* SourceFetcher
  yield* log.say(system(`fetching the ${claim.source.type} source`))
  const tree = yield* within("fetch", fetcher.fetch(claim.source))
  yield* log.say(system(tree.commit === null ? "fetched" : `fetched commit ${tree.commit}`))
  return tree
})

/** Makes the image, unless the Source is one, and the Deployment `deploying` with it. */
const buildImage = Effect.fn("buildImage")(function* (
  claim: Claim,
  source: SourceTree | SourceImage,
  log: LogWriter
): Effect.fn.Return<
  ImageDigest,
  RuntimeError | StepFailed | LeaseLost | StoreError,
  ContainerRuntime | DeploymentStore
> {
  const runtime = yield* ContainerRuntime
  const store = yield* DeploymentStore
  if ("image" in source) {
    yield* store.built(claim, source.image, null)
    yield* log.say(system(`the image is ${source.image}`))
    return source.image
  }
  yield* log.say(system("building"))
  const image = yield* within("build", runtime.build(source, log.say))
  yield* store.built(claim, image, source.commit)
  yield* log.say(system(`built ${image}`))
  return image
})

/**
 * Starts the Workload: the intent is on record before it exists, and its release is registered in the same
 * uninterruptible step. When the Scope closes before `committed` is true, nothing of it is left.
 */
export const startWorkload = Effect.fn("startWorkload")(function* (
  claim: Claim,
  image: ImageDigest,
  env: Env,
  committed: Ref.Ref<boolean>,
  log: LogWriter
): Effect.fn.Return<
  Workload,
  RuntimeError | StepError | LeaseLost,
  ContainerRuntime | Journal | LogStore | Replica | Scope.Scope
> {
  const runtime = yield* ContainerRuntime
  const journal = yield* Journal
  const { id: app, port, tenant } = claim.app
  const { id: deployment } = claim.deployment
  const name = WorkloadName.make(`${deployment}-${claim.fence}`)
  const { id: replica } = yield* Replica
  yield* log.say(system(`starting ${name}`))

  const saying = yield* startedToSay(runtime, committed, log)
  yield* Effect.acquireRelease(journal.intend({ name, app, work: deployment, fence: claim.fence, replica }), () =>
    Effect.flatMap(Ref.get(committed), (kept) => (kept ? Effect.void : releaseWorkload(name, undefined)))
  )
  const spec = { name, tenant, app, work: deployment, fence: claim.fence, image, env, port }
  const workload = yield* within("start", runtime.start(spec))
  yield* journal.confirm(workload)
  yield* keepLogs(workload, deployment, yield* log.redactor)
  yield* Deferred.succeed(saying, workload)
  return workload
})

/**
 * Says into the Deployment's log what its Workload says. When the Workload is released, its last words still get there:
 * this is registered before the Workload is, so it ends after it.
 */
const startedToSay = Effect.fnUntraced(function* (
  runtime: typeof ContainerRuntime.Service,
  committed: Ref.Ref<boolean>,
  log: LogWriter
) {
  const started = yield* Deferred.make<Workload>()
  const saying = Effect.flatMap(Deferred.await(started), (workload) => sayAll(runtime.logs(workload), log.say))
  yield* Effect.acquireRelease(Effect.forkDetach(saying), (fiber) =>
    Effect.gen(function* () {
      const isOver = !(yield* Ref.get(committed)) && (yield* Deferred.isDone(started))
      if (isOver) yield* Effect.timeoutOption(Fiber.await(fiber), Duration.seconds(2))
      yield* Fiber.interrupt(fiber)
    })
  )
  return started
})

/** Waits until the Workload itself runs and answers as its health check asks, at most as long as that allows. */
export const awaitHealthy = Effect.fn("awaitHealthy")(function* (
  workload: Workload,
  check: HealthCheck,
  log: Pick<LogWriter, "say">
): Effect.fn.Return<void, RuntimeError | StepFailed, ContainerRuntime | HealthProbe> {
  yield* log.say(system(`waiting until ${check.path ?? "its port"} answers`))
  let last = "nothing answered"
  const healthy = yield* checkedOnce(workload, check).pipe(
    Effect.tap((seen) => Effect.sync(() => void (last = seen ?? last))),
    Effect.repeat({
      until: (seen) => seen === undefined,
      schedule: Schedule.spaced(Duration.millis(check.intervalMillis))
    }),
    Effect.timeoutOption(Duration.seconds(check.timeoutSeconds))
  )
  if (Option.isNone(healthy)) {
    return yield* failed("unhealthy", `not healthy within ${check.timeoutSeconds} s: ${last}`)
  }
  yield* log.say(system("healthy"))
})

/** One look at a Workload: undefined when it runs what was asked for and answers, else what is wrong with it. */
const checkedOnce = Effect.fnUntraced(function* (
  workload: Workload,
  check: HealthCheck
): Effect.fn.Return<string | undefined, RuntimeError | StepFailed, ContainerRuntime | HealthProbe> {
  const runtime = yield* ContainerRuntime
  const probe = yield* HealthProbe
  const answer = yield* probe.probe(workload.address, check).pipe(
    Effect.as(undefined),
    Effect.catch((error) => Effect.succeed(error.detail))
  )
  const seen = yield* runtime.inspect(workload)
  if (seen.state === "exited") {
    return yield* failed("start_failed", `the app ended before it was healthy: ${seen.reason}`)
  }
  if (seen.state === "gone") return yield* failed("start_failed", "the app is gone before it was healthy")
  return seen.image === workload.image ? answer : "another image runs than the one that was asked for"
})

/**
 * Switches traffic and ends the Deployment `healthy`. From the moment the end is being written, `committed` is true, and
 * it stays so while the outcome is not known; it is false again when the end was refused. Then the switch is undone; if
 * that fails, `committed` is true again, and the Reaper settles it.
 */
export const activate = Effect.fn("activate")(function* (
  claim: Claim,
  workload: Workload,
  committed: Ref.Ref<boolean>,
  log: LogWriter
): Effect.fn.Return<Deployment, StepError | LeaseLost, DeploymentStore | Journal | Router | Scope.Scope> {
  const store = yield* DeploymentStore
  const router = yield* Router
  const { id: app, hostPort } = claim.app
  yield* log.say(system("switching traffic"))
  const previous = yield* router.current(app)
  yield* store.activate(claim)

  yield* switchTo({ app, hostPort, fence: claim.fence, address: workload.address }, previous, committed)
  yield* log.say(system("serving"))
  yield* log.flush

  return yield* Effect.uninterruptible(
    Ref.set(committed, true).pipe(
      Effect.andThen(ended(claim, { status: "healthy" })),
      Effect.tapError((error) => (error._tag === "StoreError" ? Effect.void : Ref.set(committed, false)))
    )
  )
})

const system = (line: string): LogEntry => ({ stream: "system", line })

const failed = (code: DeploymentFailureCode, detail: string): StepFailed =>
  new StepFailed({ failure: { code, detail } })
