// The cap of a Tenant over HTTP: who may change it, to what, and that it counts at once.
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { assertProblem, live, started } from "./support/call.ts"

live("X6: a cap is changed, is read, and is nothing but a whole number from 0 to 10000 or null", () =>
  Effect.gen(function* () {
    const { call } = yield* started()
    for (const jobCap of [0, 10_000, null, 2]) {
      const answer = yield* call("PUT", "/v1/tenants/acme", { body: { jobCap } })
      assert.deepStrictEqual([answer.status, answer.fields], [200, { tenant: "acme", jobCap, running: 0, queued: 0 }])
      assert.deepStrictEqual((yield* call("GET", "/v1/tenants/acme")).fields, answer.fields)
    }
    for (const body of [{ jobCap: -1 }, { jobCap: 10_001 }, { jobCap: 1.5 }, { jobCap: "3" }, {}]) {
      assertProblem(yield* call("PUT", "/v1/tenants/acme", { body }), 400, "invalid_job_cap")
    }
    assertProblem(yield* call("PUT", "/v1/tenants/acme", { body: { jobCap: 1, more: 1 } }), 400, "invalid_body")
    assertProblem(yield* call("PUT", "/v1/tenants/Not-A-Name", { body: { jobCap: 1 } }), 404, "not_found")
    assert.deepInclude((yield* call("GET", "/v1/tenants/acme")).fields, { jobCap: 2 })
  })
)
