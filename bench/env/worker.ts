// A process of its own that writes as it is ordered, for as long as it is asked each time, and remembers what was
// acknowledged. It ends when the bench is gone, however that ended.

import { Effect } from "effect"
import { type Acknowledged, keyAt, type Orders, type Ran, type Report, type Request, valueAt } from "./orders.ts"
import type { Step } from "./Step.ts"
import { stepsOf } from "./steps.ts"

interface Memory {
  readonly apps: Map<
    string,
    { count: number; revisions: number; last: Map<string, { revision: number; value: string }> }
  >
  readonly failures: Map<string, number>
  readonly counts: Array<number>
}

const remember = ({ apps }: Memory, app: string, key: string, value: string, revision: number): void => {
  const seen = apps.get(app) ?? { count: 0, revisions: 0, last: new Map() }
  apps.set(app, seen)
  seen.count += 1
  seen.revisions += revision
  if ((seen.last.get(key)?.revision ?? 0) < revision) seen.last.set(key, { revision, value })
}

const cpuSeconds = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}

const write = Effect.fnUntraced(function* (orders: Orders, memory: Memory, step: Step, seconds: number) {
  const begun = performance.now()
  const cpu = cpuSeconds()
  const until = begun + seconds * 1000
  const latencies: Array<number> = []

  const writing = Effect.fnUntraced(function* (index: number) {
    const writer = orders.firstWriter + index
    const app = orders.apps[writer % orders.apps.length] ?? ""
    const key = keyAt(writer % orders.keys)
    while (performance.now() < until) {
      const count = (memory.counts[index] ?? 0) + 1
      memory.counts[index] = count
      const value = valueAt(writer, count)
      const start = performance.now()
      yield* Effect.matchEffect(step({ app, writer, key, value }), {
        onSuccess: (revision) =>
          Effect.sync(() => {
            latencies.push(performance.now() - start)
            remember(memory, app, key, value, revision)
          }),
        onFailure: ({ kind }) => Effect.sync(() => void memory.failures.set(kind, (memory.failures.get(kind) ?? 0) + 1))
      })
    }
  })

  yield* Effect.forEach(Array.from({ length: orders.writers }).keys(), writing, {
    concurrency: "unbounded",
    discard: true
  })
  const ran: Ran = {
    latencies: Float64Array.from(latencies),
    seconds: (performance.now() - begun) / 1000,
    cpuSeconds: cpuSeconds() - cpu
  }
  return ran
})

const reportOf = ({ apps, failures }: Memory): Report => ({
  acknowledged: [...apps].map(([app, seen]): Acknowledged => ({ app, ...seen })),
  failures
})

const answer = (message: "ready" | Ran | Report): void => void process.send?.(message)

const obey = (orders: Orders): void => {
  const memory: Memory = { apps: new Map(), failures: new Map(), counts: [] }
  const serving = Effect.gen(function* () {
    const step = yield* stepsOf(orders)
    const fork = Effect.runForkWith(yield* Effect.context())
    process.on("message", (request: Request) => {
      if (request.type === "acknowledged") return answer(reportOf(memory))
      return fork(Effect.map(write(orders, memory, step, request.seconds), answer))
    })
    answer("ready")
    return yield* Effect.never
  })
  Effect.runPromise(Effect.scoped(serving)).catch((cause: unknown) => {
    console.error(cause)
    process.exit(1)
  })
}

process.once("disconnect", () => process.exit())
process.once("message", obey)
