// What the laws of Retention begin with, made through the ports themselves.
import { Duration, Effect } from "effect"
import type { App, DeploymentId } from "../domain/App.ts"
import type { RetentionTerms, SweepKind } from "../domain/Retention.ts"
import type { TenantName } from "../domain/Tenant.ts"
import { DeploymentStore } from "../port/DeploymentStore.ts"
import type { JobRequest, JobOutcome } from "../port/JobRequest.ts"
import { JobStore } from "../port/JobStore.ts"
import { RetentionStore } from "../port/RetentionStore.ts"
import * as Given from "./Fixture.ts"
import * as Jobs from "./JobFixture.ts"

/** Whatever has ended is old. */
export const atOnce: RetentionTerms = { age: Duration.zero, newest: 1 }

/** Nothing that a law has made is old. */
export const inAnHour: RetentionTerms = { age: Duration.hours(1), newest: 1 }

/** Sweeps a class until there is nothing more to sweep, and answers how many went. */
export const swept = Effect.fnUntraced(function* (kind: SweepKind, terms: RetentionTerms = atOnce, limit = 100) {
  const store = yield* RetentionStore
  let total = 0
  for (let removed = -1; removed !== 0; total += removed) removed = yield* store.sweep(kind, terms, limit)
  return total
})

/** A Job of a Tenant, time in a Slot unless it is asked otherwise, that has ended. */
export const endedJob = Effect.fnUntraced(function* (
  tenant: TenantName,
  status: JobOutcome["status"],
  more: Partial<JobRequest> = {}
) {
  const jobs = yield* JobStore
  const claim = yield* Jobs.running({ tenant }, more)
  return yield* jobs.finish(claim, { status, exitCode: status === "succeeded" ? 0 : 1 })
})

/** Deployments of an App that were cancelled while they waited, one after the other. */
export const cancelledDeployments = Effect.fnUntraced(function* (app: App, count: number) {
  const deployments = yield* DeploymentStore
  const withdrawn = Effect.flatMap(Given.begun(app), ({ id }) => deployments.withdraw(id))
  yield* Effect.replicateEffect(withdrawn, count - 1)
  const { id } = yield* Given.begun(app)
  yield* deployments.withdraw(id)
  return (yield* deployments.list(app.id, { limit: 100 })).items.toReversed()
})

/** Whether a Deployment is there. */
export const isThere = Effect.fnUntraced(function* (id: DeploymentId) {
  const deployments = yield* DeploymentStore
  return yield* deployments.get(id).pipe(
    Effect.as(true),
    Effect.catchTag("DeploymentNotFound", () => Effect.succeed(false))
  )
})
