// Jobs that are begun, admitted or ended together: each has its own answer, and what one of them waits for holds up no other.

import { assert, layer } from "@effect/vitest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { JobKey } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import { Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { answers, opened, raced, refusals, stores, waiting } from "./support/stores.ts"

layer(stores(), { excludeTestServices: true })("a Job", (it) => {
  it.effect("K1: that the database refuses keeps none from beginning that was asked for at the same time", () =>
    Effect.gen(function* () {
      const [deployments, jobs] = [yield* DeploymentStore, yield* JobStore]
      const tenant = yield* Given.freshTenant
      yield* deployments.setCap(tenant, 5)
      const ask = (index: number) =>
        Effect.flatMap(
          Jobs.requested({ tenant }, "queue", { task: { ...Jobs.inSlot, timeoutSeconds: index === 4 ? 0 : 60 } }),
          jobs.begin
        )
      const results = yield* Effect.forEach(Array.from({ length: 9 }).keys(), (index) => Effect.result(ask(index)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(refusals(results), ["StoreError"])
      const begun = answers(results)
      assert.lengthOf(
        begun.filter(({ claim }) => claim !== undefined),
        5
      )
      const positions = begun.flatMap(({ job }) => job.queuePosition ?? [])
      assert.deepStrictEqual(positions.toSorted(), [1, 2, 3])
      const seen = yield* Effect.forEach(begun, ({ job }) => jobs.get(job.id))
      assert.deepStrictEqual(
        seen.map(({ queuePosition, status }) => [status, queuePosition]),
        begun.map(({ job }) => [job.status, job.queuePosition])
      )
    })
  )

  it.effect("X10: of one key that many ask for at once is made once", () =>
    Effect.gen(function* () {
      const tenant = yield* Given.freshTenant
      const key = JobKey.make("nightly")
      const results = yield* raced(12, () => Jobs.begun({ tenant }, "queue", { key }))
      const begun = answers(results)
      assert.lengthOf(begun, 12)
      assert.strictEqual(new Set(begun.map(({ job }) => job.id)).size, 1)
      assert.lengthOf(
        begun.filter(({ created }) => created),
        1
      )
    })
  )

  it.effect("K3: whose row somebody keeps holds up no other that ends", () =>
    Effect.gen(function* () {
      const [jobs, sql] = [yield* JobStore, yield* SqlClient.SqlClient]
      const { app } = yield* Jobs.released()
      const [kept, other] = [yield* Jobs.running({ app: app.id }), yield* Jobs.running({ app: app.id })]
      const letGo = yield* opened(sql`select from jobs where id = ${kept.job.id} for update`)
      const done = { status: "succeeded", exitCode: 0 } as const
      const fiber = yield* Effect.forkChild(jobs.finish(kept, done))
      yield* waiting(1)
      assert.strictEqual((yield* jobs.finish(other, done)).status, "succeeded")
      assert.strictEqual((yield* jobs.get(kept.job.id)).status, "running")
      yield* letGo
      assert.strictEqual((yield* Fiber.join(fiber)).status, "succeeded")
    })
  )

  it.effect("X6: of a Tenant whose row somebody keeps holds up none of another", () =>
    Effect.gen(function* () {
      const [deployments, jobs, sql] = [yield* DeploymentStore, yield* JobStore, yield* SqlClient.SqlClient]
      const waitingOf = Effect.fnUntraced(function* () {
        const { app } = yield* Jobs.released()
        yield* deployments.setCap(app.tenant, 0)
        const job = yield* Jobs.waitingJob({ app: app.id })
        yield* deployments.setCap(app.tenant, 1)
        return job
      })
      const [kept, other] = [yield* waitingOf(), yield* waitingOf()]
      const letGo = yield* opened(sql`select from tenants where name = ${kept.tenant} for update`)
      const claims = yield* jobs.admit(yield* Jobs.freshWorker(), 10)
      assert.deepStrictEqual(
        claims.map(({ job }) => job.id),
        [other.id]
      )
      yield* letGo
      const [claim] = yield* jobs.admit(yield* Jobs.freshWorker(), 10)
      assert.strictEqual(claim?.job.id, kept.id)
    })
  )
})
