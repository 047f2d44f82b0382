// Two transactions, step by step: one holds its locks, the other waits for them, and what the first one commits decides
// what the second one does. A guard that is read before the wait fails here every time.

import { assert, layer } from "@effect/vitest"
import type { AppStatus } from "@lockkeeper/core/domain/App"
import { Fence } from "@lockkeeper/core/domain/Lease"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { EventFeed } from "@lockkeeper/core/port/EventFeed"
import { Journal } from "@lockkeeper/core/port/Journal"
import { Leases } from "@lockkeeper/core/port/Leases"
import { RouteVersion } from "@lockkeeper/core/domain/Route"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import { eventually } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Duration, Effect, Fiber, Result } from "effect"
import { SqlClient } from "effect/sql"
import { describeWith } from "../../../test/harness/capability.ts"
import { opened, overtaken, pooledStores, putStatus, refusals, replicas, stores, waiting } from "./support/stores.ts"

const tagOf = <A, E extends { readonly _tag: string }>(result: Result.Result<A, E>): string =>
  Result.isSuccess(result) ? "Success" : result.failure._tag

const activated = Effect.gen(function* () {
  const deployments = yield* DeploymentStore
  const claim = yield* Given.deploying(yield* Given.registered())
  yield* deployments.activate(claim)
  return claim
})

