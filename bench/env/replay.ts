// The statements of the store as contenders of their own: in pgbench, and through the bare driver.

import { Effect, Redacted } from "effect"
import { plansOf, revisionsOf, seed, unmoved } from "./apps.ts"
import { Cluster } from "./cluster.ts"
import { pgbench, PgbenchFailed } from "./pgbench.ts"
import { advance, makeScript } from "./script.ts"
import { startWorkers } from "./workers.ts"

/** Clients of pgbench that each replay the merges of an App of their own. */
export const pgbenchReplay = Effect.fnUntraced(function* (name: string, clients: number, keys: number) {
  const plans = yield* plansOf(yield* seed(name, clients, keys))
  const script = yield* makeScript(`bench_${name.replaceAll("-", "_")}`, plans)
  const apps = plans.map(({ app }) => app)
  const command = { name, script: script.text, clients, latencies: clients === 1 }

  const run = Effect.fnUntraced(function* (seconds: number) {
    const before = yield* revisionsOf(apps)
    const sample = yield* pgbench(command, seconds)
    const after = yield* revisionsOf(apps)
    const done = apps.map((app) => (after.get(app) ?? 0) - (before.get(app) ?? 0))
    yield* advance(script, done)
    const changes = done.reduce((sum, count) => sum + count, 0)
    const { transactions } = sample.facts
    if (changes === transactions) return sample
    const message = `${name}: ${transactions} transactions made ${changes} changes, so the statements were not replayed`
    return yield* new PgbenchFailed({ message })
  })
  return { name, connections: clients, run }
})

/** Writers that each send the statements of an App of their own through the client of `@effect/sql-pg`. */
export const driverReplay = Effect.fnUntraced(function* (
  name: string,
  writers: number,
  keys: number,
  connections: number
) {
  const { url } = yield* Cluster
  const plans = yield* plansOf(yield* seed(name, writers, keys))
  const apps = plans.map(({ app }) => app)
  const base = yield* revisionsOf(apps)
  const common = { url: Redacted.value(url), apps, writers, keys, connections, firstWriter: 0 }
  const workers = yield* startWorkers([{ kind: "driver", ...common, plans }])
  const check = Effect.flatMap(workers.report, (report) => unmoved(base, report))
  return { contender: { name, connections, run: workers.run }, check }
})
