// One writer and nobody else: what a merge takes, against the same statements in pgbench and against adding one to a row.

import { Effect } from "effect"
import type { Case } from "../compare.ts"
import type { Options } from "../options.ts"
import { ours } from "../ours.ts"
import { oneRow, pgbench } from "../pgbench.ts"
import { pgbenchReplay } from "../replay.ts"

const keys = 10

/** The goals of a merge that waits for nobody. */
export const idle = Effect.fnUntraced(function* ({ pool: connections }: Options) {
  const mine = yield* ours({ name: "idle", apps: 1, keys, writers: 1, processes: 1, connections })
  const same = yield* pgbenchReplay("idle-pgbench", 1, keys)
  const row = { name: "idle-row", script: oneRow, clients: 1, latencies: true }
  const peer = { name: row.name, connections: 1, run: (seconds: number) => pgbench(row, seconds) }
  const part: Case = {
    name: "idle",
    contenders: [mine.contender, same, peer],
    goals: [
      { name: "an idle merge / pgbench, same statements", of: "p50", ours: "idle", peer: same.name, atMost: 1.3 },
      { name: "an idle merge / pgbench n=n+1", of: "p50", ours: "idle", peer: row.name, atMost: 2 }
    ],
    check: mine.check
  }
  return part
})
