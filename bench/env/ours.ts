// Our merges as contenders: writers in one process or in several, on one App or on one each.

import { Effect, Redacted } from "effect"
import { seed, wrongIn } from "./apps.ts"
import { Cluster } from "./cluster.ts"
import { withFacts } from "./facts.ts"
import { startWorkers } from "./workers.ts"

/** Who writes to what: `connections` is the size of each process's pool. */
export interface OursOptions {
  readonly name: string
  readonly apps: number
  readonly keys: number
  readonly writers: number
  readonly processes: number
  readonly connections: number
}

/** Seeds, starts the processes, and answers the contender and its check. */
export const ours = Effect.fnUntraced(function* (options: OursOptions) {
  const { connections, keys, name, processes } = options
  const { secretKey, url } = yield* Cluster
  const seeded = yield* seed(name, options.apps, keys)
  const writers = options.writers / processes
  const workers = yield* startWorkers(
    Array.from({ length: processes }, (_, index) => ({
      kind: "merge" as const,
      url: Redacted.value(url),
      secretKey,
      apps: seeded.apps,
      writers,
      keys,
      connections,
      firstWriter: index * writers
    }))
  )
  return {
    contender: {
      name,
      connections: connections * processes,
      run: (seconds: number) => withFacts(workers.run(seconds))
    },
    check: Effect.flatMap(workers.report, (report) => wrongIn(seeded, report))
  }
})
