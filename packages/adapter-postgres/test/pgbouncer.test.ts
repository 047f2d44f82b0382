// Behind a real PgBouncer in transaction mode with two connections for all: every transaction may get another session, and
// many wait for one. Nothing that a store does may live in a session.

import { assert, layer } from "@effect/vitest"
import { Violation } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { describeWith } from "../../../test/harness/capability.ts"
import { TestDatabase } from "../../../test/harness/database.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { layerClient } from "../src/layer.ts"
import { storeLaws } from "./support/storeContracts.ts"
import { answers, pooledStores, raced, refusals } from "./support/stores.ts"

const poolSize = 2

/** Uses twenty clients of the pooler at once. */
const through = <A>(use: (sql: SqlClient.SqlClient) => Effect.Effect<A, SqlError.SqlError>) =>
  Effect.flatMap(TestDatabase, ({ url }) =>
    Effect.flatMap(SqlClient.SqlClient, use).pipe(Effect.provide(Layer.fresh(layerClient({ url, maxConnections: 20 }))))
  )

/** What the sessions behind the pooler keep, each seen by many clients. */
const kept = through((sql) => {
  const look = sql<{ readonly pid: number; readonly things: number }>`select pg_backend_pid() as pid, (
      select count(*)::int from pg_settings where source = 'session'
        and name in ('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout')
    ) + (select count(*)::int from pg_prepared_statements)
      + (select count(*)::int from pg_listening_channels())
      + (select count(*)::int from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') as things`
  return Effect.map(
    Effect.all(
      Array.from({ length: 20 }, () => look),
      { concurrency: 20 }
    ),
    (rows) => rows.flat()
  )
})

describeWith("pgbouncer")("K11: behind PgBouncer", () => {
  layer(pooledStores(poolSize), { excludeTestServices: true })("with two connections", (it) => {
    it.effect(
      "all laws of all stores hold",
      () =>
        Effect.forEach(
          storeLaws,
          ({ law, port, run }) => Effect.mapError(run, (broken) => new Violation({ ...broken, law: `${port} ${law}` })),
          { discard: true }
        ),
      600_000
    )

    it.effect("E1 INV-2 INV-5: of twenty clients each is served, and each change and each refusal is right", () =>
      Effect.gen(function* () {
        const app = yield* Given.registered()
        const changes = yield* raced(40, (index) => Given.revised(app, { [`KEY_${index}`]: "1" }))
        assert.deepStrictEqual(refusals(changes), [])
        assert.strictEqual(new Set(answers(changes).map(({ revision }) => revision)).size, 40)
        const begun = yield* raced(20, () => Given.begun(app))
        assert.strictEqual(answers(begun).length, 1)
        assert.deepStrictEqual([...new Set(refusals(begun))], ["DeploymentRefused"])
      })
    )

    it.effect("no session keeps anything after that: no setting, no lock, no prepared statement, no listener", () =>
      Effect.gen(function* () {
        const seen = yield* kept
        assert.deepStrictEqual([...new Set(seen.map(({ things }) => things))], [0])
        const pids = [...new Set(seen.map(({ pid }) => pid))]
        assert.isAtMost(pids.length, poolSize)

        yield* through((sql) => sql`select set_config('lock_timeout', '1s', false)`)
        yield* eventually("a setting that is kept is seen", kept, (rows) => rows.some(({ things }) => things > 0))
      })
    )
  })
})
