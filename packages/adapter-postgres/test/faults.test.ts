// A database that goes away, is too busy or never answers: every method fails with a StoreError that says so, in bounded
// time, and works again afterwards. Never a defect, never a hang, never a half-written change.

import { assert, describe, it, layer } from "@effect/vitest"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { EventFeed } from "@lockkeeper/core/port/EventFeed"
import { IdempotencyStore } from "@lockkeeper/core/port/IdempotencyStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { Leases } from "@lockkeeper/core/port/Leases"
import { LogName, LogStore } from "@lockkeeper/core/port/LogStore"
import { RouteVersion } from "@lockkeeper/core/domain/Route"
import { RouteStore } from "@lockkeeper/core/port/RouteStore"
import { eventually } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as GivenJob from "@lockkeeper/core/testing/JobFixture"
import { Duration, Effect, Exit, Fiber, Layer, Redacted, Result } from "effect"
import { SqlClient } from "effect/sql"
import * as Net from "node:net"
import { TestDatabase } from "../../../test/harness/database.ts"
import { postgresProxy } from "../../../test/harness/postgresProxy.ts"
import { layerClient, layerStores } from "../src/layer.ts"
import * as PostgresHealth from "../src/PostgresHealth.ts"
import * as PostgresAppStore from "../src/PostgresAppStore.ts"
import * as PostgresDeploymentStore from "../src/PostgresDeploymentStore.ts"
import * as PostgresEnvStore from "../src/PostgresEnvStore.ts"
import * as PostgresEventFeed from "../src/PostgresEventFeed.ts"
import * as PostgresIdempotencyStore from "../src/PostgresIdempotencyStore.ts"
import * as PostgresJournal from "../src/PostgresJournal.ts"
import * as PostgresLeases from "../src/PostgresLeases.ts"
import * as PostgresLogStore from "../src/PostgresLogStore.ts"
import * as PostgresRouteStore from "../src/PostgresRouteStore.ts"
import { reasonOf } from "./support/reasonOf.ts"
import { cipher, opened, stores, waiting } from "./support/stores.ts"

const log = LogName.make("deployment/dep_1")

/** One call of every store, each a read or a write that reaches the database. */
const calls = Effect.gen(function* () {
  const [apps, deployments, envs] = [yield* AppStore, yield* DeploymentStore, yield* EnvStore]
  const [app, id, replica] = [yield* Given.unknownApp, yield* Given.unknownDeployment, yield* Given.freshReplica]
  const request = { replica, terms: Given.longTerms }
  return [
    apps.get(app),
    apps.list(undefined, { limit: 1 }),
    Given.registered(),
    deployments.begin({ app, trigger: { kind: "manual" } }),
    deployments.get(id),
    deployments.admit(request),
    deployments.claimAbandoned(request, 1),
    deployments.abandon(replica),
    deployments.withdraw(id),
    deployments.serving,
    deployments.usage(yield* Given.freshTenant),
    envs.read(app),
    envs.revise({ app, actor: "test", decide: () => assert.fail("there is nothing to decide about") }),
    (yield* EventFeed).read({ limit: 1 }),
    (yield* IdempotencyStore).reserve(yield* Given.freshReservation()),
    (yield* Journal).unowned(1),
    (yield* Leases).acquire("test", replica, Duration.seconds(1)),
    (yield* LogStore).append(log, [{ stream: "system", line: "said" }]),
    (yield* LogStore).read(log, 0, 1),
    (yield* RouteStore).since(RouteVersion.make(0))
  ]
})

const unmigrated = Layer.mergeAll(
  PostgresAppStore.layer(),
  PostgresDeploymentStore.layer,
  PostgresEnvStore.layer,
  PostgresEventFeed.layer,
  PostgresIdempotencyStore.layer,
  PostgresJournal.layer,
  PostgresLeases.layer,
  PostgresLogStore.layer(),
  PostgresRouteStore.layer,
  PostgresHealth.layer
)

const deadPort = Effect.callback<number>((resume) => {
  const server = Net.createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" ? (address?.port ?? 1) : 1)))
  })
})

