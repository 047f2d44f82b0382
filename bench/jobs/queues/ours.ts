// Jobs of Lockkeeper as a queue: a Tenant for each group, with an App of which they are commands. One worker asks at a time for
// the next Job, as the Dispatcher of a replica does.

import { JobStore } from "@lockkeeper/core/port/JobStore"
import type { JobClaim } from "@lockkeeper/core/port/JobRequest"
import { echo, released } from "@lockkeeper/core/testing/JobFixture"
import { Effect, Semaphore } from "effect"
import { SqlClient } from "effect/sql"
import { type Fault, worker } from "../ground.ts"
import { groups, idleMillis, type Queue, type Run, workers, workMillis } from "./Queue.ts"

/** Makes the groups. What was admitted as it was asked for is carried out by the first worker that is free. */
export const ours = Effect.fnUntraced(function* (cap: number) {
  const sql = yield* SqlClient.SqlClient
  const jobs = yield* JobStore
  const apps = yield* Effect.orDie(
    Effect.forEach(Array.from({ length: groups }), () => Effect.map(released(), ({ app }) => app))
  )
  const groupOf = new Map(apps.map(({ tenant }, group) => [String(tenant), group]))
  yield* sql`update tenants set job_cap = ${cap}::int where name = any(${[...groupOf.keys()]}::text[])`
  const mine: Array<JobClaim> = []
  const turn = yield* Semaphore.make(1)

  const carriedOut = Effect.fnUntraced(function* (claim: JobClaim, run: Run) {
    const group = groupOf.get(claim.job.tenant) ?? 0
    run.begin(group)
    yield* Effect.sleep(workMillis)
    run.end(group)
    yield* jobs.finish(claim, { status: "succeeded", exitCode: 0 })
  })

  const working = Effect.fnUntraced(function* (run: Run) {
    while (!run.isDone()) {
      const claim = mine.shift() ?? (yield* turn.withPermit(jobs.admit(worker)))
      if (claim === undefined) yield* Effect.sleep(idleMillis)
      else yield* carriedOut(claim, run)
    }
  })

  const ask = Effect.fnUntraced(function* (group: number) {
    const app = apps[group]
    if (app === undefined) return yield* Effect.die(new Error("there is no such group"))
    const request = { of: { app: app.id }, task: echo, items: undefined, onFull: "queue", by: worker } as const
    const { claim } = yield* jobs.begin(request)
    if (claim !== undefined) mine.push(claim)
  })
  const work = (run: Run) =>
    Effect.forEach(Array.from({ length: workers }), () => working(run), { concurrency: workers, discard: true })
  return { ask, work } satisfies Queue<Fault, never>
})
