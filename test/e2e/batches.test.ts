// A Batch whose process is killed again and again, and carried on each time by the next one: each Item gets one Checkpoint, and
// what was acknowledged is never done again. Two hundred kills in a soak.

import { assert, layer, vi } from "@effect/vitest"
import { JobKey } from "@lockkeeper/core/port/JobRequest"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { Effect, Random } from "effect"
import { SqlClient } from "effect/sql"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { TestDatabase } from "../harness/database.ts"
import { eventually } from "../harness/eventually.ts"
import { soak } from "../harness/sample.ts"
import { slotsOf, started, stores } from "../harness/slotWorkers.ts"
import { temporaryDirectory } from "../harness/temporaryDirectory.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 60_000 })

const kills = process.env["SOAK"] === "1" ? 200 : 5

/** On how many Items a worker works at once: what a kill finds without a Checkpoint. */
const concurrency = 4

/** How often each Item has had its effect, and whether that is acknowledged. */
const effects = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ item: string; times: number; done: boolean }>`select i.item, i.status = 'done' as done,
      (select count(*)::int from effects e where e.item = i.item) as times from job_items i order by i.number`
  return new Map(rows.map(({ item, ...of }) => [item, of]))
})

const performed = Effect.map(effects, (found) => [...found.values()].reduce((sum, { times }) => sum + times, 0))

layer(stores, { excludeTestServices: true, timeout: 60_000 })("a batch whose process is killed", (it) => {
  it.effect("K4 K5 K6 H13: is carried on, has one checkpoint for each item, and repeats nothing that has one", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table effects (item text not null)`
      const [directory, tenant] = [yield* temporaryDirectory, yield* Given.freshTenant]
      const { url } = yield* TestDatabase
      const items = Array.from({ length: 30 * (kills + 2) }, (_, index) => `item ${index}`)
      const duty = { _tag: "batch", tenant, key: JobKey.make("killed"), items } as const
      const worker = (name: string) => started(url, { name, directory, leaseMillis: 1_000, duty })
      const repeated: Array<string> = []
      for (let kill = 1; kill <= kills; kill++) {
        const before = yield* effects
        const seen = yield* performed
        const process = yield* worker(`worker-${kill}`)
        yield* eventually("it goes on", performed, (times) => times > seen, "30 seconds")
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 120))
        yield* process.signal("SIGKILL")
        yield* process.exited
        const after = yield* effects
        for (const [item, { done, times }] of before) {
          if (done && after.get(item)?.times !== times) repeated.push(item)
        }
      }
      const before = yield* effects
      assert.isTrue(
        [...before.values()].some(({ done }) => !done),
        "the kills came too late"
      )
      const last = yield* worker("last")
      assert.deepStrictEqual(yield* last.exited, { code: 0, signal: null })
      const after = yield* effects
      for (const [item, { done, times }] of before) {
        if (done && after.get(item)?.times !== times) repeated.push(item)
      }

      assert.deepStrictEqual(repeated, [])
      assert.deepStrictEqual([...after.keys()], items)
      assert.isTrue([...after.values()].every(({ done, times }) => done && times >= 1))
      const results: unknown = JSON.parse(Fs.readFileSync(Path.join(directory, "last.results"), "utf8"))
      assert.deepStrictEqual(
        results,
        items.map((item) => ({ item, status: "done", value: item.toUpperCase() }))
      )
      const [job, ...others] = yield* sql<{
        status: string
        items_done: number
        items_failed: number
        attempt: number
      }>`select status, items_done, items_failed, attempt from jobs`
      assert.deepInclude(job, { status: "succeeded", items_done: items.length, items_failed: 0 })
      assert.deepStrictEqual(others, [])
      assert.strictEqual(yield* slotsOf(tenant), 0)
      const again = (yield* performed) - items.length
      soak.count("a batch that is killed", { kills, items: items.length, "done again without a checkpoint": again })
      assert.isAtMost(again, concurrency * ((job?.attempt ?? 0) - 1))
    })
  )
})
