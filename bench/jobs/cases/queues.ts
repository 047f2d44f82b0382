// Jobs from the call that asks for them to their end, beside queues of others on the same server, and whether a group ran more
// at once than its cap says.

import { Effect } from "effect"
import { Cluster } from "../../env/cluster.ts"
import { type Case, type Fault, history, storesOver } from "../ground.ts"
import type { Options } from "../options.ts"
import { graphile } from "../queues/graphile.ts"
import { ours } from "../queues/ours.ts"
import { pgBoss } from "../queues/pgBoss.ts"
import { connections, passedThrough, type Queue } from "../queues/Queue.ts"

type Contender = Case["contenders"][number]

/** Two Jobs of a group at once beside pg-boss, one at a time beside both. */
export const queues = Effect.fnUntraced(function* ({ jobs }: Options) {
  const { url } = yield* Cluster
  yield* history("queues")
  const context = yield* storesOver(url, connections)
  const above = new Map<string, number>()
  const contender = (name: string, queue: Queue<Fault, never>, cap: number): Contender => ({
    name,
    connections,
    run: () =>
      Effect.tap(passedThrough(queue, jobs, cap), ({ facts }) =>
        Effect.sync(() => void above.set(name, (above.get(name) ?? 0) + (facts["aboveCap"] ?? 0)))
      )
  })
  const part: Case = {
    name: "queues",
    contenders: [
      contender("ours, cap 2", yield* Effect.provideContext(ours(2), context), 2),
      contender("pg-boss, cap 2", yield* pgBoss(url, "two", 2, 1), 2),
      contender("pg-boss, cap 2, batches of 10", yield* pgBoss(url, "two-batches", 2, 10), 2),
      contender("ours, cap 1", yield* Effect.provideContext(ours(1), context), 1),
      contender("pg-boss, cap 1", yield* pgBoss(url, "one", 1, 1), 1),
      contender("graphile-worker, cap 1", yield* graphile(url), 1)
    ],
    goals: [
      { name: "Jobs, cap 2 / pg-boss", of: "perSecond", ours: "ours, cap 2", peer: "pg-boss, cap 2", atLeast: 2 },
      {
        name: "Jobs, cap 2 / pg-boss, batches",
        of: "perSecond",
        ours: "ours, cap 2",
        peer: "pg-boss, cap 2, batches of 10",
        atLeast: 2
      },
      { name: "Jobs, cap 1 / pg-boss", of: "perSecond", ours: "ours, cap 1", peer: "pg-boss, cap 1", atLeast: 2 },
      {
        name: "Jobs, cap 1 / graphile-worker",
        of: "perSecond",
        ours: "ours, cap 1",
        peer: "graphile-worker, cap 1",
        atLeast: 2
      }
    ],
    check: Effect.sync(() =>
      [...above].flatMap(([name, count]) =>
        name.startsWith("ours") && count > 0 ? [`${name}: ${count} ran above the cap`] : []
      )
    )
  }
  return part
})
