// Many writers on one App, against the transaction of the textbook on one row with an Env of the same size as jsonb.

import { Effect, Redacted } from "effect"
import { Cluster } from "../cluster.ts"
import { all, type Case } from "../compare.ts"
import type { Options } from "../options.ts"
import { ours } from "../ours.ts"
import { checkTextbook, seedTextbook } from "../textbook.ts"
import { startWorkers } from "../workers.ts"

const sizes = [10, 500] as const

const textbookOf = Effect.fnUntraced(function* (keys: number, writers: number) {
  const { url } = yield* Cluster
  const name = `textbook-${keys}`
  yield* seedTextbook(name, keys)
  const common = { apps: [name], writers, keys, connections: writers, firstWriter: 0 }
  const workers = yield* startWorkers([{ kind: "textbook", url: Redacted.value(url), ...common }])
  const check = Effect.flatMap(workers.report, ({ acknowledged, failures }) =>
    Effect.map(Effect.forEach(acknowledged, checkTextbook), (wrong) => [
      ...wrong.flat(),
      ...[...failures].map(([kind, count]) => `the textbook: ${count} failed: ${kind}`)
    ])
  )
  return { contender: { name, connections: writers, run: workers.run }, check }
})

/** The goals against what everybody would write first. */
export const textbook = Effect.fnUntraced(function* ({ pool: connections, writers }: Options) {
  const pairs = yield* Effect.forEach(sizes, (keys) =>
    Effect.all([
      textbookOf(keys, writers),
      ours({ name: `against-textbook-${keys}`, apps: 1, keys, writers, processes: 1, connections })
    ])
  )
  const part: Case = {
    name: "textbook",
    contenders: pairs.flat().map(({ contender }) => contender),
    goals: pairs.map(([peer, mine], index) => ({
      name: `64 writers, one App of ${sizes[index]} keys / textbook through pg`,
      of: "perSecond",
      ours: mine.contender.name,
      peer: peer.contender.name,
      atLeast: 8
    })),
    check: all(pairs.flat().map(({ check }) => check))
  }
  return part
})
