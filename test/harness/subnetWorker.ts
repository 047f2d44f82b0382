// One of several processes that take Subnets of pools on one database and keep them or give them back.

import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PostgresLayer from "@lockkeeper/adapter-postgres/layer"
import * as PostgresSubnetPool from "@lockkeeper/adapter-postgres/PostgresSubnetPool"
import { format, parse } from "@lockkeeper/core/domain/Subnet"
import { PoolName, SubnetOwner, SubnetPool, type SubnetPoolSpec } from "@lockkeeper/core/port/SubnetPool"
import { Config, Duration, Effect, Layer, Logger, Schema } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { eventually } from "./eventually.ts"
import { type Had, SubnetOrders } from "./subnetOrders.ts"

const specOf = ({ name, prefix, range, restMillis }: SubnetOrders["pools"][number]): SubnetPoolSpec => ({
  name: PoolName.make(name),
  range: parse(range) ?? { first: 0, prefix: 33 },
  prefix,
  rest: Duration.millis(restMillis)
})

const now = () => Number(process.hrtime.bigint()) / 1e6

const main = Effect.gen(function* () {
  const orders = yield* Config.schema(Schema.fromJsonString(SubnetOrders), "WORKER")
  const { atOnce, count, directory, keep, name, ttlMillis } = orders
  const pools = yield* SubnetPool
  const ttl = Duration.millis(ttlMillis)
  const write = (had: Had) => Fs.appendFileSync(Path.join(directory, `${name}.had`), `${JSON.stringify(had)}\n`)

  const poolOf = (number: number) => specOf(orders.pools[number % orders.pools.length] ?? orders.pools[0])
  const one = Effect.fnUntraced(function* (number: number) {
    const pool = poolOf(number)
    const owner = SubnetOwner.make(`${name}-${number}`)
    const lease = yield* pools.reserve({ pool, owner, ttl, taken: [] })
    const from = now()
    if (keep) return write({ _tag: "Had", block: format(lease.subnet), from, to: null })
    yield* Effect.yieldNow
    const to = now()
    yield* pools.release(lease, pool.rest)
    write({ _tag: "Had", block: format(lease.subnet), from, to })
  })

  const isThere = (file: string) => Effect.sync(() => Fs.existsSync(Path.join(directory, file)))
  Fs.writeFileSync(Path.join(directory, `${name}.ready`), "")
  yield* eventually("all may begin", isThere("go"), (is) => is, "60 seconds")
  yield* Effect.forEach(
    Array.from({ length: count }).keys(),
    (number) =>
      Effect.catch(one(number), ({ _tag }) =>
        Effect.sync(() => write({ _tag: "Refused", tag: _tag, prefix: poolOf(number).prefix }))
      ),
    { concurrency: atOnce, discard: true }
  )
  Fs.writeFileSync(Path.join(directory, `${name}.done`), "")
  return yield* Effect.never
})

const pools = Layer.unwrap(
  Effect.map(Config.Redacted("DATABASE_URL"), (url) =>
    Layer.provide(PostgresSubnetPool.layer, PostgresLayer.layerClient({ url, maxConnections: 16 }))
  )
)

main.pipe(Effect.provide(Layer.merge(pools, Logger.layer([]))), NodeRuntime.runMain)
