// Subnets in real processes on one database: whoever asks at the same time, in pools that share their addresses, no address
// has two owners; nobody is refused while there is a block; and what a killed process had is found. Small here, whole in a soak.

import { assert, layer, vi } from "@effect/vitest"
import { parse } from "@lockkeeper/core/domain/Subnet"
import { PoolName, type SubnetLease, SubnetOwner, SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { TestDatabase } from "../harness/database.ts"
import { eventually } from "../harness/eventually.ts"
import { soak } from "../harness/sample.ts"
import { linesOf } from "../harness/slotOrders.ts"
import { started, stores } from "../harness/slotWorkers.ts"
import { clash, Had, hasRoom, howMany, type SubnetOrders } from "../harness/subnetOrders.ts"
import { temporaryDirectory } from "../harness/temporaryDirectory.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 60_000 })

const isWhole = process.env["SOAK"] === "1"

type Orders = Pick<SubnetOrders, "pools" | "count" | "atOnce" | "keep"> & { readonly ttlMillis?: number }

/** A pool of 256 blocks. */
const poolOf = (name: string, range: string, prefix: number, restMillis = 0) => ({ name, range, prefix, restMillis })

let runs = 0

const run = Effect.fnUntraced(function* (orders: ReadonlyArray<Orders>) {
  const directory = yield* temporaryDirectory
  const { url } = yield* TestDatabase
  runs += 1
  const workers = yield* Effect.forEach(orders, (own, index) => {
    const name = `process-${runs}-${index}`
    const all: SubnetOrders = { name, directory, ttlMillis: 600_000, ...own }
    return started(url, all, "test/harness/subnetWorker.ts")
  })
  Fs.writeFileSync(Path.join(directory, "go"), "")
  const done = Effect.sync(() => Fs.readdirSync(directory).filter((file) => file.endsWith(".done")).length)
  yield* eventually("all are through", done, (count) => count === orders.length, "30 minutes")
  return { workers, had: linesOf(Had, directory, ".had") }
})

/** How many rows there are: Subnets that somebody has, and blocks that nobody has. */
const rows = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ held: number; free: number; resting: number }>`select
      (select count(*)::int from subnets) as held, (select count(*)::int from free_subnets) as free,
      (select count(*)::int from free_subnets where reusable_at > now()) as resting`
  return row ?? { held: -1, free: -1, resting: -1 }
})

const cleared = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`truncate subnets, free_subnets, subnet_ranges`)

const refusals = (had: ReadonlyArray<Had>) => had.flatMap((one) => (one._tag === "Refused" ? [one.tag] : []))

