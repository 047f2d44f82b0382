// Runs on the reference server, as processes or containers: made, measured, cancelled, killed, and always removed.

import { assert, layer, vi } from "@effect/vitest"
import type { Client } from "@lockkeeper/adapter-http/Client"
import type { Run } from "@lockkeeper/core/domain/Run"
import { RunName, Target } from "@lockkeeper/core/domain/Run"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { NodeName, ResultFile, StepName, type TopologyNode, type TopologyStep } from "@lockkeeper/core/domain/Topology"
import { MetricName } from "@lockkeeper/core/domain/Verdict"
import { WorkloadPort } from "@lockkeeper/core/domain/Workload"
import { DateTime, Effect, Stream } from "effect"
import { eventually } from "../harness/eventually.ts"
import { byFlavour } from "../harness/flavour.ts"
import { stopServer } from "../harness/server.ts"
import { exitingApp, goodApp } from "../harness/testApp.ts"
import { comesToRest, start, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const tenant = TenantName.make("acme")

type Request = Parameters<Client["runs"]["begin"]>[0]["payload"]
type Shape = Pick<Request, "nodes" | "steps"> & Partial<Request>

const begin = Effect.fnUntraced(function* (client: Client, shape: Shape) {
  const payload = { tenant, name: RunName.make("checkout"), ...shape }
  const { body, headers } = yield* client.runs.begin({ payload })
  assert.strictEqual(headers.location, `/v1/runs/${body.id}`)
  return body
})

const look = (client: Client, id: string) => client.runs.get({ params: { run: id } })

const until = (client: Client, id: string, what: string, is: (run: Run) => boolean) =>
  eventually(`${id} ${what}`, look(client, id), is, "60 seconds")

const over = (client: Client, id: string) => until(client, id, "ends", ({ finishedAt }) => finishedAt !== null)

const said = Effect.fnUntraced(function* (client: Client, id: string) {
  const log = yield* client.runs.logs({ params: { run: id }, query: {}, headers: {} })
  const lines = yield* Stream.runCollect(log)
  return [...lines].map((item) => ("line" in item ? item.line : `end: ${item.status}`))
})

const hasSaid = (client: Client, id: string, line: string) =>
  eventually(`${id} says ${line}`, said(client, id), (lines) => lines.some((it) => it.includes(line)), "60 seconds")

/** Ports of nodes, none of which two tests use at once. */
let port = 21_000 + (process.pid % 500) * 8

const node = (name: string, more: Partial<TopologyNode>) => {
  const ports = [WorkloadPort.make(port++)]
  return {
    name: NodeName.make(name),
    ports,
    healthCheck: { path: "/healthz", intervalMillis: 100, timeoutSeconds: 30 },
    ...more
  }
}

const step = (name: string, at: string, script: string, more: Partial<TopologyStep> = {}): TopologyStep => ({
  name: StepName.make(name),
  node: NodeName.make(at),
  command: ["node", "--input-type=module", "--eval", script],
  ...more
})

/** Where a node is reached from another one. */
const hostOf = (name: string) => byFlavour({ docker: name, process: "127.0.0.1" })

const sleeping = step("sleep", "app", `console.log("begun"); setTimeout(() => {}, 600_000)`)

/** A server in the middle of a step of a Run. */
const atWork = Effect.gen(function* () {
  const { archives } = yield* World
  const first = yield* start()
  const source = yield* archives.source(goodApp("one"))
  const run = yield* begin(first.client, { nodes: [node("app", { source })], steps: [sleeping] })
  yield* hasSaid(first.client, run.id, "begun")
  return { first, run }
})

layer(World.layer(), { excludeTestServices: true, timeout: 120_000 })("a run", (it) => {
  it.effect("X11 H17 H39: makes its nodes, measures in them, says what that comes to, and leaves nothing", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const { client } = yield* start()
      const source = yield* archives.source(goodApp("one"))
      const db = node("db", { source })
      const app = node("app", { source, dependsOn: [db.name] })
      const run = yield* begin(client, {
        nodes: [app, db],
        steps: [
          step(
            "load",
            "app",
            `import { readdirSync, readFileSync, writeFileSync } from "node:fs"
             const { LOCKKEEPER_CREDENTIALS: from, LOCKKEEPER_RESULTS: to } = process.env
             const answer = await (await fetch("http://${hostOf("db")}:${db.ports[0]}/")).json()
             console.log("sees", answer.version, readdirSync(from).sort().join(" "), readFileSync(from + "/db", "utf8"))
             writeFileSync(to + "/load.json", JSON.stringify({ p95Millis: 12, errors: { value: 0, samples: 9 } }))`,
            { resultFile: ResultFile.make("load.json"), timeoutSeconds: 30 }
          )
        ],
        thresholds: [
          { metric: MetricName.make("p95Millis"), max: 12 },
          { metric: MetricName.make("errors"), max: 0 }
        ]
      })
      assert.deepInclude(run, { status: "provisioning", verdict: null })
      const ended = yield* over(client, run.id)
      const lines = yield* said(client, run.id)
      assert.deepInclude(
        ended,
        { status: "succeeded", verdict: "pass", cleanup: "done", error: null },
        lines.join("\n")
      )
      assert.deepInclude(ended.steps[0], { exitCode: 0, metrics: { p95Millis: 12, errors: 0, "errors.samples": 9 } })
      assert.isTrue(ended.nodes.every(({ status }) => status === "gone"))
      assert.isTrue(
        lines.some((line) => line.endsWith("sees one app db ***")),
        lines.join("\n")
      )
      assert.strictEqual(lines.at(-1), "end: succeeded")
      yield* comesToRest
    })
  )

  it.effect("H1: is made where the server's operator lets it be, and nowhere else", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const { client } = yield* start()
      const nodes = [node("app", { source: yield* archives.source(goodApp("one")) })]
      const targets = byFlavour({ docker: ["process", "moon"], process: ["moon"] })
      for (const target of targets) {
        const refused = yield* Effect.flip(begin(client, { nodes, steps: [], target: Target.make(target) }))
        assert.strictEqual("code" in refused && refused.code, "unknown_target")
      }
      yield* comesToRest
    })
  )

  it.effect("H37 H39: fails with its reason when a step does, a node ends or never is ready, and leaves nothing", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const { client } = yield* start()
      const source = yield* archives.source(goodApp("one"))
      const failing = step("check", "app", "process.exit(3)")
      const stepFails = yield* begin(client, { nodes: [node("app", { source })], steps: [failing, sleeping] })
      const ended = yield* over(client, stepFails.id)
      assert.deepInclude(ended, { status: "failed", verdict: "fail", cleanup: "done" })
      assert.deepInclude(ended.steps[0], { exitCode: 3 })
      assert.deepInclude(ended.steps[1], { exitCode: null })

      const exits = yield* archives.source(exitingApp("no way"))
      const nodeEnds = yield* begin(client, { nodes: [node("app", { source: exits })], steps: [] })
      const dead = yield* over(client, nodeEnds.id)
      assert.deepInclude(dead, { status: "failed", cleanup: "done" })
      assert.deepInclude({ ...dead.error }, { code: "start_failed", node: NodeName.make("app") })
      assert.isTrue((yield* said(client, nodeEnds.id)).some((line) => line.endsWith("no way")))
      yield* comesToRest
    })
  )

  it.effect("H40: is kept for somebody to look at, and cancelled at once in whatever it does", () =>
    Effect.gen(function* () {
      const { archives } = yield* World
      const { client } = yield* start()
      const source = yield* archives.source(goodApp("one"))
      const nodes = [node("app", { source })]
      const working = yield* begin(client, { nodes, steps: [sleeping] })
      yield* hasSaid(client, working.id, "begun")
      yield* client.runs.cancel({ params: { run: working.id } })
      assert.deepInclude(yield* over(client, working.id), { status: "cancelled", cleanup: "done" })

      const keepUntil = DateTime.add(yield* DateTime.now, { hours: 1 })
      const kept = yield* begin(client, { nodes, steps: [], keepUntil })
      yield* until(client, kept.id, "runs", ({ status }) => status === "running")
      yield* hasSaid(client, kept.id, "kept")
      assert.deepInclude(yield* look(client, kept.id), { status: "running", cleanup: "pending" })
      yield* client.runs.cancel({ params: { run: kept.id } })
      assert.deepInclude(yield* over(client, kept.id), { status: "succeeded", cleanup: "done" })
      yield* comesToRest
    })
  )

  it.effect("H29 H31 H37: whose server is killed is removed by the next one, and says so", () =>
    Effect.gen(function* () {
      const { first, run } = yield* atWork
      yield* stopServer(first, "SIGKILL")
      const { client } = yield* start(first.place)
      const ended = yield* over(client, run.id)
      assert.deepInclude(ended, { status: "failed", cleanup: "done" })
      assert.strictEqual(ended.error?.code, "server_lost")
      yield* comesToRest
    })
  )

  it.effect("H45: is removed by its server when that is told to stop", () =>
    Effect.gen(function* () {
      const { first, run } = yield* atWork
      assert.strictEqual((yield* stopServer(first, "SIGTERM")).code, 0)
      const { client } = yield* start(first.place)
      assert.deepInclude(yield* look(client, run.id), { status: "failed", cleanup: "done" })
      yield* comesToRest
    })
  )
})
