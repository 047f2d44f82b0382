// Apps that end while others work on them: each ends once, and nothing that is written afterwards brings it back.

import { assert, layer } from "@effect/vitest"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { DateTime, Effect, Result } from "effect"
import { SqlClient } from "effect/sql"
import { soak } from "../../../test/harness/sample.ts"
import { opened, overtaken, raced, stores, unique } from "./support/stores.ts"

const past = DateTime.makeUnsafe(0)

const tagOf = <A, E extends { readonly _tag: string }, R>(self: Effect.Effect<A, E, R>) =>
  Effect.match(self, { onFailure: ({ _tag }): string => _tag, onSuccess: () => "Success" })

const expired = Effect.flatMap(AppStore, (apps) => apps.claimExpired(100))

layer(stores(), { excludeTestServices: true })("Apps that end", (it) => {
  it.effect("R5: four expirers expire two hundred Apps, each once", () =>
    Effect.gen(function* () {
      const tenant = yield* Given.freshTenant
      const due = yield* Effect.forEach(
        Array.from({ length: 200 }),
        () => Given.registered({ tenant, expiresAt: past }),
        { concurrency: 10 }
      )
      const results = yield* raced(4, () =>
        Effect.flatMap(AppStore, (apps) => Effect.replicateEffect(apps.claimExpired(10), 30))
      )
      const claimed = results.flatMap((result) => (Result.isSuccess(result) ? result.success.flat() : []))
      assert.strictEqual(claimed.length, due.length)
      assert.strictEqual(unique(claimed.map(({ id }) => id)), due.length)
      const sql = yield* SqlClient.SqlClient
      const told = yield* sql`select app from events where tenant = ${tenant} and type = 'app.expired'`
      assert.strictEqual(told.length, due.length)
    })
  )

  it.effect("R5: who expires Apps does not wait for one that somebody else holds", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const held = yield* Given.registered({ expiresAt: past })
      const free = yield* Given.registered({ expiresAt: past })
      const release = yield* opened(sql`select from apps where id = ${held.id} for no key update`)
      const first = yield* Effect.timeout(expired, "5 seconds")
      assert.deepStrictEqual(
        first.map(({ id }) => id),
        [free.id]
      )
      yield* release
      assert.deepStrictEqual(
        (yield* expired).map(({ id }) => id),
        [held.id]
      )
    })
  )

  it.effect("R5: what is over already keeps nobody else from expiring", () =>
    Effect.gen(function* () {
      const apps = yield* AppStore
      const deleting = yield* Given.registered({ expiresAt: DateTime.makeUnsafe(0) })
      yield* apps.mark(deleting.id, "deleting")
      const due = yield* Given.registered({ expiresAt: DateTime.makeUnsafe(1_000) })
      assert.deepStrictEqual(
        (yield* apps.claimExpired(1)).map(({ id }) => id),
        [due.id]
      )
    })
  )

  it.effect("INV-4: a Deployment in progress is asked to stop once, and one that is over is not", () =>
    Effect.gen(function* () {
      const [apps, deployments, sql] = [yield* AppStore, yield* DeploymentStore, yield* SqlClient.SqlClient]
      const app = yield* Given.registered()
      yield* Given.deployed(app)
      const claim = yield* Given.deploying(app)
      yield* apps.mark(app.id, "stopped")
      const asked = sql`select status, stop_as, stop_requested_at from deployments where app = ${app.id} order by number`
      const before = yield* asked
      assert.deepStrictEqual(
        before.map((row) => [row["status"], row["stop_as"]]),
        [
          ["healthy", null],
          ["deploying", "cancelled"]
        ]
      )
      yield* apps.mark(app.id, "deleting")
      assert.deepStrictEqual(yield* asked, before)
      yield* deployments.finish(claim, { status: "cancelled" })
    })
  )

  it.effect("R1: an App that is deleted while somebody waits to stop it is not stopped", () =>
    Effect.gen(function* () {
      const [apps, sql] = [yield* AppStore, yield* SqlClient.SqlClient]
      const app = yield* Given.registered()
      const result = yield* overtaken(
        sql`update apps set status = 'deleting' where id = ${app.id}`,
        apps.mark(app.id, "stopped")
      )
      if (Result.isSuccess(result)) return assert.fail("it was stopped")
      assert.deepInclude(result.failure, { _tag: "AppNotLive", status: "deleting" })
    })
  )

  it.effect("R1 R9 E5: whoever meets the expirer, an expired App is neither changed, deployed nor served", () =>
    Effect.gen(function* () {
      const [apps, deployments, sql] = [yield* AppStore, yield* DeploymentStore, yield* SqlClient.SqlClient]
      const counts: Record<string, number> = {}
      for (const round of Array.from({ length: soak.rounds(20) }).keys()) {
        const app = yield* Given.registered({ expiresAt: past })
        const way = round % 4
        if (way === 3) yield* Given.deployed(app)
        const claim = way === 2 ? yield* Given.deploying(app) : undefined
        if (claim !== undefined) yield* deployments.activate(claim)
        const rival =
          claim !== undefined
            ? tagOf(deployments.finish(claim, { status: "healthy" }))
            : way % 2 === 1
              ? tagOf(Given.begun(app, way === 3 ? { trigger: { kind: "redeploy" }, release: "current" } : {}))
              : tagOf(Given.revised(app, { A: "1" }))
        const [, tag] = yield* Effect.all([expired, rival], { concurrency: "unbounded" })
        yield* expired
        assert.strictEqual((yield* apps.get(app.id)).status, "expired")
        assert.include(["Success", "AppNotLive", "AppGone", "DeploymentRefused", "StopRequested"], tag)
        counts[tag] = (counts[tag] ?? 0) + 1

        const events = yield* sql`select type from events where app = ${app.id} order by xid, id`
        const types = events.map((row) => String(row["type"]))
        assert.strictEqual(types.filter((type) => type === "app.expired").length, 1)
        const after = types.slice(types.indexOf("app.expired") + 1)
        assert.deepStrictEqual(
          after.filter((type) => type !== "deployment.cancelled"),
          []
        )
        const active = yield* sql`select id from deployments where app = ${app.id} and status = 'queued'`
        assert.deepStrictEqual(active, [])
        const late = claim === undefined ? tagOf(Given.begun(app)) : tagOf(deployments.activate(claim))
        assert.include(["DeploymentRefused", "AppGone", "LeaseLost", "StopRequested"], yield* late)
      }
      soak.count("R1 R9: whoever meets the expirer", counts)
      assert.isNotEmpty(counts)
    })
  )
})
