// Which status of a Job may follow which is a rule of the table too: what the domain's table does not say, plain SQL cannot do.

import { assert, layer } from "@effect/vitest"
import { hasEnded, JobStatus, jobTransitions } from "@lockkeeper/core/domain/Job"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import { Effect, Predicate } from "effect"
import { SqlClient } from "effect/sql"
import { stores } from "./support/stores.ts"

/** A Job of each status. */
const ofEach = Effect.gen(function* () {
  const [deployments, jobs] = [yield* DeploymentStore, yield* JobStore]
  const { app } = yield* Jobs.released()
  const tenant = yield* Given.freshTenant
  yield* deployments.setCap(tenant, 0)
  const ids = new Map<JobStatus, string>([["queued", (yield* Jobs.waitingJob({ tenant })).id]])
  for (const status of ["succeeded", "failed", "cancelled"] as const) {
    const claim = yield* Jobs.running({ app: app.id })
    ids.set(status, (yield* jobs.finish(claim, { status, exitCode: null })).id)
  }
  return ids.set("running", (yield* Jobs.running({ app: app.id })).job.id)
})

/** Whether the rule refuses that a Job becomes this; nothing of it stays. */
const isRefused = Effect.fnUntraced(function* (id: string, status: JobStatus, attempts: number) {
  const sql = yield* SqlClient.SqlClient
  const change = sql`update jobs set status = ${status}, attempt = attempt + ${attempts}::int where id = ${id}`
  const error = yield* Effect.flip(sql.withTransaction(Effect.andThen(change, Effect.fail("nothing refused it"))))
  const cause = typeof error === "string" ? undefined : error.reason.cause
  return Predicate.hasProperty(cause, "constraint") && cause.constraint === "jobs_transitions"
})

layer(stores(), { excludeTestServices: true })("a Job", (it) => {
  it.effect("INV-4 K9: becomes what may follow, and leaves an end by one attempt more alone", () =>
    Effect.gen(function* () {
      for (const [from, id] of yield* ofEach) {
        for (const to of JobStatus.literals.filter((other) => other !== from)) {
          const follows = jobTransitions[from].includes(to)
          assert.deepStrictEqual(
            [from, to, yield* isRefused(id, to, 1), yield* isRefused(id, to, 0)],
            [from, to, !follows, !follows || hasEnded(from)]
          )
        }
      }
    })
  )
})