describe("a database that is not there", () => {
  it.live("K11: every store says that it is unavailable, and the health check says why it is not ready", () =>
    Effect.gen(function* () {
      const url = Redacted.make(`postgres://nobody@127.0.0.1:${yield* deadPort}/nothing`)
      yield* Effect.gen(function* () {
        for (const call of yield* calls) assert.strictEqual(yield* reasonOf(call), "unavailable")
        const { reasons } = yield* PostgresHealth.PostgresHealth
        assert.deepStrictEqual(yield* reasons, [{ _tag: "DatabaseUnavailable" }])
      }).pipe(Effect.provide(unmigrated), Effect.provide([layerClient({ url }), cipher]))
    })
  )
})

/** The sessions of the database of the test that wait for a lock. */
const waiters = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
)

layer(stores(), { excludeTestServices: true })("a database that fails", (it) => {
  it.effect("a session that is ended in the middle of a transaction is a StoreError, and nothing of it is kept", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const app = yield* Given.registered()
      const hold = yield* opened(sql`select 1 from apps where id = ${app.id} for update`)
      const revising = yield* Effect.forkChild(reasonOf(Given.revised(app, { A: "1" })))
      const [waiter] = yield* waiting(1)
      yield* sql`select pg_terminate_backend(${waiter?.pid ?? 0})`
      assert.strictEqual(yield* Fiber.join(revising), "unavailable")
      yield* hold
      assert.strictEqual(Number((yield* Given.revised(app, { A: "2" })).revision), 1)
    })
  )

  it.effect("all sessions that are ended at once are replaced: what runs fails as a StoreError or succeeds", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const apps = yield* Given.registeredTogether(8)
      const changing = yield* Effect.forkChild(
        Effect.forEach(apps, (app) => Effect.exit(Effect.repeat(Given.revised(app, { A: "1" }), { times: 200 })), {
          concurrency: "unbounded"
        })
      )
      for (let round = 0; round < 5; round++) {
        yield* sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`
        yield* Effect.sleep("20 millis")
      }
      for (const exit of yield* Fiber.join(changing)) {
        if (Exit.isFailure(exit)) assert.strictEqual(yield* reasonOf(exit), "unavailable")
      }
      yield* Effect.forEach(apps, (app) => Given.revised(app, { B: "2" }))
    })
  )

  it.effect(
    "a row that was refused by a constraint which no port knows is unexpected, and not retried as unavailable",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`alter table env_changes add constraint odd check (history #>> '{0,actor}' <> 'contract') not valid`
        const app = yield* Given.registered()
        assert.strictEqual(yield* reasonOf(Given.revised(app, { A: "1" })), "unexpected")
        yield* sql`alter table env_changes drop constraint odd`
      })
  )

  it.effect("H24: who is interrupted while its statement waits leaves no session that waits for it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const app = yield* Given.registered()
      const hold = yield* opened(sql`select 1 from apps where id = ${app.id} for update`)
      const revising = yield* Effect.forkChild(Given.revised(app, { A: "1" }))
      yield* waiting(1)
      yield* Fiber.interrupt(revising)
      assert.deepStrictEqual(yield* waiters, [])
      yield* hold
      assert.strictEqual(Number((yield* Given.revised(app, { A: "2" })).revision), 1)
    })
  )

  it.effect("K11: the health check answers in time and takes back the question that it waits for", () =>
    Effect.gen(function* () {
      const [{ reasons }, sql] = [yield* PostgresHealth.PostgresHealth, yield* SqlClient.SqlClient]
      const hold = yield* opened(sql`lock table lockkeeper_migrations in access exclusive mode`)
      assert.deepStrictEqual(yield* reasons, [{ _tag: "DatabaseUnavailable" }])
      yield* eventually("no session that waits", waiters, (rows) => rows.length === 0)
      yield* hold
      assert.deepStrictEqual(yield* reasons, [])
    })
  )
})

