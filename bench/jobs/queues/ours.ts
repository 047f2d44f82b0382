// Jobs of Lockkeeper as a queue: a Tenant for each group, with an App of which they are commands. One asks for what the free
// workers can carry out, again and again, as the Dispatcher of a replica does.

import { JobStore } from "@lockkeeper/core/port/JobStore"
import type { JobClaim } from "@lockkeeper/core/port/JobRequest"
import { echo, released } from "@lockkeeper/core/testing/JobFixture"
import { Effect, FiberSet } from "effect"
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

  const carriedOut = Effect.fnUntraced(function* (claim: JobClaim, run: Run) {
    const group = groupOf.get(claim.job.tenant) ?? 0
    run.begin(group)
    yield* Effect.sleep(workMillis)
    run.end(group)
    yield* jobs.finish(claim, { status: "succeeded", exitCode: 0 })
  })

  /** Those that began as they were asked for come first. */
  const claimed = Effect.fnUntraced(function* (free: number) {
    const begun = mine.splice(0, free)
    return begun.length === free ? begun : [...begun, ...(yield* jobs.admit(worker, free - begun.length))]
  })

  const work = Effect.fnUntraced(function* (run: Run) {
    const busy = yield* FiberSet.make<void, Fault>()
    const looking = Effect.gen(function* () {
      while (!run.isDone()) {
        const free = workers - (yield* FiberSet.size(busy))
        const claims = free > 0 ? yield* claimed(free) : []
        for (const claim of claims) yield* FiberSet.run(busy, carriedOut(claim, run))
        if (claims.length === 0) yield* Effect.sleep(idleMillis)
      }
    })
    yield* Effect.raceFirst(looking, FiberSet.join(busy))
  }, Effect.scoped)

  const ask = Effect.fnUntraced(function* (group: number) {
    const app = apps[group]
    if (app === undefined) return yield* Effect.die(new Error("there is no such group"))
    const request = { of: { app: app.id }, task: echo, items: undefined, onFull: "queue", by: worker } as const
    const { claim } = yield* jobs.begin(request)
    if (claim !== undefined) mine.push(claim)
  })
  return { ask, work } satisfies Queue<Fault, never>
})
