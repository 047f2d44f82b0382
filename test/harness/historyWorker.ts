// One of several processes that use the same stores at once, each with a client of its own, until it is told to stop. What
// it asks and what it hears goes into a file line by line, so that a kill leaves all that was seen before it.

import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PostgresLayer from "@lockkeeper/adapter-postgres/layer"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { ImageDigest } from "@lockkeeper/core/domain/Workload"
import type { Claim } from "@lockkeeper/core/port/Claim"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { envMap } from "@lockkeeper/core/testing/envMap"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as History from "@lockkeeper/core/testing/History"
import { formatEvent } from "@lockkeeper/core/testing/historyLines"
import type { HistoryCodec } from "@lockkeeper/core/testing/SequentialModel"
import { statusRegister } from "@lockkeeper/core/testing/statusRegister"
import { Config, Duration, Effect, Layer, Logger, Random, Result, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { appendFileSync } from "node:fs"
import { brokenStores } from "./brokenStores.ts"
import { workerKey, WorkerOrders } from "./workerOrders.ts"

const recorded = <Input, Output>(codec: HistoryCodec<Input, Output>, file: string) => {
  const format = formatEvent(codec)
  return History.make<Input, Output>({ write: (event) => Effect.sync(() => appendFileSync(file, format(event))) })
}

const unknown = () => ({ type: "unknown" }) as const

const names = ["A", "B", "C", "D", "E"] as const

const randomEntries = Effect.gen(function* () {
  const count = yield* Random.nextIntBetween(1, 3)
  const entries: Record<string, string | null> = {}
  for (let index = 0; index < count; index++) {
    const number = yield* Random.nextIntBetween(0, 1_000_000)
    entries[yield* Random.choice(names)] = number % 5 === 0 ? null : String(number)
  }
  return entries
})

/** Merges and reads one of the Envs. */
const envTurn = Effect.fnUntraced(function* (
  { apps, name: process }: WorkerOrders,
  { record }: Effect.Success<ReturnType<typeof recorded<typeof envMap.input.Type, typeof envMap.output.Type>>>
) {
  const envs = yield* EnvStore
  const app = yield* Random.choice(apps)
  if ((yield* Random.next) < 0.3) {
    const call = { key: app, process, input: { type: "read" } } as const
    const success = ({ env, revision }: Effect.Success<ReturnType<typeof envs.read>>) =>
      ({ type: "read", revision: Number(revision), entries: Given.plain(env) }) as const
    return yield* record(call, envs.read(app), { success, failure: () => ({ type: "fail" }) as const })
  }
  const changes = yield* randomEntries
  const revise = envs.revise({ app, actor: process, decide: () => Result.succeed(Given.changeOf(changes)) })
  const success = ({ applied, revision }: Effect.Success<typeof revise>) =>
    ({ type: applied.changed ? "revised" : "unchanged", revision: Number(revision) }) as const
  return yield* record({ key: app, process, input: { type: "merge", changes } }, revise, {
    success,
    failure: (error) => (error._tag === "EnvBusy" ? { type: "fail" } : unknown())
  })
})

/** Takes a Deployment over, moves it on, reads it, or acts on it under whatever Fence it ever had. */
const statusTurn = Effect.fnUntraced(function* (
  { deployments, leaseMillis, name: process }: WorkerOrders,
  held: Map<string, Claim>,
  {
    record
  }: Effect.Success<ReturnType<typeof recorded<typeof statusRegister.input.Type, typeof statusRegister.output.Type>>>
) {
  const store = yield* DeploymentStore
  const sql = yield* SqlClient.SqlClient
  const deployment = yield* Random.choice(deployments)
  const claim = held.get(deployment)
  const of = { key: deployment, process }
  const dice = yield* Random.next

  if (dice < 0.2) {
    const read = sql<{
      status: string
      fence: number
    }>`select status, fence::int from deployments where id = ${deployment}`
    const success = ([row]: Effect.Success<typeof read>) =>
      ({ type: "read", status: row?.status ?? "gone", fence: row?.fence ?? 0 }) as const
    yield* record({ ...of, input: { type: "read" } }, read, { success, failure: () => ({ type: "fail" }) as const })
  } else if (claim === undefined || dice < 0.4) {
    const terms = { ttl: Duration.millis(leaseMillis), renewEvery: Duration.millis(leaseMillis / 3) }
    const taken = Effect.flatMap(
      store.claimAbandoned({ replica: ReplicaId.make(`replica-${process}`), terms, deployment }, 1),
      ([claim]) => (claim === undefined ? Effect.fail("held" as const) : Effect.succeed(claim))
    )
    const success = ({ fence }: Claim) => ({ type: "taken", fence: Number(fence) }) as const
    const failure = (error: unknown) => (error === "held" ? ({ type: "fail" } as const) : unknown())
    held.set(deployment, yield* record({ ...of, input: { type: "takeOver" } }, taken, { success, failure }))
  } else {
    const ends = dice > 0.9
    const move = ends
      ? store.finish(claim, { status: "failed", error: { code: "build_failed", detail: "a test" } })
      : store.built(claim, ImageDigest.make(`sha256:${"ab".repeat(32)}`), null)
    const from = ends ? ["building", "deploying"] : ["building"]
    const input = { type: "transition", from, to: ends ? "failed" : "deploying", fence: Number(claim.fence) } as const
    yield* record({ ...of, input }, move, {
      success: () => ({ type: "moved" }) as const,
      failure: ({ _tag }) => (_tag === "LeaseLost" ? { type: "ok", output: { type: "refused" } } : unknown())
    })
  }
})

const main = Effect.gen(function* () {
  const orders = yield* Config.schema(Schema.fromJsonString(WorkerOrders), "WORKER")
  const envs = yield* recorded(envMap, `${orders.file}.env`)
  const statuses = yield* recorded(statusRegister, `${orders.file}.status`)
  const held = new Map<string, Claim>()
  const pause = Effect.flatMap(Random.nextIntBetween(0, orders.pauseMillis), (millis) =>
    Effect.sleep(Duration.millis(millis))
  )
  const turns = [envTurn(orders, envs), envTurn(orders, envs), statusTurn(orders, held, statuses)]
  yield* Effect.forEach(turns, (turn) => Effect.forever(Effect.andThen(Effect.ignore(turn), pause)), {
    concurrency: "unbounded",
    discard: true
  }).pipe(Random.withSeed(orders.seed))
})

const stores = Layer.unwrap(
  Effect.gen(function* () {
    const url = yield* Config.Redacted("DATABASE_URL")
    const { isBroken } = yield* Config.schema(Schema.fromJsonString(WorkerOrders), "WORKER")
    const stores = PostgresLayer.layerStores({ migrate: "elsewhere" }).pipe(
      Layer.provideMerge(PostgresLayer.layerClient({ url, maxConnections: 4 })),
      Layer.provide(SecretCipher.layer(workerKey))
    )
    return isBroken ? Layer.provideMerge(brokenStores, stores) : stores
  })
)

main.pipe(Effect.provide(Layer.merge(stores, Logger.layer([]))), NodeRuntime.runMain)