const races = (services: ReturnType<typeof stores>) =>
  layer(services, { excludeTestServices: true })("while another transaction commits first", (it) => {
    for (const status of ["deleting", "deleted"] as const satisfies ReadonlyArray<AppStatus>) {
      it.effect(`E5 INV-6: a change of an Env that waited for the App to become ${status} changes nothing`, () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const app = yield* Given.registered()
          yield* Given.revised(app, { A: "1" })
          const result = yield* overtaken(putStatus(app.id, status), Given.revised(app, { A: "2" }))
          assert.strictEqual(tagOf(result), status === "deleted" ? "AppGone" : "AppNotLive")
          const rows = yield* sql`select last from env_changes where app = ${app.id}`
          assert.deepStrictEqual(rows, [{ last: 1 }])
        })
      )
    }

    it.effect("R1 INV-6: a Deployment of an App that was stopped meanwhile does not begin", () =>
      Effect.gen(function* () {
        const deployments = yield* DeploymentStore
        const app = yield* Given.registered()
        const result = yield* overtaken(putStatus(app.id, "stopped"), deployments.begin(Given.asked(app)))
        assert.strictEqual(tagOf(result), "DeploymentRefused")
        assert.deepStrictEqual((yield* deployments.list(app.id, { limit: 1 })).items, [])
      })
    )

    it.effect("R1 INV-6: traffic does not move to an App that expired meanwhile, and it gets no Release", () =>
      Effect.gen(function* () {
        const deployments = yield* DeploymentStore
        const early = yield* Given.deploying(yield* Given.registered())
        assert.strictEqual(
          tagOf(yield* overtaken(putStatus(early.app.id, "expired"), deployments.activate(early))),
          "AppGone"
        )

        const late = yield* activated
        const finish = deployments.finish(late, { status: "healthy" })
        assert.strictEqual(tagOf(yield* overtaken(putStatus(late.app.id, "expired"), finish)), "AppGone")
        const cancelled = yield* deployments.finish(late, { status: "cancelled" })
        assert.strictEqual(cancelled.status, "cancelled")
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* sql`select id from releases where app = ${late.app.id}`, [])
      })
    )

    it.effect("R1: an App that was stopped meanwhile takes no change", () =>
      Effect.gen(function* () {
        const apps = yield* AppStore
        const app = yield* Given.registered()
        const change = apps.change(app.id, { healthCheck: { intervalMillis: 99, timeoutSeconds: 9 } })
        const result = yield* overtaken(putStatus(app.id, "stopped"), change)
        if (Result.isSuccess(result)) return assert.fail("it was changed")
        assert.deepInclude(result.failure, { _tag: "AppNotLive", status: "stopped" })
        assert.deepStrictEqual((yield* apps.get(app.id)).healthCheck, app.healthCheck)
      })
    )

    it.effect("E1: a change of an Env that waited for another one starts from what that one wrote", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const app = yield* Given.registered()
        const hold = yield* opened(sql`select 1 from apps where id = ${app.id} for update`)
        const [one, other] = yield* replicas()
        const both = yield* Effect.forkChild(
          Effect.all(
            [
              Effect.provideContext(Given.revised(app, { A: "1" }), one),
              Effect.provideContext(Given.revised(app, { B: "2" }), other)
            ],
            { concurrency: "unbounded" }
          )
        )
        yield* waiting(2)
        yield* hold
        yield* Fiber.join(both)
        const { env, revision } = yield* (yield* EnvStore).read(app.id)
        assert.deepStrictEqual([Given.plain(env), Number(revision)], [{ A: "1", B: "2" }, 2])
      })
    )

    it.effect("INV-7: an intent that waited while the Deployment was taken over is refused", () =>
      Effect.gen(function* () {
        const [journal, sql] = [yield* Journal, yield* SqlClient.SqlClient]
        const { app, deployment, fence, replica } = yield* Given.claimed(yield* Given.registered())
        const name = yield* Given.freshWorkloadName
        const intend = journal.intend({ name, app: app.id, work: deployment.id, fence, replica })
        const takeOver = sql`update deployments set fence = fence + 1 where id = ${deployment.id}`
        assert.strictEqual(tagOf(yield* overtaken(takeOver, intend)), "LeaseLost")
        assert.deepStrictEqual(yield* journal.held(app.id), [])
      })
    )

    it.effect("INV-7: an intent that waited while its Deployment ended is judged by how that ended", () =>
      Effect.gen(function* () {
        const [journal, sql] = [yield* Journal, yield* SqlClient.SqlClient]
        const { app, deployment, fence, replica } = yield* Given.claimed(yield* Given.registered())
        const name = yield* Given.freshWorkloadName
        const intend = journal.intend({ name, app: app.id, work: deployment.id, fence, replica })
        const end = sql`with ended as (
            update deployments set status = 'cancelled', finished_at = now(), lease_until = null, slot = null
            where id = ${deployment.id} returning id
          )
          delete from slots s using ended where s.deployment = ended.id`
        assert.deepStrictEqual(yield* overtaken(end, intend), Result.succeed(undefined))
        const held = yield* journal.held(app.id)
        assert.deepStrictEqual(
          held.map((intent): string => intent.name),
          [name]
        )
      })
    )

    it.effect("INV-7: who takes a Deployment over waits for the intent that is being written, and then sees it", () =>
      Effect.gen(function* () {
        const [deployments, journal, sql] = [yield* DeploymentStore, yield* Journal, yield* SqlClient.SqlClient]
        const { app, deployment, fence, replica } = yield* Given.claimed(yield* Given.registered())
        yield* deployments.abandon(replica)
        const name = yield* Given.freshWorkloadName
        const intend = sql`insert into intents (name, app, deployment, fence, replica)
        select ${name}, app, id, fence, replica from deployments where id = ${deployment.id} and fence = ${fence} for share`
        const request = { replica: yield* Given.freshReplica, terms: Given.longTerms, deployment: deployment.id }
        const seen = Effect.andThen(deployments.claimAbandoned(request, 1), journal.held(app.id))
        const result = yield* overtaken(intend, seen)
        assert.deepStrictEqual(
          Result.getOrThrow(result).map((intent): string => intent.name),
          [name]
        )
      })
    )

    it.effect("H22: a lease that ran out is not renewed by who waited for it, and the new holder's is not taken", () =>
      Effect.gen(function* () {
        const [deployments, leases, sql] = [yield* DeploymentStore, yield* Leases, yield* SqlClient.SqlClient]
        const claim = yield* Given.claimed(yield* Given.registered())
        const lapse = sql`update deployments set lease_until = clock_timestamp() where id = ${claim.deployment.id}`
        assert.strictEqual(tagOf(yield* overtaken(lapse, deployments.renew(claim, Given.longTerms))), "LeaseLost")

        const [name, one, other] = [yield* Given.freshLetters, yield* Given.freshReplica, yield* Given.freshReplica]
        yield* leases.acquire(name, one, Duration.millis(900))
        assert.isUndefined(yield* leases.acquire(name, other, Duration.minutes(1)))
        yield* leases.acquire(name, one, Duration.millis(1))
        yield* Effect.sleep("5 millis")
        const taken = sql`update leases set replica = ${one}, until = clock_timestamp() + interval '1 minute'
        where name = ${name}`
        const result = yield* overtaken(taken, leases.acquire(name, other, Duration.minutes(1)))
        assert.deepStrictEqual(result, Result.succeed(undefined))
      })
    )

    it.effect(
      "INV-3: who waited for a Tenant whose last Slot was taken meanwhile is given nothing, without a failure",
      () =>
        Effect.gen(function* () {
          const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
          const [first, second] = yield* Given.registeredTogether(2)
          const tenant = first?.tenant ?? ""
          yield* sql`update tenants set job_cap = 1 where name = ${tenant}`
          for (const app of [first, second]) {
            if (app !== undefined) {
              yield* Given.begun(app)
            }
          }
          const ask = Effect.flatMap(Given.freshReplica, (replica) =>
            deployments.admit({ replica, terms: Given.longTerms })
          )
          const hold = yield* opened(sql`select 1 from tenants where name = ${tenant} for update`)
          const asking = yield* Effect.forkChild(
            Effect.all([Effect.result(ask), Effect.result(ask)], { concurrency: 2 })
          )
          yield* waiting(2)
          yield* hold
          const results = yield* Fiber.join(asking)
          assert.deepStrictEqual(refusals(results), [])
          const claims = results.filter((result) => Result.isSuccess(result) && result.success !== undefined)
          assert.strictEqual(claims.length, 1)
        })
    )

    it.effect("INV-3: who waited for a Tenant whose cap was lowered meanwhile is given nothing", () =>
      Effect.gen(function* () {
        const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
        const app = yield* Given.registered()
        const { id } = yield* Given.begun(app)
        const lower = sql`update tenants set job_cap = 0 where name = ${app.tenant}`
        assert.deepStrictEqual(yield* overtaken(lower, Given.admission(id)), Result.succeed(undefined))
        assert.strictEqual((yield* deployments.get(id)).status, "queued")
      })
    )

    it.effect("R1: a Deployment that was withdrawn meanwhile is not brought back by who waited to take it", () =>
      Effect.gen(function* () {
        const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
        const { id } = yield* Given.begun(yield* Given.registered())
        const withdraw = sql`update deployments set status = 'cancelled', finished_at = now() where id = ${id}`
        assert.deepStrictEqual(yield* overtaken(withdraw, Given.admission(id)), Result.succeed(undefined))
        assert.strictEqual((yield* deployments.get(id)).status, "cancelled")
      })
    )

    it.effect(
      "INV-1: who takes abandoned Deployments over passes by an App that somebody else holds, and does not wait",
      () =>
        Effect.gen(function* () {
          const [deployments, sql] = [yield* DeploymentStore, yield* SqlClient.SqlClient]
          const { app, deployment, replica } = yield* Given.claimed(yield* Given.registered())
          yield* deployments.abandon(replica)
          const request = { replica: yield* Given.freshReplica, terms: Given.longTerms, deployment: deployment.id }
          const commit = yield* opened(sql`select 1 from apps where id = ${app.id} for update`)
          assert.deepStrictEqual(yield* deployments.claimAbandoned(request, 1), [])
          yield* commit
          assert.strictEqual((yield* deployments.claimAbandoned(request, 1)).length, 1)
        })
    )

    it.effect("X12: an Event whose transaction commits late is not skipped by who reads on", () =>
      Effect.gen(function* () {
        const [feed, sql] = [yield* EventFeed, yield* SqlClient.SqlClient]
        const tenant = yield* Given.freshTenant
        const late = sql`insert into events (type, tenant, app, subject)
        values ('app.live', ${tenant}, 'app_late', 'app_late')`
        const commit = yield* opened(late)
        const app = yield* Given.registered({ tenant })
        assert.deepStrictEqual(yield* feed.read({ tenant, limit: 10 }), [])
        yield* commit
        const both = feed.read({ tenant, limit: 10 })
        const events = yield* eventually("both Events", both, (found) => found.length === 2)
        assert.deepStrictEqual(
          events.map(({ subject }) => subject),
          ["app_late", app.id]
        )
        const [, last] = events
        assert.deepStrictEqual(yield* feed.read({ tenant, after: last?.id, limit: 10 }), [])
      })
    )

    it.effect("a version of a route that is decided first is seen first, though it commits late", () =>
      Effect.gen(function* () {
        const [routes, sql] = [yield* RouteStore, yield* SqlClient.SqlClient]
        const [one, other] = yield* Given.registeredTogether(2)
        if (one === undefined || other === undefined) return assert.fail("two Apps")
        const route = { hostPort: one.hostPort, fence: Fence.make(1), address: null }
        const decide = Effect.andThen(
          sql`update counters set value = value + 1 where name = 'route_versions'`,
          sql`insert into routes (app, host_port, fence, version, progress)
          select ${one.id}, ${one.hostPort}, 1, value, 'wanted' from counters where name = 'route_versions'`
        )
        const result = yield* overtaken(decide, routes.put({ ...route, app: other.id }))
        const seen = yield* routes.since(RouteVersion.make(0))
        assert.deepStrictEqual(
          seen.map(({ app }) => app),
          [one.id, other.id]
        )
        assert.strictEqual(Result.getOrThrow(result), seen[1]?.version)
      })
    )
  })

races(stores())

describeWith("pgbouncer")("K11: behind PgBouncer with two connections", () => races(pooledStores(2)))
