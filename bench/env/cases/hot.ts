// Many writers on one App, in one process and in four, against pgbench with as many clients that add one to one row.

import { Effect } from "effect"
import { all, type Case } from "../compare.ts"
import type { Options } from "../options.ts"
import { ours } from "../ours.ts"
import { oneRow, pgbench } from "../pgbench.ts"

const replicas = 4

/** The goals of one App that everybody writes to. */
export const hot = Effect.fnUntraced(function* ({ pool: connections, writers }: Options) {
  const one = { apps: 1, writers, processes: 1, connections }
  const several = { ...one, processes: replicas, connections: Math.ceil(connections / replicas) }
  const few = yield* ours({ ...one, name: "hot-10", keys: 10 })
  const many = yield* ours({ ...one, name: "hot-500", keys: 500 })
  const fewReplicas = yield* ours({ ...several, name: "hot-10-replicas", keys: 10 })
  const manyReplicas = yield* ours({ ...several, name: "hot-500-replicas", keys: 500 })
  const peer = {
    name: "pgbench-row",
    connections: writers,
    run: (seconds: number) => pgbench({ name: "pgbench-row", script: oneRow, clients: writers }, seconds)
  }

  const against = { of: "perSecond", peer: peer.name } as const
  const part: Case = {
    name: "hot",
    contenders: [peer, ...[few, many, fewReplicas, manyReplicas].map(({ contender }) => contender)],
    goals: [
      { ...against, name: "64 writers, one App of 10 keys / pgbench n=n+1", ours: "hot-10", atLeast: 15 },
      { ...against, name: "64 writers, one App of 500 keys / pgbench n=n+1", ours: "hot-500", atLeast: 10 },
      { name: "64 writers, one App of 10 keys, ms", of: "p99", ours: "hot-10", atMost: 5 },
      { name: "64 writers, one App of 500 keys, ms", of: "p99", ours: "hot-500", atMost: 5 },
      { ...against, name: "4 × 16 writers, one App of 10 keys / n=n+1", ours: "hot-10-replicas", atLeast: 6 },
      { ...against, name: "4 × 16 writers, one App of 500 keys / n=n+1", ours: "hot-500-replicas", atLeast: 6 }
    ],
    check: all([few.check, many.check, fewReplicas.check, manyReplicas.check])
  }
  return part
})
