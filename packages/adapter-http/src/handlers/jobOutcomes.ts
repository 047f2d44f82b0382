// Which problem each refusal of a Job becomes.
import { Effect } from "effect"
import type { JobRefused } from "@lockkeeper/core/port/JobRequest"
import * as Problems from "../api/Problems.ts"
import { noRelease, notFound, notLive } from "./outcomes.ts"

/** No Slot of its Tenant is free. */
export const jobCapReached = ({ limit, running }: { readonly limit: number; readonly running: number }) =>
  new Problems.JobCapReached({ detail: `${running} of ${limit} slots are taken`, limit, running })

/** Why a Job did not begin. */
export const refusedJob = ({ reason }: JobRefused) => {
  switch (reason._tag) {
    case "AppGone":
      return Effect.fail(notFound())
    case "AppNotLive":
      return notLive(reason)
    case "NoRelease":
      return Effect.fail(noRelease())
    case "JobCapReached":
      return Effect.fail(jobCapReached(reason))
    case "QueueFull":
      return Effect.fail(new Problems.QueueFull({ detail: `${reason.limit} jobs wait already`, limit: reason.limit }))
    case "AlreadyRunning":
    case "NothingToDo":
      return Effect.die(new Error(`a new job was refused with ${reason._tag}`))
  }
}

/** Why a Job was not run again. */
export const refusedRerun = (error: JobRefused) => {
  switch (error.reason._tag) {
    case "AlreadyRunning":
      return Effect.fail(new Problems.AlreadyRunning({ detail: "the job waits or runs" }))
    case "NothingToDo":
      return Effect.fail(new Problems.NothingToDo({ detail: "the job has succeeded" }))
    default:
      return refusedJob(error)
  }
}
