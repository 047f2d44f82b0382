// Stopping, deleting and expiring Apps, as the wire shows it.
import { AppId } from "@lockkeeper/core/domain/App"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { assert, describe } from "@effect/vitest"
import { Context, Effect } from "effect"
import { assertProblem, createApp, live, started } from "./support/call.ts"

/** A server with one App. */
const withApp = Effect.gen(function* () {
  const server = yield* started()
  const id = yield* createApp(server.call)
  const path = `/v1/apps/${id}`
  return { ...server, id: AppId.make(id), path, apps: Context.get(server.ports, AppStore) }
})

describe("an App", () => {
  live("R4 is stopped, 202, and the same when that is repeated", () =>
    Effect.gen(function* () {
      const { call, path } = yield* withApp
      const stopped = yield* call("POST", `${path}/stop`)
      assert.deepStrictEqual([stopped.status, stopped.fields["status"]], [202, "stopped"])
      const again = yield* call("POST", `${path}/stop`)
      assert.deepStrictEqual([again.status, again.fields], [202, stopped.fields])
      const refused = yield* call("POST", `${path}/deployments`)
      assertProblem(refused, 409, "app_not_live")
    })
  )

  live("INV-6 is deleted, 202, and the same when that is repeated while it is there; then it is 404", () =>
    Effect.gen(function* () {
      const { apps, call, id, path } = yield* withApp
      const deleting = yield* call("DELETE", path)
      assert.deepStrictEqual([deleting.status, deleting.fields["status"]], [202, "deleting"])
      const again = yield* call("DELETE", path)
      assert.deepStrictEqual([again.status, again.fields], [202, deleting.fields])
      const refused = yield* call("POST", `${path}/stop`)
      assertProblem(refused, 409, "app_not_live")
      assert.strictEqual(refused.fields["appStatus"], "deleting")
      for (const ending of yield* apps.ending(10)) assert.isTrue(yield* apps.settle(ending))
      for (const [method, at] of [
        ["GET", path],
        ["DELETE", path],
        ["POST", `${path}/stop`]
      ] as const) {
        assertProblem(yield* call(method, at), 404, "not_found")
      }
      assert.strictEqual((yield* Effect.flip(apps.get(id)))._tag, "AppGone")
      const { name, tenant } = deleting.fields
      assert.strictEqual((yield* call("POST", "/v1/apps", { body: { name, tenant } })).status, 201)
    })
  )

  live("R7 says when it expires, which is set and taken back while it is live", () =>
    Effect.gen(function* () {
      const { call, path } = yield* withApp
      const expiresAt = "2999-01-01T00:00:00.000Z"
      assert.isNull((yield* call("GET", path)).fields["expiresAt"])
      const set = yield* call("PUT", `${path}/expiry`, { body: { expiresAt } })
      assert.deepStrictEqual([set.status, set.fields["expiresAt"]], [200, expiresAt])
      assert.strictEqual((yield* call("GET", path)).fields["expiresAt"], expiresAt)
      const permanent = yield* call("PUT", `${path}/expiry`, { body: { expiresAt: null } })
      assert.deepStrictEqual([permanent.status, permanent.fields["expiresAt"]], [200, null])
      const beyond = ["+099999-01-01T00:00:00Z", "0000-12-31T23:59:59Z", "-000001-01-01T00:00:00Z"]
      const wrong = [{}, { expiresAt: "tomorrow" }, { expiresAt: 5 }, ...beyond.map((expiresAt) => ({ expiresAt }))]
      for (const body of wrong) {
        assertProblem(yield* call("PUT", `${path}/expiry`, { body }), 400, "invalid_body")
      }
      yield* call("POST", `${path}/stop`)
      assertProblem(yield* call("PUT", `${path}/expiry`, { body: { expiresAt } }), 409, "app_not_live")
      assert.isNull((yield* call("GET", path)).fields["expiresAt"])
      const born = yield* call("POST", "/v1/apps", { body: { tenant: "acme", name: "brief", expiresAt } })
      assert.deepStrictEqual([born.status, born.fields["expiresAt"]], [201, expiresAt])
    })
  )

  live("INV-11 of another Tenant is neither stopped, deleted nor made to expire", () =>
    Effect.gen(function* () {
      const { call } = yield* started()
      const created = yield* call("POST", "/v1/apps", { body: { tenant: "acme", name: "theirs" } })
      const path = `/v1/apps/${String(created.fields["id"])}`
      const token = "other-secret"
      assertProblem(yield* call("DELETE", path, { token }), 404, "not_found")
      assertProblem(yield* call("POST", `${path}/stop`, { token }), 404, "not_found")
      assertProblem(yield* call("PUT", `${path}/expiry`, { token, body: { expiresAt: null } }), 404, "not_found")
      assert.strictEqual((yield* call("GET", path)).fields["status"], "live")
    })
  )
})
