// Worker processes as the bench sees them: one or several that write at once and are measured as one.

import { Effect, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Sample } from "./compare.ts"
import type { Acknowledged, Orders, Ran, Report, Request } from "./orders.ts"

/** Workers that are ready. */
export interface Workers {
  readonly run: (seconds: number) => Effect.Effect<Sample>
  /** What was acknowledged by all of them, and what failed. */
  readonly report: Effect.Effect<Report>
}

const path = fileURLToPath(new URL("worker.ts", import.meta.url))

const answerOf = <A>(child: ChildProcess, ask: () => void): Effect.Effect<A> =>
  Effect.callback<A>((resume) => {
    const onMessage = (answer: A) => {
      child.off("exit", onExit)
      resume(Effect.succeed(answer))
    }
    const onExit = (code: number | null) => {
      child.off("message", onMessage)
      resume(Effect.die(new Error(`a worker ended with ${code}`)))
    }
    child.once("message", onMessage).once("exit", onExit)
    ask()
    return Effect.sync(() => void child.off("message", onMessage).off("exit", onExit))
  })

const asked = <A>(child: ChildProcess, request: Request): Effect.Effect<A> =>
  answerOf<A>(child, () => void child.send(request))

const start = Effect.fnUntraced(function* (orders: Orders) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      fork(path, { execArgv: ["--conditions=@lockkeeper/source"], serialization: "advanced", stdio: "inherit" })
    ),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill("SIGKILL")
        await once(child, "exit")
      })
  )
  yield* answerOf<"ready">(child, () => void child.send(orders))
  return child
})

const sampleOf = (all: ReadonlyArray<Ran>): Sample => {
  const latencies = Float64Array.from(all.flatMap(({ latencies }) => [...latencies])).sort()
  const seconds = Math.max(...all.map(({ seconds }) => seconds))
  const cpuSeconds = all.reduce((sum, ran) => sum + ran.cpuSeconds, 0)
  return { perSecond: latencies.length / seconds, latencies, facts: { clientCpus: cpuSeconds / seconds } }
}

const together = (reports: ReadonlyArray<Report>): Report => {
  const acknowledged = new Map<string, Acknowledged>()
  const failures = new Map<string, number>()
  for (const report of reports) {
    for (const next of report.acknowledged) {
      const before = acknowledged.get(next.app)
      const last = new Map(before?.last)
      for (const [key, seen] of next.last) {
        if ((last.get(key)?.revision ?? 0) < seen.revision) last.set(key, seen)
      }
      acknowledged.set(next.app, {
        app: next.app,
        count: next.count + (before?.count ?? 0),
        revisions: next.revisions + (before?.revisions ?? 0),
        last
      })
    }
    for (const [kind, count] of report.failures) failures.set(kind, count + (failures.get(kind) ?? 0))
  }
  return { acknowledged: [...acknowledged.values()], failures }
}

/** Starts a worker for each of the orders. They are killed when the Scope closes. */
export const startWorkers = Effect.fnUntraced(function* (
  all: ReadonlyArray<Orders>
): Effect.fn.Return<Workers, never, Scope.Scope> {
  const children = yield* Effect.forEach(all, start, { concurrency: "unbounded" })
  const each = <A>(request: Request) =>
    Effect.forEach(children, (child) => asked<A>(child, request), { concurrency: "unbounded" })
  return {
    run: (seconds) => Effect.map(each<Ran>({ type: "run", seconds }), sampleOf),
    report: Effect.map(each<Report>({ type: "acknowledged" }), together)
  }
})
