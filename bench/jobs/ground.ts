// Stores over pools of their own, Tenants whose Jobs are measured, and what all contenders share: work that is done again and
// again by several at once.

import { layerClient, layerStores } from "@lockkeeper/adapter-postgres/layer"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import type { LeaseLost } from "@lockkeeper/core/port/Claim"
import type { JobRefused, JobRequest, Worker } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import type { PoolExhausted, SubnetLost } from "@lockkeeper/core/port/SubnetPool"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { longTerms } from "@lockkeeper/core/testing/Fixture"
import { inSlot } from "@lockkeeper/core/testing/JobFixture"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { isDeepStrictEqual } from "node:util"
import { Cluster } from "../env/cluster.ts"
import type { Part, Sample } from "../env/compare.ts"
import type { PgbenchFailed } from "../env/pgbench.ts"

/** The size of each pool. */
export const pool = 64

/** Who takes all Jobs here. */
export const worker: Worker = { replica: ReplicaId.make("bench"), terms: longTerms }

/** A client with a pool of its own, of the cluster's database or of another one. */
export const clientOf = (url: Redacted.Redacted<string>, connections = pool) =>
  layerClient({ url, maxConnections: connections, prepare: true })

/** The stores over the client of the context. */
export const stores = Layer.unwrap(
  Effect.map(Cluster, ({ secretKey }) =>
    Layer.provide(layerStores({ migrate: "elsewhere" }), SecretCipher.layer(Redacted.make(secretKey)))
  )
)

/** Names of Tenants, `${name}-0` and on, that are there with this cap; `null` is none. */
export const tenantsOf = Effect.fnUntraced(function* (name: string, count: number, cap: number | null) {
  const sql = yield* SqlClient.SqlClient
  const tenants = Array.from({ length: count }, (_, index) => TenantName.make(`${name}-${index}`))
  yield* sql`insert into tenants (name, job_cap) select name, ${cap}::int from unnest(${tenants.map(String)}::text[]) name`
  return tenants
})

/** A Job that is nothing but time in a Slot. */
export const slotOf = (tenant: TenantName): JobRequest => ({
  of: { tenant },
  task: inSlot,
  items: undefined,
  onFull: "reject",
  by: worker
})

/** Takes a Slot of a Tenant and gives it back: what is measured of admission. */
export const passed = Effect.fnUntraced(function* (tenant: TenantName) {
  const jobs = yield* JobStore
  const { claim } = yield* jobs.begin(slotOf(tenant))
  if (claim === undefined) return yield* Effect.die(new Error("a Job had to wait"))
  yield* jobs.finish(claim, { status: "succeeded", exitCode: 0 })
})

/** What is there of the Jobs of Tenants whose names begin so. */
export const tracesOf = Effect.fnUntraced(function* (name: string) {
  const sql = yield* SqlClient.SqlClient
  const of = `${name}-%`
  const [row] = yield* sql<Traces>`select
    (select count(*)::int from jobs where tenant like ${of} and status = 'succeeded') as succeeded,
    (select count(*)::int from jobs where tenant like ${of} and status <> 'succeeded') as others,
    (select count(*)::int from events where tenant like ${of} and type = 'job.running') as running,
    (select count(*)::int from events where tenant like ${of} and type = 'job.succeeded') as ended,
    (select count(*)::int from slots where tenant like ${of}) as slots`
  return row ?? (yield* Effect.die(new Error("nothing was counted")))
})

/** Jobs that have succeeded and others, Events of their beginnings and ends, and Slots that are taken. */
interface Traces {
  readonly succeeded: number
  readonly others: number
  readonly running: number
  readonly ended: number
  readonly slots: number
}

/** What so many Slots leave behind that were taken and given back. */
export const tracesAfter = (done: number): Traces => ({
  succeeded: done,
  others: 0,
  running: done,
  ended: done,
  slots: 0
})

/** Lets each of these be done again and again for so long, all at once. */
export const sampled = Effect.fnUntraced(function* <E, R>(
  all: ReadonlyArray<Effect.Effect<unknown, E, R>>,
  seconds: number
) {
  const latencies: Array<number> = []
  const begun = performance.now()
  const until = begun + seconds * 1_000
  const cpu = process.cpuUsage()
  const again = Effect.fnUntraced(function* (one: Effect.Effect<unknown, E, R>) {
    while (performance.now() < until) {
      const start = performance.now()
      yield* one
      latencies.push(performance.now() - start)
    }
  })
  yield* Effect.forEach(all, again, { concurrency: "unbounded", discard: true })
  const took = (performance.now() - begun) / 1_000
  const { system, user } = process.cpuUsage(cpu)
  const sample: Sample = {
    perSecond: latencies.length / took,
    latencies: Float64Array.from(latencies).sort(),
    facts: { clientCpus: (system + user) / 1e6 / took }
  }
  return sample
})

/** What may go wrong while Jobs are measured. */
export type Fault = StoreError | JobRefused | PoolExhausted | SubnetLost | LeaseLost | SqlError.SqlError | PgbenchFailed

/** A part with everything that it may need from its surroundings. */
export type Case = Part<Fault, Cluster | SqlClient.SqlClient>

/** Somebody who passes Slots of Tenants of their own, whose names begin with theirs. */
export type Passing = Case["contenders"][number]

/** The same, and whether all of what they did is there in the end, and nothing else. */
export const counted = (contender: Passing) => {
  let done = 0
  const count = ({ facts, latencies }: Sample) =>
    Effect.sync(() => void (done += facts["transactions"] ?? latencies.length))
  const check = Effect.map(tracesOf(contender.name), (traces) =>
    isDeepStrictEqual(traces, tracesAfter(done))
      ? []
      : [`${contender.name} did ${done}, and left ${JSON.stringify(traces)}`]
  )
  return { contender: { ...contender, run: (seconds: number) => Effect.tap(contender.run(seconds), count) }, check }
}

/** Jobs that have been, so that plans are made for tables that are not empty. */
export const history = Effect.fnUntraced(function* (name: string) {
  const sql = yield* SqlClient.SqlClient
  yield* tenantsOf(`${name}-history`, 100, null)
  yield* sql`insert into jobs (tenant, kind, status, timeout_seconds, item_concurrency, on_item_failure, on_full, fence,
      started_at, finished_at)
    select ${`${name}-history-`}::text || n % 100, 'slot', 'succeeded', 60, 1, 'continue', 'reject', 1, now(), now()
    from generate_series(1, 20000) n`
  yield* sql`vacuum analyze`
})

/** Stores over a pool of their own, which end with the Scope. They are asked for once the planner knows the tables. */
export const storesOver = Effect.fnUntraced(function* (url: Redacted.Redacted<string>, connections = pool) {
  return yield* Layer.build(Layer.provideMerge(stores, clientOf(url, connections)))
})
