// What the laws of Jobs begin with, made through the ports themselves.
import { Effect } from "effect"
import type { App } from "../domain/App.ts"
import { ItemInput, JobId, type OnFull } from "../domain/Job.ts"
import type { LeaseTerms } from "../domain/Lease.ts"
import { Command } from "../domain/Workload.ts"
import type { JobClaim, JobNotFound, JobRefused, JobRequest, JobTask, Worker } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { Mismatch, present, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"

/** The id of a Job that does not exist. */
export const unknownJob = Effect.map(Given.freshLetters, (letters) => JobId.make(`job_${letters}`))

/** A worker that nobody has seen. */
export const freshWorker = (terms: LeaseTerms = Given.longTerms): Effect.Effect<Worker> =>
  Effect.map(Given.freshReplica, (replica) => ({ replica, terms }))

/** A command, with nothing of a Batch. */
export const echo: JobTask = {
  command: Command.make(["echo", "hello"]),
  timeoutSeconds: 60,
  itemConcurrency: 2,
  onItemFailure: "continue"
}

/** Nothing but time in a Slot. */
export const inSlot: JobTask = { ...echo, command: null }

/** Inputs of a Batch. */
export const inputs = (...items: ReadonlyArray<string>) => items.map((item) => ItemInput.make(item))

/** A request for a Job, of a new worker unless asked otherwise: time in a Slot of a Tenant, or a command of an App. */
export const requested = Effect.fnUntraced(function* (
  of: JobRequest["of"],
  onFull: OnFull,
  more: Partial<JobRequest> = {}
) {
  const task = "app" in of ? echo : inSlot
  const request: JobRequest = { of, task, items: undefined, onFull, by: yield* freshWorker(), ...more }
  return request
})

/** Begins a Job. */
export const begun = Effect.fnUntraced(function* (
  of: JobRequest["of"],
  onFull: OnFull,
  more: Partial<JobRequest> = {}
) {
  const jobs = yield* JobStore
  return yield* jobs.begin(yield* requested(of, onFull, more))
})

/** A new Job that runs, in the hands of a new worker. */
export const running = Effect.fnUntraced(function* (of: JobRequest["of"], more: Partial<JobRequest> = {}) {
  return yield* present("a Claim of a Job that was begun at once", (yield* begun(of, "reject", more)).claim)
})

/** A Batch that runs, of a new App's Release. */
export const batch = Effect.fnUntraced(function* (app: App, ...items: ReadonlyArray<string>) {
  return yield* running({ app: app.id }, { items: inputs(...items) })
})

/** A Job of a Tenant that waits, whose Slots are all taken by others. */
export const waitingJob = Effect.fnUntraced(function* (of: JobRequest["of"], more: Partial<JobRequest> = {}) {
  const { job, claim } = yield* begun(of, "queue", more)
  return claim === undefined ? job : yield* new Mismatch({ expected: "it waits", actual: "it was admitted" })
})

/** Takes a Job from a holder that is declared dead, for a new worker. */
export const takenOver = Effect.fnUntraced(function* (claim: JobClaim) {
  const jobs = yield* JobStore
  yield* jobs.abandon(claim.replica)
  const claims = yield* jobs.claimAbandoned(yield* freshWorker(), 100)
  return yield* present(
    "a Claim of the abandoned Job",
    claims.find(({ job }) => job.id === claim.job.id)
  )
})

/** Fails unless a Job is refused, and answers why. */
export const refusal = Effect.fnUntraced(function* <A, R>(
  asking: Effect.Effect<A, JobRefused | JobNotFound | StoreError, R>
) {
  return (yield* refused("JobRefused", asking)).reason
})

/** An App with a current Release, and its Tenant with nothing in progress. */
export const released = Effect.fnUntraced(function* () {
  const app = yield* Given.registered()
  const { claim, deployment } = yield* Given.deployed(app)
  return { app, deployment, image: yield* present("an image", deployment.image), claim }
})
