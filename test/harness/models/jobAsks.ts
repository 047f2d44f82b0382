// What may be asked about Jobs in a run, each thing as one call of the JobStore: commands in the current Release of an App.

import type { JobId, OnFull } from "@lockkeeper/core/domain/Job"
import type { JobCap } from "@lockkeeper/core/domain/Tenant"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import type { JobClaim, JobOutcome } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { echo } from "@lockkeeper/core/testing/JobFixture"
import { Effect } from "effect"
import { type Ask, ask, type Call, replicaOf } from "./asks.ts"
import type { Known } from "./Known.ts"

const worker = (replica: number) => ({ replica: replicaOf(replica), terms: Given.longTerms })

const jobs = <A, E extends { readonly _tag: string }>(
  use: (store: typeof JobStore.Service) => Effect.Effect<A, E>
): Call => Effect.flatMap(JobStore, use)

const apps = (known: Known) => known.apps
const begun = (known: Known) => known.jobs
const claims = (known: Known) => known.jobClaims

/** Changes how many Slots the Tenant of an App has. */
export const setCap = ask<Known["apps"][number], [jobCap: JobCap]>("setCap", apps, ({ tenant }, [jobCap]) =>
  Effect.flatMap(DeploymentStore, (store) => store.setCap(tenant, jobCap))
)

/** Begins a Job of an App, of a replica. */
export const begin = ask<Known["apps"][number], [onFull: OnFull, replica: number]>(
  "beginJob",
  apps,
  (app, [onFull, replica]) =>
    jobs((store) => store.begin({ of: { app: app.id }, task: echo, items: undefined, onFull, by: worker(replica) }))
)

/** Runs a Job again, for a replica. */
export const rerun = ask<JobId, [replica: number]>("rerunJob", begun, (job, [replica]) =>
  jobs((store) => store.rerun(job, worker(replica)))
)

/** A replica asks for any Job. */
export const admitAny = (replica: number): Ask => ({
  label: `admitAnyJob(${replica})`,
  call: () => jobs((store) => store.admit(worker(replica), 1))
})

/** A replica asks for one Job. */
export const admit = ask<JobId, [replica: number]>("admitJob", begun, (job, [replica]) =>
  jobs((store) => store.admitJob(worker(replica), job))
)

/** Asks a Job to end, wherever it is. */
export const cancel = ask<JobId, []>("cancelJob", begun, (job) => jobs((store) => store.requestCancel(job)))

/** The holder of a Claim, be it still one or not, ends the Job. */
export const finish = ask<JobClaim, [status: JobOutcome["status"]]>("finishJob", claims, (claim, [status]) =>
  jobs((store) => store.finish(claim, { status, exitCode: null }))
)

/** The holder of a Claim, be it still one or not, gives the Job back. */
export const giveBack = ask<JobClaim, []>("giveBackJob", claims, (claim) => jobs((store) => store.giveBack(claim)))

/** The replica that holds a Claim is declared dead. */
export const abandon = ask<JobClaim, []>("abandonJobs", claims, ({ replica }) =>
  jobs((store) => store.abandon(replica))
)

/** A replica takes over what is abandoned. */
export const takeOver = (replica: number, limit = 10_000): Ask => ({
  label: `takeOverJobs(${replica}, ${limit})`,
  call: () => jobs((store) => store.claimAbandoned(worker(replica), limit))
})
