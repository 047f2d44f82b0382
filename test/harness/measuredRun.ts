// A small Run that measures: one node, built from a Source, and one step; and what must be so of any Run that is over.

import { assert } from "@effect/vitest"
import { isOver, type Run, RunName, RunStatus, runTransitions } from "@lockkeeper/core/domain/Run"
import type { Source } from "@lockkeeper/core/domain/Source"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { NodeName, ResultFile, StepName } from "@lockkeeper/core/domain/Topology"
import { MetricName } from "@lockkeeper/core/domain/Verdict"
import { WorkloadPort } from "@lockkeeper/core/domain/Workload"
import { Effect, Schema } from "effect"
import { World } from "./world.ts"

const app = NodeName.make("app")

/** What is measured, and what the step leaves of it. */
const metrics = { p95Millis: 12 }

/** A port of nodes that no other test file has at the same time. */
const port = WorkloadPort.make(27_000 + (process.pid % 4_000))

/** Whose such Runs are, and what they are called. */
export const measured = { tenant: TenantName.make("measures"), name: RunName.make("measured") }

/** What such a Run is made of. */
export const measuring = (source: Source) => ({
  nodes: [
    { name: app, source, ports: [port], healthCheck: { path: "/healthz", intervalMillis: 50, timeoutSeconds: 10 } }
  ],
  steps: [
    {
      name: StepName.make("measure"),
      node: app,
      command: ["sh", "-c", `echo '${JSON.stringify(metrics)}' > "$LOCKKEEPER_RESULTS/measured.json"`] as const,
      resultFile: ResultFile.make("measured.json"),
      timeoutSeconds: 20
    }
  ],
  thresholds: [{ metric: MetricName.make("p95Millis"), max: 12 }]
})

/** The same with a step that does not end in time. */
export const sleeping = (source: Source) => {
  const { steps, ...rest } = measuring(source)
  return { ...rest, steps: steps.map((step) => ({ ...step, command: ["sleep", "600"] as const, timeoutSeconds: 300 })) }
}

/** Dies unless a Run is over and nothing that it says of itself contradicts the rest: it says once how it ended, and why. */
export const isTruthful = Effect.fnUntraced(function* (run: Run): Effect.fn.Return<void, never, World> {
  const { sql } = yield* World
  const said = JSON.stringify(run)
  assert.isTrue(isOver(run.status), said)
  assert.deepInclude(run, { cleanup: "done", cancelling: false }, said)
  assert.strictEqual(run.error === null, run.status !== "failed", said)
  assert.isTrue(
    run.nodes.every(({ status }) => status === "gone"),
    said
  )
  if (run.status === "succeeded") {
    assert.strictEqual(run.verdict, "pass", said)
    assert.deepStrictEqual(
      run.steps.map(({ exitCode, metrics }) => ({ exitCode, metrics })),
      [{ exitCode: 0, metrics }],
      said
    )
  }
  const rows = yield* Effect.orDie(
    sql<{ readonly type: string }>`select type from events where subject = ${run.id} order by id`
  )
  const statuses = rows.map(({ type }) => Schema.decodeUnknownSync(RunStatus)(type.replace("run.", "")))
  assert.strictEqual(statuses.at(-1), run.status, said)
  for (const [index, to] of statuses.entries()) {
    const from = statuses[index - 1]
    if (from !== undefined) assert.include(runTransitions[from], to, statuses.join())
  }
})
