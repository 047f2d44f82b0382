// Who holds a Deployment or a Slot, when another transaction commits between the question and its answer: step by step, so that
// a guard that is not there is noticed every time.

import { assert, layer } from "@effect/vitest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Result } from "effect"
import { SqlClient } from "effect/sql"
import { opened, overtaken, stores } from "./support/stores.ts"

layer(stores(), { excludeTestServices: true })("while another transaction commits first", (it) => {
  it.effect(
    "INV-3: under a cap that was lowered meanwhile nobody is given a Slot that is free within it, while others are taken",
    () =>
      Effect.gen(function* () {
        const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
        const [waits, ...apps] = yield* Given.registeredTogether(4)
        const [first] = yield* Effect.forEach(apps, (app) => Given.claimed(app))
        if (waits === undefined || first === undefined) return assert.fail("four Apps")
        yield* deployments.finish(first, { status: "cancelled" })
        const { id } = yield* Given.begun(waits)
        const lower = sql`update tenants set job_cap = 1 where name = ${waits.tenant}`
        assert.deepStrictEqual(yield* overtaken(lower, Given.admission(id)), Result.succeed(undefined))
      })
  )

  it.effect("INV-3: who asks for work passes by a Tenant that somebody holds, and does not wait", () =>
    Effect.gen(function* () {
      const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
      const held = yield* Given.registered()
      yield* Given.begun(held)
      const { id } = yield* Given.begun(yield* Given.registered())
      const commit = yield* opened(sql`select 1 from tenants where name = ${held.tenant} for update`)
      const claim = yield* deployments.admit({ replica: yield* Given.freshReplica, terms: Given.longTerms })
      assert.strictEqual(claim?.deployment.id, id)
      yield* commit
    })
  )

  it.effect("INV-13: a Deployment whose lease was extended meanwhile is not taken over", () =>
    Effect.gen(function* () {
      const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
      const claim = yield* Given.claimed(yield* Given.registered())
      yield* deployments.abandon(claim.replica)
      const request = { replica: yield* Given.freshReplica, terms: Given.longTerms, deployment: claim.deployment.id }
      const extend = sql`update deployments set lease_until = clock_timestamp() + interval '1 minute'
        where id = ${claim.deployment.id}`
      assert.deepStrictEqual(yield* overtaken(extend, deployments.claimAbandoned(request, 1)), Result.succeed([]))
      yield* deployments.renew(claim, Given.longTerms)
    })
  )

  it.effect("INV-4: a Deployment that was ended meanwhile does not become healthy", () =>
    Effect.gen(function* () {
      const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
      const claim = yield* Given.deploying(yield* Given.registered())
      const { id } = claim.deployment
      yield* deployments.activate(claim)
      const cancel = Effect.andThen(
        sql`update deployments set status = 'cancelled', lease_until = null, slot = null, finished_at = now() where id = ${id}`,
        sql`delete from slots where deployment = ${id}`
      )
      const result = yield* overtaken(cancel, deployments.finish(claim, { status: "healthy" }))
      assert.strictEqual(Result.isFailure(result) ? result.failure._tag : "Success", "LeaseLost")
      assert.strictEqual((yield* deployments.get(id)).status, "cancelled")
    })
  )

  it.effect("INV-7: an intent of an earlier Fence is not written over under a newer one", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const claim = yield* Given.claimed(yield* Given.registered())
      const name = yield* Given.freshWorkloadName
      const intent = { name, app: claim.app.id, work: claim.deployment.id, replica: claim.replica }
      yield* journal.intend({ ...intent, fence: claim.fence })
      const { fence } = yield* Given.takenOver(claim)
      assert.strictEqual((yield* Effect.flip(journal.intend({ ...intent, fence })))._tag, "LeaseLost")
      assert.deepStrictEqual(
        (yield* journal.held(claim.app.id)).map((held) => held.fence),
        [claim.fence]
      )
    })
  )
})
