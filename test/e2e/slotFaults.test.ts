// Slots behind a pooler while the processes that hold them are killed and frozen and the pooler is restarted: never more than
// the cap, nobody is believed who has lost a Slot, and in the end none is taken. Ten thousand admissions in a soak.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer, vi } from "@effect/vitest"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Duration, Effect, Random, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { describeWith } from "../harness/capability.ts"
import { TestDatabase } from "../harness/database.ts"
import { eventually } from "../harness/eventually.ts"
import { pgbouncer } from "../harness/pgbouncer.ts"
import { soak } from "../harness/sample.ts"
import type { ServerProcess } from "../harness/server.ts"
import { Finished, linesOf, mostAtOnce } from "../harness/slotOrders.ts"
import { slotsOf, started, stores, told } from "../harness/slotWorkers.ts"
import { temporaryDirectory } from "../harness/temporaryDirectory.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 60_000 })

/** A worker process, and what it calls itself. */
interface Worker extends ServerProcess {
  readonly name: string
}

const wanted = process.env["SOAK"] === "1" ? 10_000 : 300
const cap = 2
const leaseMillis = 600
const count = 3

const admissions = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ count: number }>`select count(*)::int as count from events where type = 'job.running'`
  return row?.count ?? 0
})

/** What is not in the hands of anybody who lives any more is given back. */
const recovered = Effect.gen(function* () {
  const jobs = yield* JobStore
  const by = { replica: ReplicaId.make("the-reaper"), terms: Given.longTerms }
  const claims = yield* jobs.claimAbandoned(by, 100)
  yield* Effect.forEach(claims, (claim) => jobs.finish(claim, { status: "failed", exitCode: null }))
})

describeWith("pgbouncer")("slots behind PgBouncer", () => {
  layer(stores, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.effect("INV-3 INV-13 K1 K11 K12: are never more than the cap through kills, freezes and restarts of it", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const directory = yield* temporaryDirectory
        const pooler = yield* pgbouncer((yield* TestDatabase).url, 6)
        const tenants = [yield* Given.freshTenant, yield* Given.freshTenant] as const
        for (const tenant of tenants) yield* (yield* DeploymentStore).setCap(tenant, cap)
        let names = 0
        const next = Effect.suspend(() => {
          const name = `worker-${++names}`
          const worker = started(pooler.url, { name, directory, leaseMillis, duty: { _tag: "churn", tenants } })
          return Effect.map(worker, (started) => ({ ...started, name }))
        })
        const workers = yield* Effect.all(
          Array.from({ length: count }, () => next),
          { concurrency: "unbounded" }
        )

        const struck = { kills: 0, freezes: 0, "restarts of the pooler": 0 }
        const kill = Effect.fnUntraced(function* (index: number, worker: Worker) {
          struck.kills++
          yield* worker.signal("SIGKILL")
          yield* worker.exited
          workers[index] = yield* next
        })
        const holds = ({ name }: Worker) =>
          Effect.map(
            sql`select from jobs where status = 'running' and replica = ${`replica-${name}`}`,
            (rows) => rows.length > 0
          )
        /** Stops it while it holds a Slot. */
        const caught = Effect.fnUntraced(function* (worker: Worker) {
          yield* worker.signal("SIGSTOP")
          const isHolder = yield* holds(worker)
          if (!isHolder) yield* Effect.andThen(worker.signal("SIGCONT"), Effect.sleep("5 millis"))
          return isHolder
        })
        const freeze = Effect.fnUntraced(function* (_: number, worker: Worker) {
          struck.freezes++
          yield* eventually("it is stopped while it holds a Slot", caught(worker), (isHolder) => isHolder)
          yield* Effect.sleep(Duration.millis(leaseMillis * 2))
          yield* worker.signal("SIGCONT")
        })
        const restart = () => {
          struck["restarts of the pooler"]++
          return pooler.restart
        }
        const faults: ReadonlyArray<(index: number, worker: Worker) => Effect.Effect<void, unknown, Scope.Scope>> = [
          kill,
          freeze,
          restart,
          freeze
        ]
        const finished = () => linesOf(Finished, directory, ".finished")
        const isStale = ({ accepted }: typeof Finished.Type) => !accepted
        let [done, round] = [0, 0]
        const isDue = () => done < wanted || round < faults.length || (round < 40 && !finished().some(isStale))
        while (isDue()) {
          yield* Effect.sleep("300 millis")
          const [index, worker] = yield* Effect.orDie(Random.choice([...workers.entries()]))
          yield* faults[round++ % faults.length]?.(index, worker) ?? Effect.void
          done = yield* admissions
        }
        yield* Effect.forEach(workers, (worker) => Effect.andThen(worker.signal("SIGTERM"), worker.exited), {
          concurrency: "unbounded"
        })

        const unended = Effect.andThen(
          recovered,
          sql<{ id: string }>`select id from jobs where status in ('queued', 'running')`
        )
        yield* eventually("everything has ended", unended, (rows) => rows.length === 0)
        for (const tenant of tenants) {
          assert.strictEqual(yield* slotsOf(tenant), 0)
          assert.strictEqual(mostAtOnce(yield* told(tenant)), cap)
        }

        const rows = yield* sql<{ id: string; status: string; fence: number }>`select id, status, fence::int from jobs`
        const stands = new Map(rows.map(({ fence, id, status }) => [id, `${status} under ${fence}`]))
        const accepted = finished().filter((line) => line.accepted)
        const stale = finished().filter(isStale)
        for (const { fence, job } of accepted) assert.strictEqual(stands.get(job), `succeeded under ${fence}`)
        for (const { fence, job } of stale) assert.notStrictEqual(stands.get(job), `succeeded under ${fence}`)
        soak.count("slots through faults", { admissions: done, ...struck, "stale holders refused": stale.length })
        console.info({ admissions: done, ...struck, stale: stale.length, accepted: accepted.length })
        assert.isAbove(accepted.length, 50)
        assert.isNotEmpty(stale)
      }).pipe(Effect.provide(NodeServices.layer))
    )
  })
})
