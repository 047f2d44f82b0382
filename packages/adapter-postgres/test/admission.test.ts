// Who begins a Deployment and who is given its work, when many ask two replicas on one database: one per App, as many per
// Tenant as its cap says, first come first served. Time is real.

import { assert, layer } from "@effect/vitest"
import { DeliveryId } from "@lockkeeper/core/domain/Deployment"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { answers, cancelledTogether, raced, refusals, stores, unique } from "./support/stores.ts"

/** Asks for work once, as a new replica. */
const asked = Effect.gen(function* () {
  const deployments = yield* DeploymentStore
  return yield* deployments.admit({ replica: yield* Given.freshReplica, terms: Given.longTerms })
})

/** Asks for work many times at once and answers the Claims. */
const askedTogether = Effect.fnUntraced(function* (count: number) {
  const results = yield* raced(count, () => asked)
  assert.deepStrictEqual(refusals(results), [])
  return answers(results).filter((claim) => claim !== undefined)
})

layer(stores(), { excludeTestServices: true })("two replicas", (it) => {
  it.effect(
    "K1 INV-3: fifty who ask at once for the work of three Tenants get three each, none twice, every time",
    () =>
      Effect.gen(function* () {
        const queues = yield* Effect.forEach([1, 2, 3], () => Given.registeredTogether(8))
        yield* Effect.forEach(queues.flat(), (app) => Given.begun(app), { concurrency: 4 })
        const seen: Array<string> = []
        for (const expected of [3, 3, 2]) {
          const claims = yield* askedTogether(50)
          for (const queue of queues) {
            const own = claims.filter(({ app }) => app.tenant === queue[0]?.tenant)
            assert.strictEqual(own.length, expected)
          }
          seen.push(...claims.map(({ deployment }) => deployment.id))
          yield* cancelledTogether(claims)
        }
        assert.strictEqual(unique(seen), 24)
        assert.deepStrictEqual(yield* (yield* SqlClient.SqlClient)`select * from slots`, [])
      })
  )

  it.effect("INV-3: a Tenant whose cap is reached or 0 does not keep another one waiting, and no cap is none", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const queues = yield* Effect.forEach([0, null, 3], (cap) =>
        Effect.gen(function* () {
          const apps = yield* Given.registeredTogether(5)
          const { tenant = yield* Given.freshTenant } = apps[0] ?? {}
          yield* sql`update tenants set job_cap = ${cap} where name = ${tenant}`
          yield* Effect.forEach(apps, (app) => Given.begun(app))
          return tenant
        })
      )
      const claims = yield* askedTogether(20)
      const given = queues.map((tenant) => claims.filter(({ app }) => app.tenant === tenant).length)
      assert.deepStrictEqual(given, [0, 5, 3])
      yield* cancelledTogether(claims)
      yield* sql`update deployments set status = 'cancelled', finished_at = now() where status = 'queued'`
    })
  )

  it.effect("INV-3: under a lowered cap nobody is admitted until so many have ended", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const apps = yield* Given.registeredTogether(4)
      yield* Effect.forEach(apps, (app) => Given.begun(app))
      const [first, ...others] = yield* askedTogether(4)
      yield* sql`update tenants set job_cap = 1 where name = ${apps[0]?.tenant ?? ""}`
      yield* cancelledTogether(others)
      assert.deepStrictEqual(yield* askedTogether(4), [])
      yield* cancelledTogether(first === undefined ? [] : [first])
      const last = yield* askedTogether(4)
      assert.strictEqual(last.length, 1)
      yield* cancelledTogether(last)
    })
  )

  it.effect("INV-3: a hundred Tenants whose cap is reached, all before it, do not keep another one waiting", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`insert into tenants (name, job_cap) select 'full-' || n, 0 from generate_series(1, 100) n`
      yield* sql`insert into apps (id, tenant, name, status, health_check, host_port, created_at, updated_at)
        select 'app_full' || n, 'full-' || n, 'full', 'live', '{}', 50000 + n, now(), now() from generate_series(1, 100) n`
      yield* sql`insert into deployments
        (id, app, tenant, number, status, trigger_kind, policy, source, env_revision, created_at)
        select 'dep_full' || n, 'app_full' || n, 'full-' || n, 1, 'queued', 'manual', 'reject', '{}', 0, now()
        from generate_series(1, 100) n`
      const { id } = yield* Given.begun(yield* Given.registered())
      const claims = yield* askedTogether(1)
      assert.deepStrictEqual(
        claims.map(({ deployment }) => deployment.id),
        [id]
      )
      yield* cancelledTogether(claims)
      yield* sql`update deployments set status = 'cancelled', finished_at = now() where status = 'queued'`
    })
  )

  it.effect(
    "U5 INV-2: of fifty who begin a Deployment of one App at once, one does and the others are told which",
    () =>
      Effect.gen(function* () {
        const app = yield* Given.registered()
        const results = yield* raced(50, () =>
          Effect.flatMap(DeploymentStore, (store) => store.begin(Given.asked(app)))
        )
        const [begun] = answers(results)
        assert.strictEqual(answers(results).length, 1)
        for (const result of results) {
          if (result._tag === "Success") continue
          const refusal = result.failure._tag === "DeploymentRefused" ? result.failure.reason : result.failure
          assert.deepInclude(refusal, { _tag: "DeploymentInProgress" })
          assert.propertyVal(refusal, "activeDeployment", begun?.deployment.id)
        }
      })
  )

  it.effect("U5: a webhook that is delivered fifty times at once makes one Deployment, which all are answered", () =>
    Effect.gen(function* () {
      const app = yield* Given.registered()
      const trigger = { kind: "webhook", deliveryId: DeliveryId.make("delivery-1") } as const
      const results = yield* raced(50, () =>
        Effect.flatMap(DeploymentStore, (store) => store.begin(Given.asked(app, { trigger })))
      )
      const begun = answers(results)
      assert.strictEqual(begun.length, 50)
      assert.strictEqual(unique(begun.map(({ deployment }) => deployment.id)), 1)
      assert.strictEqual(begun.filter(({ created }) => created).length, 1)
    })
  )

  it.effect("X6: of ten who begin at once when the queue has room for one, one does, and its place is the last", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const apps = yield* Given.registeredTogether(10)
      const { tenant = yield* Given.freshTenant } = apps[0] ?? {}
      yield* sql`insert into apps (id, tenant, name, status, health_check, host_port, created_at, updated_at)
        select 'app_' || n, ${tenant}, 'a' || n, 'live', '{}', 40000 + n, now(), now() from generate_series(1, 999) n`
      yield* sql`insert into deployments
        (id, app, tenant, number, status, trigger_kind, policy, source, env_revision, created_at)
        select 'dep_' || n, 'app_' || n, ${tenant}, 1, 'queued', 'manual', 'reject', '{}', 0, now()
        from generate_series(1, 999) n`
      const results = yield* raced(10, (index) =>
        Effect.gen(function* () {
          const app = apps[index] ?? (yield* Effect.die("an App for each"))
          return yield* (yield* DeploymentStore).begin(Given.asked(app))
        })
      )
      assert.deepStrictEqual(
        answers(results).map(({ deployment }) => deployment.queuePosition),
        [1_000]
      )
      const reasons = results.flatMap((result) =>
        result._tag === "Failure" && result.failure._tag === "DeploymentRefused" ? [result.failure.reason] : []
      )
      assert.deepStrictEqual(
        reasons,
        Array.from({ length: 9 }, () => ({ _tag: "QueueFull", limit: 1_000 }) as const)
      )
    })
  )
})
