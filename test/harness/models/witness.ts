// Ports that report every call that changes something, with what it came to, in the order in which they are answered.

import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentRefused } from "@lockkeeper/core/port/DeploymentRequest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { type EnvEdit, EnvStore } from "@lockkeeper/core/port/EnvStore"
import { JobRefused } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { Context, Effect, Result } from "effect"
import type { ModelPorts, Seen } from "./Seen.ts"
import { Tables } from "./Tables.ts"

interface Answer<A> {
  readonly value: A | undefined
  readonly refusal: string | undefined
}

/** The same ports; `tell` hears of every call. */
export const witnessed = (
  ports: Context.Context<ModelPorts>,
  tell: (seen: Seen) => void
): Context.Context<ModelPorts> => {
  const told = <A, E, R>(self: Effect.Effect<A, E, R>, seen: (answer: Answer<A>) => Seen): Effect.Effect<A, E, R> =>
    Effect.tap(self, (value) => Effect.sync(() => tell(seen({ value, refusal: undefined })))).pipe(
      Effect.tapError((error) => Effect.sync(() => tell(seen({ value: undefined, refusal: tagOf(error) }))))
    )

  const apps = Context.get(ports, AppStore)
  const deployments = Context.get(ports, DeploymentStore)
  const envs = Context.get(ports, EnvStore)
  const jobs = Context.get(ports, JobStore)
  const journal = Context.get(ports, Journal)
  const tables = Context.get(ports, Tables)

  return ports.pipe(
    Context.add(AppStore, {
      ...apps,
      register: (request) => told(apps.register(request), (answer) => ({ call: "register", ...answer })),
      mark: (app, to) => told(apps.mark(app, to), (answer) => ({ call: "mark", app, to, ...answer })),
      setExpiry: (app, at) =>
        told(apps.setExpiry(app, at), (answer) => ({ call: "setExpiry", app, isOver: at !== null, ...answer })),
      claimExpired: (limit) => told(apps.claimExpired(limit), (answer) => ({ call: "claimExpired", limit, ...answer })),
      settle: (ending) => told(apps.settle(ending), (answer) => ({ call: "settle", ending, ...answer }))
    }),
    Context.add(DeploymentStore, {
      ...deployments,
      begin: (request) => told(deployments.begin(request), (answer) => ({ call: "begin", request, ...answer })),
      admit: (request) => told(deployments.admit(request), (answer) => ({ call: "admit", request, ...answer })),
      withdraw: (deployment) =>
        told(deployments.withdraw(deployment), (answer) => ({ call: "withdraw", deployment, ...answer })),
      requestCancel: (deployment) =>
        told(deployments.requestCancel(deployment), (answer) => ({ call: "requestCancel", deployment, ...answer })),
      renew: (claim, terms) => told(deployments.renew(claim, terms), (answer) => ({ call: "renew", claim, ...answer })),
      built: (claim, image, commit) =>
        told(deployments.built(claim, image, commit), (answer) => ({ call: "built", claim, image, ...answer })),
      activate: (claim) => told(deployments.activate(claim), (answer) => ({ call: "activate", claim, ...answer })),
      finish: (claim, outcome) =>
        told(deployments.finish(claim, outcome), (answer) => ({ call: "finish", claim, outcome, ...answer })),
      abandon: (replica) => told(deployments.abandon(replica), (answer) => ({ call: "abandon", replica, ...answer })),
      claimAbandoned: (request, limit) =>
        told(deployments.claimAbandoned(request, limit), (answer) => ({ call: "claimAbandoned", limit, ...answer })),
      setCap: (tenant, jobCap) =>
        told(deployments.setCap(tenant, jobCap), (answer) => ({ call: "setCap", tenant, jobCap, ...answer }))
    }),
    Context.add(JobStore, {
      ...jobs,
      begin: (job) => told(jobs.begin(job), (answer) => ({ call: "beginJob", job, ...answer })),
      rerun: (id, by) => told(jobs.rerun(id, by), (answer) => ({ call: "rerunJob", id, ...answer })),
      admit: (by, limit) =>
        told(jobs.admit(by, limit), ({ refusal, value }) => ({
          call: "admitJob",
          id: undefined,
          value: value?.[0],
          refusal
        })),
      admitJob: (by, id) => told(jobs.admitJob(by, id), (answer) => ({ call: "admitJob", id, ...answer })),
      requestCancel: (id) => told(jobs.requestCancel(id), (answer) => ({ call: "cancelJob", id, ...answer })),
      finish: (held, ended) =>
        told(jobs.finish(held, ended), (answer) => ({ call: "finishJob", held, ended, ...answer })),
      giveBack: (held) => told(jobs.giveBack(held), (answer) => ({ call: "giveBackJob", held, ...answer })),
      abandon: (replica) => told(jobs.abandon(replica), (answer) => ({ call: "abandonJobs", replica, ...answer })),
      claimAbandoned: (by, limit) =>
        told(jobs.claimAbandoned(by, limit), (answer) => ({ call: "takeOverJobs", limit, ...answer }))
    }),
    Context.add(EnvStore, {
      ...envs,
      revise: <E>(edit: EnvEdit<E>) =>
        told(envs.revise(edit), (answer) => ({
          call: "revise",
          app: edit.app,
          decide: (present) => Result.mapError(edit.decide(present), tagOf),
          ...answer
        }))
    }),
    Context.add(Journal, {
      ...journal,
      intend: (intent) => told(journal.intend(intent), (answer) => ({ call: "intend", intent, ...answer })),
      confirm: (workload) => told(journal.confirm(workload), (answer) => ({ call: "confirm", workload, ...answer })),
      released: (name) => told(journal.released(name), (answer) => ({ call: "released", name, ...answer }))
    }),
    Context.add(Tables, {
      ...tables,
      setStatus: (app, status) =>
        told(tables.setStatus(app, status), (answer) => ({ call: "setStatus", app, status, ...answer })),
      lapse: (deployment) => told(tables.lapse(deployment), (answer) => ({ call: "lapse", deployment, ...answer }))
    })
  )
}

const tagOf = (error: unknown): string => {
  if (error instanceof DeploymentRefused || error instanceof JobRefused) return error.reason._tag
  const isTagged = typeof error === "object" && error !== null && "_tag" in error
  return isTagged ? String(error._tag) : String(error)
}
