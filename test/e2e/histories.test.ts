// Processes that are killed, frozen beyond their leases and stopped while they change the same Envs and Deployments: what all
// of them saw must be what one store would have shown that does one thing at a time.

import { assert, layer, vi } from "@effect/vitest"
import * as PostgresLayer from "@lockkeeper/adapter-postgres/layer"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { envMap } from "@lockkeeper/core/testing/envMap"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as History from "@lockkeeper/core/testing/History"
import { linearizable } from "@lockkeeper/core/testing/linearizable"
import { statusRegister } from "@lockkeeper/core/testing/statusRegister"
import { Array, Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../harness/database.ts"
import { soak } from "../harness/sample.ts"
import { temporaryDirectory } from "../harness/temporaryDirectory.ts"
import { workerKey } from "../harness/workerOrders.ts"
import { historyOf, throughTroubles, type Trouble } from "../harness/workers.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 60_000 })

const stores = Layer.unwrap(
  Effect.map(Database.TestDatabase, ({ url }) =>
    PostgresLayer.layerStores({ migrate: "apply" }).pipe(
      Layer.provideMerge(PostgresLayer.layerClient({ url, maxConnections: 4 }))
    )
  )
).pipe(Layer.provide(SecretCipher.layer(workerKey)), Layer.provideMerge(Database.layerMigrated))

const leaseMillis = 250

/** Every Deployment is admitted here, under a lease that is over when the workers begin. */
const building = { ...statusRegister, initial: [{ status: "building", fence: 1 }] }

/** Runs workers on Apps and Deployments of their own, and answers what they and this process saw. */
const seenThrough = Effect.fnUntraced(function* (
  count: number,
  deploymentCount: number,
  trouble: Trouble,
  isBroken: boolean
) {
  const { url: database } = yield* Database.TestDatabase
  const sql = yield* SqlClient.SqlClient
  const envs = yield* EnvStore
  const directory = yield* temporaryDirectory
  const apps = yield* Effect.forEach(Array.range(1, 4), () => Effect.map(Given.registered(), ({ id }) => id))
  const terms = { ttl: Duration.millis(leaseMillis), renewEvery: Duration.millis(leaseMillis / 3) }
  const deployments = yield* Effect.forEach(Array.range(1, deploymentCount), () =>
    Effect.flatMap(Given.registered(), (app) =>
      Effect.map(Given.claimed(app, terms), ({ deployment }) => deployment.id)
    )
  )
  const options = {
    count,
    seed: soak.seed,
    directory,
    database,
    apps,
    deployments,
    leaseMillis,
    pauseMillis: 120,
    isBroken
  }
  yield* throughTroubles(options, trouble, "200 millis")

  const last = yield* History.make<typeof envMap.input.Type, typeof envMap.output.Type>()
  yield* Effect.forEach(apps, (app) =>
    last.record({ key: app, process: "end", input: { type: "read" } }, envs.read(app), {
      success: ({ env, revision }) => ({ type: "read", revision: Number(revision), entries: Given.plain(env) }),
      failure: () => ({ type: "fail" })
    })
  )
  const rows = sql<{ id: string; status: string; fence: number }>`
    select id, status, fence::int from deployments where ${sql.in("id", deployments)}
  `
  const lastStatus = yield* History.make<typeof statusRegister.input.Type, typeof statusRegister.output.Type>()
  const found = yield* rows
  yield* Effect.forEach(found, ({ fence, id, status }) =>
    lastStatus.record({ key: id, process: "end", input: { type: "read" } }, Effect.void, {
      success: () => ({ type: "read", status, fence }),
      failure: () => ({ type: "fail" })
    })
  )
  return {
    ofEnvs: [...historyOf(envMap, directory, "env"), ...(yield* last.operations)],
    ofStatuses: [...historyOf(statusRegister, directory, "status"), ...(yield* lastStatus.operations)]
  }
})

const judged = (seen: Effect.Success<ReturnType<typeof seenThrough>>) => {
  const [envs, statuses] = [linearizable(envMap, seen.ofEnvs), linearizable(building, seen.ofStatuses)]
  return { envs, statuses }
}

const unknownIn = (history: ReadonlyArray<History.Operation<unknown, unknown>>): number =>
  history.filter(({ outcome }) => outcome.type === "unknown").length

layer(stores, { excludeTestServices: true, timeout: 60_000 })(
  "INV-5 E1 INV-13 H22 R9 histories of several processes",
  (it) => {
    it.effect("through kills, freezes beyond the lease and stops are linearizable", () =>
      Effect.gen(function* () {
        const trouble = { kills: soak.many(5, 50), freezes: soak.many(3, 30), stops: soak.many(2, 20) }
        const seen = yield* seenThrough(8, 24, trouble, false)
        const { envs, statuses } = judged(seen)
        const { ofEnvs, ofStatuses } = seen
        soak.count("histories of processes", {
          ...trouble,
          operations: ofEnvs.length + ofStatuses.length,
          "without an answer": unknownIn(ofEnvs) + unknownIn(ofStatuses)
        })
        assert.isAbove(seen.ofEnvs.length, 300)
        assert.isAbove(seen.ofStatuses.length, 300)
        assert.strictEqual(envs.type, "linearizable", envs.type === "notLinearizable" ? envs.report : "")
        assert.strictEqual(statuses.type, "linearizable", statuses.type === "notLinearizable" ? statuses.report : "")
      })
    )

    it.effect("of stores without locks and fences are told from good ones", () =>
      Effect.gen(function* () {
        // How often they meet in a round is a matter of chance, and of how busy the machine is.
        const noticed = { envs: false, statuses: false }
        for (let round = 0; round < 20 && !(noticed.envs && noticed.statuses); round++) {
          const seen = yield* seenThrough(4, 6, { kills: 0, freezes: 1, stops: 0 }, true)
          const { envs, statuses } = judged(seen)
          noticed.envs ||= envs.type === "notLinearizable"
          noticed.statuses ||= statuses.type === "notLinearizable"
        }
        assert.deepStrictEqual(noticed, { envs: true, statuses: true })
      })
    )
  }
)
