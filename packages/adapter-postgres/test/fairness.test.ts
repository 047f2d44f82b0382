// Who is served when one Tenant has far more to do than all others: each in its turn, and what waits behind the first of a
// Tenant is not looked at. Small here; a thousand Tenants, and a backlog of a hundred thousand Jobs, in a soak.

import { assert, layer } from "@effect/vitest"
import type { JobClaim } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import { Effect, Ref } from "effect"
import { SqlClient } from "effect/sql"
import { database } from "../src/internal/Database.ts"
import { slots } from "../src/internal/slots.ts"
import { replicas, stores } from "./support/stores.ts"
import { soak } from "../../../test/harness/sample.ts"

const isWhole = process.env["SOAK"] === "1"
const [tenants, backlog] = isWhole ? [1_000, 100_000] : [50, 2_000]
const each = 5
const workers = 4

/** So many Jobs of a new Tenant that wait, and its name. */
const waitingJobs = Effect.fnUntraced(function* (count: number) {
  const sql = yield* SqlClient.SqlClient
  const { app } = yield* Jobs.released()
  yield* sql`insert into jobs (tenant, app, kind, status, command, timeout_seconds, item_concurrency, on_item_failure,
      on_full, release, image, env_revision)
    select ${app.tenant}, r.app, 'command', 'queued', '["true"]', 60, 1, 'continue', 'queue', r.id, r.image, r.env_revision
    from releases r cross join generate_series(1, ${count}) where r.app = ${app.id}`
  return app.tenant
})

/** Takes what is admitted and ends it, several workers on two replicas at once, so many times; answers whose it was. */
const served = Effect.fnUntraced(function* (times: number) {
  const left = yield* Ref.make(times)
  const order: Array<string> = []
  const turn = Effect.fnUntraced(function* (claim: JobClaim) {
    order.push(claim.job.tenant)
    yield* (yield* JobStore).finish(claim, { status: "succeeded", exitCode: 0 })
  })
  const work = Effect.gen(function* () {
    const [jobs, by] = [yield* JobStore, yield* Jobs.freshWorker()]
    while ((yield* Ref.getAndUpdate(left, (count) => count - 1)) > 0) {
      yield* Effect.forEach(yield* jobs.admit(by, 1), turn)
    }
  })
  const both = yield* replicas()
  const all = Array.from({ length: workers }, (_, index) => Effect.provideContext(work, both[index % 2 === 0 ? 0 : 1]))
  yield* Effect.all(all, { concurrency: "unbounded" })
  return order
})

/** 1 when all have the same, 1/n when one of n has everything. */
const jain = (shares: ReadonlyArray<number>): number => {
  const sum = shares.reduce((total, share) => total + share, 0)
  return sum ** 2 / (shares.length * shares.reduce((total, share) => total + share ** 2, 0))
}

/** A step of a plan, as EXPLAIN shows it. */
interface Step {
  readonly "Node Type": string
  readonly "Relation Name"?: string
  readonly "Index Name"?: string
  readonly "Actual Rows": number
  readonly "Actual Loops": number
  readonly "Rows Removed by Filter"?: number
  readonly Plans?: ReadonlyArray<Step>
}

const stepsOf = (step: Step): ReadonlyArray<Step> => [step, ...(step.Plans ?? []).flatMap(stepsOf)]

const rowsOf = (step: Step): number =>
  (step["Actual Rows"] + (step["Rows Removed by Filter"] ?? 0)) * step["Actual Loops"]

layer(stores(), { excludeTestServices: true, timeout: 120_000 })(
  "one tenant with a large backlog among others",
  (it) => {
    it.effect(
      "X6: has one turn for each of theirs, and the first job of another waits one turn at most",
      () =>
        Effect.gen(function* () {
          const big = yield* waitingJobs(backlog)
          const small = yield* Effect.forEach(Array.from({ length: tenants - 1 }), () => waitingJobs(each), {
            concurrency: 8
          })
          yield* (yield* SqlClient.SqlClient)`analyze`
          const order = yield* served(tenants * each)
          const all = [big, ...small]
          const shares = all.map((tenant) => order.filter((one) => one === tenant).length)
          const firsts = all.map((tenant) => order.indexOf(tenant))
          soak.count("fairness", { tenants, backlog, turns: order.length })
          assert.strictEqual(order.length, tenants * each)
          assert.isAtLeast(jain(shares), 0.95)
          assert.isAtLeast(Math.min(...firsts), 0)
          assert.isBelow(Math.max(...firsts), tenants + workers)

          const late = yield* waitingJobs(1)
          assert.isBelow((yield* served(2 * workers)).indexOf(late), workers)
        }),
      3_600_000
    )

    it.effect("X6: is not read through to find out whose turn it is, but one step for each tenant", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { candidateTenants, standing } = slots(yield* database)
        const tenant = yield* waitingJobs(backlog)
        yield* Effect.forEach([1, 2, 3], () => waitingJobs(1))
        yield* sql`analyze`
        const waiting = yield* sql<{ count: number }>`select count(distinct tenant)::int as count from jobs
          where status = 'queued'`
        const bound = 3 * ((waiting[0]?.count ?? 0) + 1)
        for (const query of [candidateTenants("job"), candidateTenants("deployment"), standing([tenant], 4)]) {
          const plan = yield* sql<{ "QUERY PLAN": ReadonlyArray<{ readonly Plan: Step }> }>`explain
            (analyze, format json) ${query}`
          const steps = plan.flatMap((row) => row["QUERY PLAN"].flatMap(({ Plan }) => stepsOf(Plan)))
          const onJobs = steps.filter((step) => step["Relation Name"] === "jobs")
          assert.isNotEmpty(onJobs)
          for (const step of onJobs) {
            assert.strictEqual(step["Index Name"], "jobs_queue", JSON.stringify(step))
            assert.isAtMost(rowsOf(step), bound, JSON.stringify(step))
          }
        }
      })
    )
  }
)
