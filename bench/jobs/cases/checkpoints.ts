// Checkpoints of the Items of a Batch, one after the other and several at once, beside the bare driver that sends the store's
// own statements.

import { ItemInput } from "@lockkeeper/core/domain/Job"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import { CheckpointStore } from "@lockkeeper/core/port/CheckpointStore"
import type { JobClaim } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { makeRecording } from "../../deploy/replay.ts"
import { Cluster } from "../../env/cluster.ts"
import type { Sample } from "../../env/compare.ts"
import {
  type Case,
  clientOf,
  type Fault,
  history,
  pool,
  sampled,
  slotOf,
  stores,
  storesOver,
  tenantsOf
} from "../ground.ts"
import { planOf, sender } from "../plan.ts"

/** More than are recorded in all rounds. */
const itemsEach = 100_000

const settings = [
  { name: "alone", batches: 1, atOnce: 1 },
  { name: "one Batch, 16 at once", batches: 1, atOnce: 16 },
  { name: "16 Batches", batches: 16, atOnce: 1 }
] as const

const outcome = { status: "done", exitCode: 0, result: "ok" } as const

/** A Batch that its caller holds. Its Items are made here: a request has no room for as many. */
const batch = Effect.fnUntraced(function* (tenant: TenantName) {
  const sql = yield* SqlClient.SqlClient
  const { claim } = yield* (yield* JobStore).begin({ ...slotOf(tenant), items: [ItemInput.make("1")] })
  if (claim === undefined) return yield* Effect.die(new Error("a Batch had to wait"))
  yield* sql`insert into job_items (job, number, item)
    select ${claim.job.id}::text, n, n::text from generate_series(2, ${itemsEach}::int) n`
  yield* sql`update jobs set items_total = ${itemsEach}::int where id = ${claim.job.id}`
  return claim
})

/** Records what is next of a Batch, whoever asks. */
const recorder = (claim: JobClaim) => {
  let number = 0
  return Effect.gen(function* () {
    number += 1
    yield* (yield* CheckpointStore).record(claim, number, outcome)
  })
}

const plan = Effect.fnUntraced(function* (claim: JobClaim) {
  const { layer, take } = yield* makeRecording
  return yield* Effect.gen(function* () {
    const next = recorder(claim)
    yield* next
    const before = take()
    yield* next
    return yield* planOf(claim.job.id, before, take())
  }).pipe(Effect.provide(Layer.provideMerge(stores, layer)))
})

const recordedOf = Effect.fnUntraced(function* (claims: ReadonlyArray<JobClaim>) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly done: number }>`select sum(items_done)::int as done from jobs
    where id = any(${claims.map(({ job }) => String(job.id))}::text[])`
  return row?.done ?? 0
})

/** Each setting through the store, and through the driver. */
export const checkpoints = Effect.gen(function* () {
  const { url } = yield* Cluster
  const [tenant] = yield* tenantsOf("checkpoints", 1, null)
  if (tenant === undefined) return yield* Effect.die(new Error("there is no Tenant"))
  const batchesOf = (count: number) =>
    Effect.provide(
      Effect.forEach(Array.from({ length: count }), () => batch(tenant)),
      stores
    )
  const [mine, theirs] = yield* Effect.all([
    Effect.forEach(settings, ({ batches }) => batchesOf(batches)),
    Effect.forEach(settings, ({ batches }) => batchesOf(batches))
  ])
  const sample = yield* plan((yield* batchesOf(1))[0] ?? (yield* Effect.die(new Error("there is no Batch"))))
  yield* history("checkpoints-history")
  const context = yield* storesOver(url)
  const bare = yield* Layer.build(clientOf(url))
  const sent = new Map<string, number>()
  const repeated = <A>(all: ReadonlyArray<A>, times: number): ReadonlyArray<A> =>
    all.flatMap((one) => Array.from({ length: times }, () => one))

  const contenders = settings.flatMap(({ atOnce, name }, index) => {
    const ours = repeated((mine[index] ?? []).map(recorder), atOnce)
    const driver = repeated(
      (theirs[index] ?? []).map(({ job }) => sender(sample, job.id)),
      atOnce
    )
    const counting = (run: Effect.Effect<Sample, Fault>) =>
      Effect.tap(run, ({ latencies }) =>
        Effect.sync(() => void sent.set(name, (sent.get(name) ?? 0) + latencies.length))
      )
    return [
      {
        name: `ours ${name}`,
        connections: pool,
        run: (seconds: number) => counting(Effect.provideContext(sampled(ours, seconds), context))
      },
      {
        name: `driver ${name}`,
        connections: pool,
        run: (seconds: number) => counting(Effect.provideContext(sampled(driver, seconds), bare))
      }
    ]
  })
  const part: Case = {
    name: "checkpoints",
    contenders,
    goals: settings.map(({ name }) => ({
      name: `Checkpoints, ${name} / driver, same statements`,
      of: "perSecond" as const,
      ours: `ours ${name}`,
      peer: `driver ${name}`
    })),
    check: Effect.map(
      Effect.forEach(settings, ({ name }, index) =>
        Effect.map(recordedOf([...(mine[index] ?? []), ...(theirs[index] ?? [])]), (done) =>
          done === sent.get(name) ? [] : [`${name}: ${sent.get(name)} were recorded, and ${done} are done`]
        )
      ),
      (wrong) => wrong.flat()
    )
  }
  return part
})