// Each waits for its own time, of seconds: together they take as long as the longest.
layer(stores(), { excludeTestServices: true, concurrent: true })("a database that fails for seconds", (it) => {
  it.effect(
    "E7: who waits too long for a lock is told: EnvBusy for an Env, unavailable elsewhere; nothing is changed",
    () =>
      Effect.gen(function* () {
        const [apps, sql] = [yield* AppStore, yield* SqlClient.SqlClient]
        const app = yield* Given.registered()
        const hold = yield* opened(sql`select 1 from apps where id = ${app.id} for update`)
        const change = apps.change(app.id, { policy: "reject" })
        const [busy, reason] = yield* Effect.all([Effect.flip(Given.revised(app, { A: "1" })), reasonOf(change)], {
          concurrency: 2
        })
        assert.strictEqual(busy._tag, "EnvBusy")
        assert.strictEqual(reason, "unavailable")
        yield* hold
        assert.deepStrictEqual(yield* apps.get(app.id), app)
      })
  )

  it.effect(
    "E7: who waits too long for a Tenant or a Job that somebody holds is told so in time; nothing is changed",
    () =>
      Effect.gen(function* () {
        const [jobs, sql] = [yield* JobStore, yield* SqlClient.SqlClient]
        const tenant = yield* Given.freshTenant
        const { job, ...claim } = yield* GivenJob.running({ tenant })
        const hold = yield* opened(
          sql`select 1 from tenants t join jobs j on j.tenant = t.name where t.name = ${tenant} for update`
        )
        const finish = jobs.finish({ job, ...claim }, { status: "succeeded", exitCode: 0 })
        const [took, reasons] = yield* Effect.timed(
          Effect.all([reasonOf(GivenJob.begun({ tenant }, "queue")), reasonOf(finish)], { concurrency: 2 })
        )
        assert.isBelow(Duration.toMillis(took), 8_000)
        assert.deepStrictEqual(reasons, ["unavailable", "unavailable"])
        yield* hold
        assert.deepStrictEqual((yield* jobs.list({ tenant }, { limit: 2 })).items, [job])
      })
  )

  it.effect(
    "E6: what a session holds whose client is gone is free again after ten seconds, though nobody told the server",
    () =>
      Effect.gen(function* () {
        const { url } = yield* TestDatabase
        const [app, proxy] = [yield* Given.registered(), yield* postgresProxy(url)]
        const over = layerStores({ migrate: "apply" }).pipe(
          Layer.provide(layerClient({ url: proxy.url })),
          Layer.provide(cipher),
          Layer.fresh
        )
        const ports = yield* Layer.build(over)
        let decisions = 0
        const goneWhileHolding = Effect.flatMap(EnvStore, (envs) =>
          envs.revise({
            app: app.id,
            actor: "contract",
            decide: () => {
              if (++decisions === 2) Effect.runSync(proxy.halve("client"))
              return Result.succeed(Given.changeOf({ A: "1" }))
            }
          })
        )
        yield* Given.revised(app, { A: "0" }).pipe(Effect.provideContext(ports))
        yield* Given.revised(app, { B: "somebody else's, so that what was known is not enough and the row is held" })
        assert.strictEqual(yield* reasonOf(Effect.provideContext(goneWhileHolding, ports)), "unavailable")
        assert.strictEqual(decisions, 2)
        const next = Given.revised(app, { A: "2" })
        assert.strictEqual((yield* Effect.flip(next))._tag, "EnvBusy")
        const [duration, { revision }] = yield* Effect.timed(
          Effect.retry(next, { while: ({ _tag }) => _tag === "EnvBusy", times: 10 })
        )
        assert.strictEqual(Number(revision), 3)
        assert.isBelow(Duration.toMillis(duration), 14_000)
      })
  )

  it.effect("who waits too long for a connection is told, and the next one gets it", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const app = yield* Given.registered()
      const over = layerStores({ migrate: "apply" }).pipe(
        Layer.provideMerge(layerClient({ url, maxConnections: 1 })),
        Layer.provide(cipher),
        Layer.fresh
      )
      yield* Effect.gen(function* () {
        const [envs, sql] = [yield* EnvStore, yield* SqlClient.SqlClient]
        const hold = yield* opened(sql`select 1`)
        const waiters = [reasonOf(envs.read(app.id)), reasonOf(Given.revised(app, { A: "1" }))]
        const [duration, reasons] = yield* Effect.timed(Effect.all(waiters, { concurrency: 2 }))
        assert.deepStrictEqual(reasons, ["unavailable", "unavailable"])
        assert.isBelow(Duration.toMillis(duration), 15_000)
        yield* hold
        assert.strictEqual(Number((yield* Given.revised(app, { A: "1" })).revision), 1)
      }).pipe(Effect.provide(over))
    })
  )
})
