// Jobs on the reference server, in real processes or containers: run, capped, cancelled, killed and run again, with nothing
// left behind.

import { assert, layer, vi } from "@effect/vitest"
import type { Client } from "@lockkeeper/adapter-http/Client"
import { ItemInput } from "@lockkeeper/core/domain/Job"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { Effect, Stream } from "effect"
import { deploy, deployedApp, makeApp } from "../harness/deploying.ts"
import { eventually } from "../harness/eventually.ts"
import { stopServer } from "../harness/server.ts"
import { goodApp } from "../harness/testApp.ts"
import { comesToRest, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

type NewJob = Parameters<Client["jobs"]["begin"]>[0]["payload"]

/** A program of the image's own. */
const script = (text: string) => ["node", "--input-type=module", "--eval", text] as const

const sleeping = script(`console.log("begun"); setTimeout(() => {}, 600_000)`)

const items = (...inputs: ReadonlyArray<string>): NonNullable<NewJob["items"]> => {
  const [first = "", ...others] = inputs
  return [ItemInput.make(first), ...others.map((input) => ItemInput.make(input))]
}

const begin = Effect.fnUntraced(function* (client: Client, app: string, payload: NewJob) {
  const { body, headers } = yield* client.jobs.begin({ params: { app }, payload })
  assert.strictEqual(headers.location, `/v1/jobs/${body.id}`)
  return body
})

const job = (client: Client, id: string) => client.jobs.get({ params: { job: id } })

const ended = (client: Client, id: string) =>
  eventually(`${id} ends`, job(client, id), ({ finishedAt }) => finishedAt !== null, "30 seconds")

const said = Effect.fnUntraced(function* (client: Client, id: string, follow?: "true") {
  const log = yield* client.jobs.logs({
    params: { job: id },
    query: follow === undefined ? {} : { follow },
    headers: {}
  })
  const lines = yield* Stream.runCollect(log)
  return [...lines].map((item) => ("line" in item ? item.line : `end: ${item.status}`))
})

const hasSaid = (client: Client, id: string, line: string) =>
  eventually(`${id} says ${line}`, said(client, id), (lines) => lines.includes(line), "30 seconds")

layer(World.layer(), { excludeTestServices: true, timeout: 120_000 })("a job", (it) => {
  it.effect("X10 K3 INV-11: runs in the release that serves with its env, says so, and leaves nothing", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const { client } = yield* start()
      const app = yield* makeApp(client, { source: yield* archives.source(goodApp("one")) })
      const none = yield* Effect.flip(begin(client, app.id, { command: ["true"] }))
      assert.strictEqual("code" in none && none.code, "no_release")
      const env = { SECRET: "a-secret-value-1" }
      yield* client.apps.mergeEnv({ params: { app: app.id }, query: {}, headers: {}, payload: { env } })
      assert.strictEqual((yield* deploy(client, app.id)).status, "healthy")

      const command = script(`import { readFileSync } from "node:fs"
        console.log(readFileSync("app.mjs", "utf8").includes('"one"') ? "sees one" : "sees another", process.env.SECRET)
        process.exit(3)`)
      const begun = yield* begin(client, app.id, { command })
      assert.deepInclude(begun, { app: app.id, kind: "command", status: "running", attempt: 1, exitCode: null })
      const lines = yield* said(client, begun.id, "true")
      assert.include(lines, "sees one ***")
      assert.strictEqual(lines.at(-1), "end: failed")
      const failed = yield* job(client, begun.id)
      assert.deepInclude(failed, { status: "failed", exitCode: 3, items: { total: 0, done: 0, failed: 0 } })

      const again = yield* client.jobs.rerun({ params: { job: begun.id } })
      assert.deepInclude(again, { id: begun.id, attempt: 2 })
      assert.deepInclude(yield* ended(client, begun.id), { status: "failed", exitCode: 3, attempt: 2 })
      const listed = yield* client.jobs.list({ query: { app: app.id, status: "failed" } })
      assert.deepStrictEqual(
        listed.items.map(({ id }) => id),
        [begun.id]
      )
      yield* comesToRest
    })
  )

  it.effect(
    "K1 X6 INV-3 INV-4: is held to the cap of its tenant, waits in order, and is cancelled wherever it is",
    () =>
      Effect.gen(function* () {
        const { archives } = yield* World
        const { client } = yield* start()
        const { id: app, tenant } = yield* deployedApp(client, yield* archives.source(goodApp("capped")))
        const command = sleeping
        yield* client.tenants.setCap({ params: { tenant }, payload: { jobCap: 2 } })
        const answers = yield* Effect.all(
          Array.from({ length: 6 }, () => Effect.result(begin(client, app, { command }))),
          { concurrency: "unbounded" }
        )
        const running = answers.flatMap((answer) => (answer._tag === "Success" ? [answer.success] : []))
        const refused = answers.flatMap((answer) => (answer._tag === "Failure" ? [answer.failure] : []))
        assert.deepStrictEqual([running.length, refused.length], [2, 4])
        for (const problem of refused) assert.deepInclude(problem, { code: "job_cap_reached", limit: 2, running: 2 })

        const waiting = yield* begin(client, app, { command, onFull: "queue" })
        const last = yield* begin(client, app, { command, onFull: "queue" })
        assert.deepStrictEqual([waiting.status, waiting.queuePosition, last.queuePosition], ["queued", 1, 2])
        const usage = yield* client.tenants.get({ params: { tenant: TenantName.make(tenant) } })
        assert.deepInclude(usage, { jobCap: 2, running: 2, queued: 2 })

        const cancel = (id: string) => client.jobs.cancel({ params: { job: id } })
        assert.deepInclude(yield* cancel(last.id), { status: "cancelled" })
        const [first, second] = running
        if (first === undefined || second === undefined) return assert.fail("two jobs")
        yield* hasSaid(client, first.id, "begun")
        yield* cancel(first.id)
        assert.deepInclude(yield* ended(client, first.id), { status: "cancelled", exitCode: null })
        yield* hasSaid(client, waiting.id, "begun")
        yield* client.apps.stop({ params: { app } })
        for (const { id } of [second, waiting]) assert.strictEqual((yield* ended(client, id)).status, "cancelled")
        yield* client.apps.start({ params: { app } })
        yield* comesToRest
      })
  )

  it.effect("K5 K9 H13: does a command for each item, keeps what is done, and does the rest when it is run again", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const { client } = yield* start()
      const { id: app } = yield* deployedApp(client, yield* archives.source(goodApp("batch")))
      const command = script(`console.log("item", process.env.LOCKKEEPER_ITEM)
        process.exit(process.env.LOCKKEEPER_ITEM === "bad" ? 4 : 0)`)
      const begun = yield* begin(client, app, { command, items: items("a", "bad", "c c", "bad"), itemConcurrency: 2 })
      assert.deepInclude(begun, { kind: "batch", items: { total: 4, done: 0, failed: 0 } })
      const failed = yield* ended(client, begun.id)
      assert.deepInclude(failed, { status: "failed", exitCode: 1, items: { total: 4, done: 2, failed: 2 } })
      const list = yield* client.jobs.items({ params: { job: begun.id }, query: {} })
      assert.deepStrictEqual(
        list.items.map(({ item, status, exitCode }) => [String(item), status, exitCode]),
        [
          ["a", "done", 0],
          ["bad", "failed", 4],
          ["c c", "done", 0],
          ["bad", "failed", 4]
        ]
      )
      yield* client.jobs.rerun({ params: { job: begun.id } })
      const again = yield* ended(client, begun.id)
      assert.deepInclude(again, { attempt: 2, items: { total: 4, done: 2, failed: 2 } })
      const lines = yield* said(client, begun.id)
      assert.deepStrictEqual(
        ["item a", "item bad", "item c c"].map((line) => lines.filter((said) => said === line).length),
        [1, 4, 1]
      )
      yield* comesToRest
    })
  )

  it.effect("INV-1 INV-7 H45 K4: killed with its server, it goes on at the next start with what is left", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const server = yield* start()
      const { id: app } = yield* deployedApp(server.client, yield* archives.source(goodApp("killed")))
      const inputs = Array.from({ length: 12 }, (_, index) => `i${index}`)
      const command = script(`console.log("item", process.env.LOCKKEEPER_ITEM); setTimeout(() => {}, 400)`)
      const begun = yield* begin(server.client, app, { command, items: items(...inputs) })
      const progress = job(server.client, begun.id)
      yield* eventually("some items are done", progress, ({ items }) => items.done >= 2, "30 seconds")
      assert.deepStrictEqual(yield* stopServer(server, "SIGKILL"), { code: null, signal: "SIGKILL" })

      const next = yield* start()
      const done = yield* ended(next.client, begun.id)
      assert.deepInclude(done, { status: "succeeded", attempt: 1, items: { total: 12, done: 12, failed: 0 } })
      const lines = yield* said(next.client, begun.id)
      const counts = inputs.map((input) => lines.filter((line) => line === `item ${input}`).length)
      assert.isAtMost(counts.filter((count) => count > 1).length, 1, "only the item in progress is done twice")
      assert.include(lines.join(), "lost its lease")
      yield* comesToRest

      const slow = yield* begin(next.client, app, { command: sleeping })
      yield* hasSaid(next.client, slow.id, "begun")
      assert.deepStrictEqual(yield* stopServer(next, "SIGTERM"), { code: 0, signal: null })
      const { sql } = yield* World
      const [left] = yield* Effect.orDie(sql`select status, slot from jobs where id = ${slow.id}`)
      assert.deepStrictEqual({ ...left }, { status: "queued", slot: null })
      const last = yield* start()
      yield* eventually("it runs again", job(last.client, slow.id), ({ status }) => status === "running", "30 seconds")
      yield* last.client.jobs.cancel({ params: { job: slow.id } })
      assert.strictEqual((yield* ended(last.client, slow.id)).status, "cancelled")
      yield* comesToRest
    })
  )
})
