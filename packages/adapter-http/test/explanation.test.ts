// Why a Deployment is where it is, over the wire: each case, and to its own Tenant alone.
import { DeploymentId } from "@lockkeeper/core/domain/App"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { assertProblem, createApp, live, started, textAt } from "./support/call.ts"
import { tokens } from "./support/memoryServer.ts"

describe("GET /v1/deployments/{deployment}/explanation", () => {
  live("X5 says why a Deployment waits, is in progress, stops and has ended", () =>
    Effect.gen(function* () {
      const { call, ports } = yield* started()
      yield* call("PUT", "/v1/tenants/acme", { body: { jobCap: 0 } })
      const app = yield* createApp(call)
      const begun = yield* call("POST", `/v1/apps/${app}/deployments`)
      const id = DeploymentId.make(textAt(begun.fields, "id"))
      const explained = Effect.map(call("GET", `/v1/deployments/${id}/explanation`), ({ fields, status }) => {
        assert.strictEqual(status, 200)
        return fields
      })
      assert.deepStrictEqual(yield* explained, {
        why: "waiting_for_slot",
        deployment: id,
        since: begun.fields["createdAt"] ?? null,
        detail: "it waits for one of the 0 slots of tenant acme, at place 1; 0 in use",
        tenant: "acme",
        limit: 0,
        running: 0,
        position: 1
      })
      yield* call("PUT", "/v1/tenants/acme", { body: { jobCap: null } })
      const claim = yield* Effect.provideContext(Given.admission(id), ports)
      if (claim === undefined) return assert.fail("it is not admitted")
      const building = yield* explained
      assert.deepInclude(building, { why: "in_progress", step: "building", replica: claim.replica, leaseLost: false })
      assert.match(String(building["leaseUntil"]), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)

      const next = yield* call("POST", `/v1/apps/${app}/deployments`, { body: { policy: "queue" } })
      const behind = yield* call("GET", `/v1/deployments/${textAt(next.fields, "id")}/explanation`)
      assert.deepInclude(behind.fields, { why: "waiting_for_deployment", activeDeployment: id })

      const store = yield* Effect.provideContext(DeploymentStore, ports)
      yield* store.requestCancel(id)
      const stopping = yield* explained
      assert.deepInclude(stopping, { why: "stopping", as: "cancelled", step: "building" })
      assert.isString(stopping["stopRequestedAt"])
      yield* store.finish(claim, { status: "cancelled" })
      assert.deepInclude(yield* explained, { why: "ended", status: "cancelled", error: null, release: null })
    })
  )

  live("X5 is the 404 of a missing one for another Tenant and with an id that is none", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const app = yield* createApp(call)
      const id = textAt((yield* call("POST", `/v1/apps/${app}/deployments`)).fields, "id")
      const path = `/v1/deployments/${id}/explanation`
      const plain = (text: string) => text.replace(/"requestId":"[^"]*"/, "")
      const missing = yield* call("GET", "/v1/deployments/dep_missing/explanation")
      assertProblem(missing, 404, "not_found")
      for (const answer of [
        yield* call("GET", path, { token: tokens.other }),
        yield* call("GET", "/v1/deployments/not-an-id/explanation")
      ]) {
        assertProblem(answer, 404, "not_found")
        assert.strictEqual(plain(answer.text), plain(missing.text))
      }
      assert.strictEqual((yield* call("GET", path, { token: tokens.acme })).status, 200)
    })
  )
})
