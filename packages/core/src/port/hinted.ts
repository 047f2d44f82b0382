// The one place where Hints are given: around the stores, after each call that makes something for others to look at. Never
// inside of a transaction, and not when a call fails: a store that is away is not to be looked at more often for that.
import { Context, Effect } from "effect"
import { AppStore } from "./AppStore.ts"
import { DeploymentStore } from "./DeploymentStore.ts"
import { EnvStore } from "./EnvStore.ts"
import { Hints, type HintTopic } from "./Hints.ts"
import type { Begun } from "./JobRequest.ts"
import { JobStore } from "./JobStore.ts"
import { RunStore } from "./RunStore.ts"

/** The stores that give Hints, and the Hints that they give. */
type HintedPorts = AppStore | DeploymentStore | EnvStore | Hints | JobStore | RunStore

/**
 * Answers the same ports with stores that give a Hint after each call that others may wait for. Programs over stores that
 * give none do the same by polling.
 */
export const hinted = <Ports>(ports: Context.Context<Ports | HintedPorts>): Context.Context<Ports | HintedPorts> => {
  const hint = giving(Context.get(ports, Hints))
  return ports.pipe(
    Context.add(AppStore, hintedAppStore(Context.get(ports, AppStore), hint)),
    Context.add(DeploymentStore, hintedDeploymentStore(Context.get(ports, DeploymentStore), hint)),
    Context.add(EnvStore, hintedEnvStore(Context.get(ports, EnvStore), hint)),
    Context.add(JobStore, hintedJobStore(Context.get(ports, JobStore), hint)),
    Context.add(RunStore, hintedRunStore(Context.get(ports, RunStore), hint))
  )
}

interface Giving {
  /** When the call has done something, or, if it is asked often and mostly in vain, has answered that there was something to do. */
  <A, E, R>(
    call: Effect.Effect<A, E, R>,
    topics: ReadonlyArray<HintTopic>,
    changed?: (answer: A) => boolean
  ): Effect.Effect<A, E, R>
}

const giving =
  (hints: Hints["Service"]): Giving =>
  (call, topics, changed = () => true) =>
    Effect.tap(call, (answer) =>
      changed(answer) ? Effect.forEach(topics, hints.give, { discard: true }) : Effect.void
    )

const hintedDeploymentStore = (store: DeploymentStore["Service"], hint: Giving) =>
  DeploymentStore.of({
    ...store,
    begin: (request) => hint(store.begin(request), ["deployments", "stops", "events"], ({ created }) => created),
    admit: (request) => hint(store.admit(request), ["events"], (claim) => claim !== undefined),
    withdraw: (deployment) => hint(store.withdraw(deployment), ["deployments", "jobs", "events"]),
    requestCancel: (deployment) => hint(store.requestCancel(deployment), ["stops", "deployments", "jobs", "events"]),
    setCap: (tenant, jobCap) => hint(store.setCap(tenant, jobCap), ["deployments", "jobs"]),
    built: (claim, image, commit) => hint(store.built(claim, image, commit), ["events"]),
    finish: (claim, outcome) => hint(store.finish(claim, outcome), ["deployments", "jobs", "apps", "events"])
  })

const hintedAppStore = (store: AppStore["Service"], hint: Giving) =>
  AppStore.of({
    ...store,
    register: (request) => hint(store.register(request), ["events"]),
    mark: (app, to) => hint(store.mark(app, to), ["apps", "stops", "deployments", "jobs", "events"]),
    setExpiry: (app, expiresAt) => hint(store.setExpiry(app, expiresAt), ["apps"]),
    claimExpired: (limit) =>
      hint(store.claimExpired(limit), ["stops", "deployments", "jobs", "events"], (apps) => apps.length > 0),
    settle: (ending) => hint(store.settle(ending), ["events"], (isSettled) => isSettled)
  })

const hintedEnvStore = (store: EnvStore["Service"], hint: Giving) =>
  EnvStore.of({ ...store, revise: (edit) => hint(store.revise(edit), ["events"]) })

const hintedJobStore = (jobs: JobStore["Service"], hint: Giving) => {
  const slotMayBeFree: ReadonlyArray<HintTopic> = ["jobs", "deployments", "apps", "events"]
  const waits = ({ claim }: Begun) => claim === undefined
  return JobStore.of({
    ...jobs,
    begin: (request) => hint(hint(jobs.begin(request), ["jobs"], waits), ["events"]),
    rerun: (job, by) => hint(hint(jobs.rerun(job, by), ["jobs"], waits), ["events"]),
    admit: (by, limit) => hint(jobs.admit(by, limit), ["events"], (claims) => claims.length > 0),
    admitJob: (by, job) => hint(jobs.admitJob(by, job), ["events"], (claim) => claim !== undefined),
    requestCancel: (job) => hint(jobs.requestCancel(job), ["stops", ...slotMayBeFree]),
    finish: (claim, outcome) => hint(jobs.finish(claim, outcome), slotMayBeFree),
    giveBack: (claim) => hint(jobs.giveBack(claim), slotMayBeFree)
  })
}

/** Nobody waits for a Run but its holder, who has the Job: that it is free is told when the Job ends. */
const hintedRunStore = (runs: RunStore["Service"], hint: Giving) =>
  RunStore.of({
    ...runs,
    create: (request) => hint(runs.create(request), ["events"]),
    running: (claim) => hint(runs.running(claim), ["events"]),
    tearDown: (claim, seen) => hint(runs.tearDown(claim, seen), ["events"]),
    finish: (claim, cleanup) => hint(runs.finish(claim, cleanup), ["events"]),
    requestCancel: (run) => hint(runs.requestCancel(run), ["stops"], ({ cancelling }) => cancelling),
    keep: (run, until) => hint(runs.keep(run, until), ["stops"])
  })
