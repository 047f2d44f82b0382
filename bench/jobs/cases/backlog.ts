// How long an admission takes beside many Jobs that have ended and many that wait, and beside few. Both are databases of the
// same server. What was admitted is finished, and before each turn as many wait as at first.

import { apply } from "@lockkeeper/adapter-postgres/PostgresMigrations"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { released } from "@lockkeeper/core/testing/JobFixture"
import { Console, Context, Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { Cluster } from "../../env/cluster.ts"
import type { Sample } from "../../env/compare.ts"
import { type Case, type Fault, slotOf, storesOver, tenantsOf, worker } from "../ground.ts"
import type { Options } from "../options.ts"

const tenants = 16

/** So many in a turn at most, so that the few that wait are not all gone. */
const admissions = 500

const fill = Effect.fnUntraced(function* (status: "queued" | "succeeded", count: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into jobs (tenant, app, kind, status, command, timeout_seconds, item_concurrency, on_item_failure, on_full,
      release, image, env_revision, fence, replica, started_at, finished_at)
    select a.tenant, a.id, 'command', ${status}, '["true"]'::jsonb, 60, 1, 'continue', 'queue', r.id, r.image, r.env_revision,
      ${status === "queued" ? 0 : 1}::int, 'bench', ${status === "queued" ? null : new Date()}::timestamptz,
      ${status === "queued" ? null : new Date()}::timestamptz
    from generate_series(1, ${count}::int) n
    join (select *, row_number() over (order by id) as place from apps) a on a.place = 1 + n % ${tenants}::int
    join releases r on r.app = a.id and r.current`
})

const waiting = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly count: number }>`select count(*)::int as count from jobs where status = 'queued'`
  return row?.count ?? 0
})

/** A database of its own with so many Jobs, and its stores once the planner knows them. */
const database = Effect.fnUntraced(function* (name: string, finished: number, queued: number) {
  const { url } = yield* Cluster
  const sql = yield* SqlClient.SqlClient
  yield* sql.unsafe(`create database ${name}`)
  const own = new URL(Redacted.value(url))
  own.pathname = `/${name}`
  const at = Redacted.make(own.href)
  const filling = Effect.gen(function* () {
    const begun = performance.now()
    const client = yield* SqlClient.SqlClient
    yield* apply()
    yield* Effect.orDie(Effect.forEach(Array.from({ length: tenants }), () => released()))
    yield* tenantsOf("idle", 1, null)
    for (let left = finished; left > 0; left -= 100_000) yield* fill("succeeded", Math.min(left, 100_000))
    yield* fill("queued", queued)
    yield* client`vacuum analyze`
    yield* Console.error(
      `${name}: ${finished} finished and ${queued} queued in ${Math.round(performance.now() - begun)} ms`
    )
  })
  yield* Effect.scoped(Effect.flatMap(storesOver(at, 2), (context) => Effect.provideContext(filling, context)))
  return yield* storesOver(at, 2)
})

/** One after the other is timed and then brought out of the way. */
const timedEach = Effect.fnUntraced(function* <A>(
  seconds: number,
  one: Effect.Effect<A, Fault>,
  after: (done: A) => Effect.Effect<unknown, Fault>
) {
  const latencies: Array<number> = []
  const until = performance.now() + seconds * 1_000
  while (performance.now() < until && latencies.length < admissions) {
    const start = performance.now()
    const done = yield* one
    latencies.push(performance.now() - start)
    yield* after(done)
  }
  const total = latencies.reduce((sum, one) => sum + one, 0)
  const sample: Sample = {
    perSecond: (latencies.length / total) * 1_000,
    latencies: Float64Array.from(latencies).sort(),
    facts: {}
  }
  return sample
})

/** Admits what waits, and begins what need not wait. */
const contendersOf = Effect.fnUntraced(function* (name: string, finished: number, queued: number) {
  const context = yield* database(`bench_${name}`, finished, queued)
  const jobs = Context.get(context, JobStore)
  const idle = slotOf(TenantName.make("idle-0"))
  const refilled = Effect.flatMap(waiting, (count) =>
    count < queued ? fill("queued", queued - count) : Effect.void
  ).pipe(Effect.provideContext(context))
  const admit = Effect.flatMap(jobs.admit(worker, 1), ([claim]) =>
    claim === undefined ? Effect.die(new Error("nothing was admitted")) : Effect.succeed(claim)
  )
  const begin = Effect.flatMap(jobs.begin(idle), ({ claim }) =>
    claim === undefined ? Effect.die(new Error("a Job had to wait")) : Effect.succeed(claim)
  )
  const finish = (claim: Effect.Success<typeof admit>) => jobs.finish(claim, { status: "succeeded", exitCode: 0 })
  return [
    {
      name: `admit, ${name}`,
      connections: 2,
      run: (seconds: number) => Effect.andThen(refilled, timedEach(seconds, admit, finish))
    },
    { name: `begin, ${name}`, connections: 2, run: (seconds: number) => timedEach(seconds, begin, finish) }
  ]
})

const goal = (what: string, of: "p50" | "p99") => ({
  name: `${what}, many Jobs / few`,
  of,
  ours: `${what}, many`,
  peer: `${what}, few`
})

/** Many beside few. */
export const backlog = Effect.fnUntraced(function* ({ finished, queued }: Options) {
  const contenders = [...(yield* contendersOf("few", 1_000, 1_000)), ...(yield* contendersOf("many", finished, queued))]
  const part: Case = {
    name: "backlog",
    contenders,
    goals: [
      { ...goal("admit", "p99"), atMost: 1.5 },
      { ...goal("begin", "p99"), atMost: 1.5 },
      goal("admit", "p50"),
      goal("begin", "p50")
    ],
    check: Effect.succeed([])
  }
  return part
})
