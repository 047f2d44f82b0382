// Slots in real processes on one database: however work is asked for, and whatever befalls who does it, no Tenant has more in
// progress than its cap, and nothing is lost. Small here; in a soak a hundred rounds and ten thousand admissions.

import { assert, layer, vi } from "@effect/vitest"
import { JobKey } from "@lockkeeper/core/port/JobRequest"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { JobStore } from "@lockkeeper/core/port/JobStore"
import { present } from "@lockkeeper/core/testing/Contract"
import * as Given from "@lockkeeper/core/testing/Fixture"
import * as Jobs from "@lockkeeper/core/testing/JobFixture"
import type { TenantName } from "@lockkeeper/core/domain/Tenant"
import { Effect, Fiber, Schema } from "effect"
import { SqlClient } from "effect/sql"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { TestDatabase } from "../harness/database.ts"
import { eventually } from "../harness/eventually.ts"
import { soak } from "../harness/sample.ts"
import { Edge, type Entry, linesOf, mostAtOnce } from "../harness/slotOrders.ts"
import { slotsOf, started, stores, told } from "../harness/slotWorkers.ts"
import { temporaryDirectory } from "../harness/temporaryDirectory.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 60_000 })

const isWhole = process.env["SOAK"] === "1"
const cap = 5

/** Five of each way in which work begins, on Apps of one Tenant as each needs them, and what a dead process left. */
const everyEntry = Effect.fnUntraced(function* () {
  const [apps, deployments, jobs] = [yield* AppStore, yield* DeploymentStore, yield* JobStore]
  const tenant = yield* Given.freshTenant
  yield* deployments.setCap(tenant, cap)
  const fresh = () => Given.registered({ tenant })
  const released = Effect.fnUntraced(function* () {
    const app = yield* fresh()
    const { deployment } = yield* Given.deployed(app)
    return { app: app.id, release: yield* present("a Release", deployment.release) }
  })
  const five = Effect.forEach([1, 2, 3, 4, 5], (number) =>
    Effect.gen(function* () {
      const stopped = (yield* released()).app
      yield* apps.mark(stopped, "stopped")
      const begun = yield* Jobs.begun({ app: (yield* released()).app }, "queue")
      const failed = yield* present("a Claim", begun.claim)
      yield* jobs.finish(failed, { status: "failed", exitCode: 1 })
      const entries: ReadonlyArray<Entry> = [
        { _tag: "deploy", app: (yield* fresh()).id },
        { _tag: "redeploy", app: (yield* released()).app },
        { _tag: "rollback", ...(yield* released()) },
        { _tag: "start", app: stopped },
        { _tag: "reject", app: (yield* released()).app },
        { _tag: "queue", app: (yield* released()).app },
        { _tag: "rerun", job: failed.job.id },
        { _tag: "slot", tenant, name: `slot-${number}` },
        { _tag: "slotReject", tenant, name: `reject-${number}` },
        { _tag: "batch", tenant, key: JobKey.make(`batch-${number}`) }
      ]
      return entries
    })
  )
  const entries = (yield* five).flat()
  const [first, second] = [yield* released(), yield* released()]
  const dead = [
    (yield* Jobs.running({ app: first.app })).replica,
    (yield* Jobs.running({ app: second.app })).replica,
    (yield* Given.claimed(yield* fresh())).replica
  ]
  const abandon = Effect.forEach(dead, (replica) => Effect.andThen(jobs.abandon(replica), deployments.abandon(replica)))
  return { tenant, entries, abandon }
})

/** Looks at the Slots of a Tenant again and again, until interrupted, and answers the most that it has seen. */
const watched = Effect.fnUntraced(function* (tenant: TenantName) {
  let most = 0
  const look = Effect.tap(slotsOf(tenant), (taken) => Effect.sync(() => void (most = Math.max(most, taken))))
  const fiber = yield* Effect.forkChild(Effect.forever(Effect.andThen(look, Effect.sleep("3 millis"))))
  return Effect.as(Fiber.interrupt(fiber), undefined).pipe(Effect.map(() => most))
})

layer(stores, { excludeTestServices: true, timeout: 60_000 })("slots of several processes", (it) => {
  it.effect(
    "K1 K2 INV-3: of fifty who start in ten ways at once, and what a dead process left, as many run as there are slots",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const names = ["one", "two"]
        Fs.writeFileSync(Path.join(directory, "paused"), "")
        yield* Effect.forEach(names, (name) =>
          Effect.flatMap(TestDatabase, ({ url }) =>
            started(url, { name, directory, leaseMillis: 4_000, duty: { _tag: "rounds" } })
          )
        )
        const write = (file: string, text = "") => Fs.writeFileSync(Path.join(directory, file), text)
        const remove = (file: string) => Fs.rmSync(Path.join(directory, file))
        const rounds = isWhole ? 100 : 1
        for (let round = 1; round <= rounds; round++) {
          const { abandon, entries, tenant } = yield* everyEntry()
          assert.strictEqual(entries.length, 50)
          const most = yield* watched(tenant)
          names.forEach((name, index) => {
            const own = entries.filter((_, number) => number % names.length === index)
            write(`round-${round}-${name}.tmp`, JSON.stringify(own))
            Fs.renameSync(
              Path.join(directory, `round-${round}-${name}.tmp`),
              Path.join(directory, `round-${round}-${name}.json`)
            )
          })
          yield* Effect.sleep("50 millis")
          remove("paused")
          yield* Effect.all([Effect.sync(() => write(`go-${round}`)), abandon], { concurrency: 2 })

          const edges = () => linesOf(Edge, directory, ".edges")
          const inHand = Effect.sync(() => {
            const ended = edges().filter(({ is }) => is === "end")
            const left = edges().map(({ work }) => work)
            for (const { work } of ended) for (const _ of [1, 2]) left.splice(left.indexOf(work), 1)
            return new Set(left).size
          })
          yield* eventually("every slot has work", inHand, (count) => count === cap)
          yield* Effect.sleep("300 millis")
          assert.deepStrictEqual([yield* inHand, yield* slotsOf(tenant)], [cap, cap])

          write("open")
          const usage = Effect.flatMap(DeploymentStore, (store) => store.usage(tenant))
          yield* eventually("all of it ends", usage, ({ queued, running }) => queued + running === 0, "60 seconds")
          const answers = () => linesOf(Schema.String, directory, ".answers").length
          yield* eventually("all are answered", Effect.sync(answers), (count) => count === 50 * round)
          remove("open")
          write("paused")
          yield* Effect.sleep("100 millis")

          assert.strictEqual(yield* most, cap)
          assert.strictEqual(mostAtOnce(yield* told(tenant)), cap)
          assert.isAtMost(mostAtOnce(edges()), cap)
          const sql = yield* SqlClient.SqlClient
          const statuses = yield* sql<{ status: string; count: number }>`select status, count(*)::int as count from (
              select status from deployments where tenant = ${tenant} and started_at is not null
              union all select status from jobs where tenant = ${tenant}
            ) w where status not in ('healthy', 'succeeded') group by status`
          // The Deployment of the dead process.
          assert.deepStrictEqual(statuses, [{ status: "failed", count: 1 }])
        }
        const answered = linesOf(Schema.String, directory, ".answers")
        const refused = answered.filter((line) => !line.endsWith(" done"))
        assert.deepStrictEqual(
          [...new Set(refused)].filter((line) => !/^(?:reject|slotReject) JobRefused JobCapReached$/.test(line)),
          []
        )
        soak.count("slots of two processes", { rounds, starts: answered.length, refused: refused.length })
      })
  )
})
