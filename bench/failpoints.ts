// What a failpoint costs while nobody listens, as a share of the fastest thing that one is put around: a statement that asks
// a Postgres on this machine for nothing. Prints one JSON line; the goal is 1 % at most.

import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { EmbeddedPostgres, layer as embedded } from "@lockkeeper/adapter-postgres/EmbeddedPostgres"
import { layerClient } from "@lockkeeper/adapter-postgres/layer"
import { failpoint } from "@lockkeeper/core/port/failpoint"
import { Console, Effect, FileSystem, Layer } from "effect"
import { SqlClient } from "effect/sql"

const rounds = 15
const calls = 200_000
const statements = 500

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Nanoseconds for one of `count` runs, one after the other. */
const nanosOf = <E, R>(count: number, self: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function* () {
    const start = process.hrtime.bigint()
    for (let index = 0; index < count; index++) yield* self
    return Number(process.hrtime.bigint() - start) / count
  })

const bare = Effect.void
const pointed = failpoint("bench.nothing", Effect.void, undefined)

const bench = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const statement = sql`select`
  yield* nanosOf(calls, bare)
  yield* nanosOf(calls, pointed)
  yield* nanosOf(statements, statement)

  const costs: Array<number> = []
  const trips: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    const without = yield* nanosOf(calls, bare)
    const withPoint = yield* nanosOf(calls, pointed)
    costs.push(withPoint - without)
    trips.push(yield* nanosOf(statements, statement))
  }
  const [failpointNanos, statementNanos] = [median(costs), median(trips)]
  yield* Console.log(
    JSON.stringify({
      bench: "failpoint while nobody listens",
      failpointNanos: Math.round(failpointNanos),
      statementMicros: Math.round(statementNanos / 100) / 10,
      share: Number((failpointNanos / statementNanos).toFixed(5)),
      goal: 0.01,
      rounds
    })
  )
})

const database = Layer.unwrap(
  Effect.gen(function* () {
    const dataDir = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "lockkeeper-bench-" })
    return Layer.unwrap(Effect.map(EmbeddedPostgres, ({ url }) => layerClient({ url, maxConnections: 1 }))).pipe(
      Layer.provide(embedded({ dataDir }))
    )
  })
)

bench.pipe(Effect.provide(Layer.provide(database, NodeServices.layer)), NodeRuntime.runMain)
