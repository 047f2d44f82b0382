// How long the queue of a Tenant may become.

import { assert, layer } from "@effect/vitest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { jobQueueLimit } from "@lockkeeper/core/port/JobRequest"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { stores } from "./support/stores.ts"

layer(stores(), { excludeTestServices: true })("a Job", (it) => {
  it.effect(
    "X6: is refused where a hundred thousand Jobs and Deployments wait, and what has ended does not count",
    () =>
      Effect.gen(function* () {
        const [deployments, jobs, sql] = [yield* DeploymentStore, yield* JobStore, yield* SqlClient.SqlClient]
        const app = yield* Given.registered()
        const { tenant } = app
        yield* deployments.finish(yield* Given.claimed(app), { status: "cancelled" })
        yield* deployments.setCap(tenant, 0)
        yield* sql`insert into jobs (tenant, kind, status, timeout_seconds, item_concurrency, on_item_failure, on_full,
          lease_until, finished_at)
        select ${tenant}, 'slot', case when n = 1 then 'cancelled' else 'queued' end, 1, 1, 'stop', 'queue',
          case when n = 1 then null else now() + interval '1 hour' end, case when n = 1 then now() end
        from generate_series(1, ${jobQueueLimit}::int - 1) n`
        const { id } = yield* Jobs.waitingJob({ tenant })
        const deployment = yield* Given.begun(app)
        const refusal = yield* Jobs.refusal(Jobs.begun({ tenant }, "queue"))
        assert.deepStrictEqual(refusal, { _tag: "QueueFull", limit: jobQueueLimit })
        yield* deployments.withdraw(deployment.id)
        yield* Jobs.waitingJob({ tenant })
        assert.strictEqual((yield* Jobs.refusal(Jobs.begun({ tenant }, "queue")))._tag, "QueueFull")
        yield* jobs.requestCancel(id)
        yield* Jobs.waitingJob({ tenant })
      })
  )
})