layer(stores, { excludeTestServices: true, timeout: 60_000 })("subnets of several processes", (it) => {
  it.effect("H11 H34: two hundred that two processes ask for at once, of 256, are disjoint and nobody is refused", () =>
    Effect.gen(function* () {
      yield* cleared
      const own = { pools: [poolOf("one", "10.16.0.0/16", 24)], count: 100, atOnce: 100, keep: true } as const
      const { had } = yield* run([own, own])
      assert.deepStrictEqual([howMany(had), refusals(had), clash(had)], [200, [], undefined])
      assert.strictEqual((yield* rows).held, 200)
    })
  )

  it.effect("H11 B29 INV-15: of three hundred, 256 get a block each, and 44 are told that there is none", () =>
    Effect.gen(function* () {
      yield* cleared
      const own = { pools: [poolOf("one", "10.16.0.0/16", 24)], count: 150, atOnce: 150, keep: true } as const
      const { had } = yield* run([own, own])
      assert.deepStrictEqual([howMany(had), clash(had)], [256, undefined])
      assert.deepStrictEqual(
        refusals(had),
        Array.from({ length: 44 }, () => "PoolExhausted")
      )
    })
  )

  it.effect("H11: two names and two sizes on one range are disjoint, and fill it", () =>
    Effect.gen(function* () {
      yield* cleared
      const [one, other] = [poolOf("one", "10.16.0.0/16", 24), poolOf("other", "10.16.0.0/16", 24)]
      const [large, small] = [poolOf("large", "10.0.0.0/8", 22), poolOf("small", "10.16.0.0/17", 26)]
      const { had } = yield* run([
        { pools: [one, small], count: 200, atOnce: 50, keep: true },
        { pools: [other, small], count: 200, atOnce: 50, keep: true },
        { pools: [{ ...large, range: "10.16.0.0/16" }], count: 30, atOnce: 10, keep: true }
      ])
      assert.strictEqual(clash(had), undefined)
      assert.deepStrictEqual([...new Set(refusals(had))], ["PoolExhausted"])
      for (const prefix of [22, 24]) {
        const isRefused = had.some((one) => one._tag === "Refused" && one.prefix === prefix)
        assert.isFalse(isRefused && hasRoom(had, "10.16.0.0/16", prefix), `blocks of ${prefix} bits`)
      }
      assert.isFalse(hasRoom(had, "10.16.0.0/16", 24))
    })
  )

  it.effect("H11 H34: at 99 in 100 taken nobody is refused who finds a block free, whoever comes and goes", () =>
    Effect.gen(function* () {
      yield* cleared
      const pool = poolOf("one", "10.16.0.0/16", 24)
      const kept = yield* run([{ pools: [pool], count: 252, atOnce: 32, keep: true }])
      const own = { pools: [pool], count: soak.many(200, 2_000), atOnce: 2, keep: false } as const
      const { had } = yield* run([own, own])
      assert.deepStrictEqual(refusals(had), [])
      assert.strictEqual(clash([...kept.had, ...had]), undefined)
    })
  )

  it.effect("H34: however many come and go, there are as many rows as are held and as were cut", () =>
    Effect.gen(function* () {
      yield* cleared
      const count = isWhole ? 50_000 : 1_500
      const own = { pools: [poolOf("one", "10.0.0.0/8", 24)], count, atOnce: 16, keep: false } as const
      const { had } = yield* run([own, own])
      assert.deepStrictEqual([howMany(had), clash(had)], [2 * count, undefined])
      assert.deepStrictEqual(yield* rows, { held: 0, free: 1_024, resting: 0 })
      soak.count("subnets of two processes", { taken: 2 * count })
    })
  )

  it.effect(
    "H12 H34: what a killed process had is claimed when its lease is over, and is free once it is cleared",
    () =>
      Effect.gen(function* () {
        yield* cleared
        const pool = poolOf("one", "10.16.0.0/24", 28)
        const { had, workers } = yield* run([{ pools: [pool], count: 16, atOnce: 4, keep: true, ttlMillis: 1_000 }])
        yield* Effect.forEach(workers, ({ exited, signal }) => Effect.andThen(signal("SIGKILL"), exited))
        const pools = yield* SubnetPool
        const name = PoolName.make(pool.name)
        const range = parse(pool.range) ?? assert.fail("a range")
        const spec = { name, range, prefix: pool.prefix, rest: Duration.zero }
        const owner = SubnetOwner.make("next")
        const ask = pools.reserve({ pool: spec, owner, ttl: Duration.minutes(1), taken: [] })
        assert.strictEqual((yield* Effect.flip(ask))._tag, "PoolExhausted")

        const claimed: Array<SubnetLease> = []
        const claiming = Effect.map(pools.claimLapsed(name, Duration.minutes(1), 100), (claims) =>
          claimed.push(...claims)
        )
        yield* eventually("the leases are over", claiming, (count) => count >= howMany(had))
        assert.strictEqual((yield* Effect.flip(ask))._tag, "PoolExhausted")
        yield* Effect.forEach(claimed, (claim) => pools.release(claim, Duration.zero))
        assert.deepStrictEqual(yield* rows, { held: 0, free: 16, resting: 0 })
        assert.strictEqual((yield* ask).owner, owner)
      })
  )
})
