// How long it takes to take a Subnet where many are held, and where few are: two databases of one server. What was taken is
// given back, which is not timed.

import { Context, Effect } from "effect"
import { SubnetPool } from "@lockkeeper/core/port/SubnetPool"
import type { Sample } from "../../env/compare.ts"
import { type Case, storesOver } from "../../jobs/ground.ts"
import { database, heldNow, pool, taken } from "../ground.ts"
import type { Options } from "../options.ts"

const contenderOf = Effect.fnUntraced(function* (name: string, held: number) {
  const context = yield* storesOver(yield* database(`bench_${name}`, held), 2)
  const { release } = Context.get(context, SubnetPool)
  const run = Effect.fnUntraced(function* (seconds: number) {
    const latencies: Array<number> = []
    const until = performance.now() + seconds * 1_000
    while (performance.now() < until) {
      const start = performance.now()
      const lease = yield* Effect.provideContext(taken("bench"), context)
      latencies.push(performance.now() - start)
      yield* release(lease, pool.rest)
    }
    const total = latencies.reduce((sum, one) => sum + one, 0)
    const sample: Sample = {
      perSecond: (latencies.length / total) * 1_000,
      latencies: Float64Array.from(latencies).sort(),
      facts: {}
    }
    return sample
  })
  const check = Effect.map(Effect.provideContext(heldNow, context), (now) =>
    now === held ? [] : [`${now} are held in the end, and not ${held}`]
  )
  return { contender: { name, connections: 2, run }, check }
})

/** Many beside few. */
export const full = Effect.fnUntraced(function* ({ few, held }: Options) {
  const all = [yield* contenderOf("few", few), yield* contenderOf("many", held)]
  const goal = (of: "p50" | "p99") => ({ name: `take, ${held} held / ${few} held`, of, ours: "many", peer: "few" })
  const part: Case = {
    name: "full",
    contenders: all.map(({ contender }) => contender),
    goals: [{ ...goal("p99"), atMost: 2 }, goal("p50")],
    check: Effect.map(Effect.all(all.map(({ check }) => check)), (wrong) => wrong.flat())
  }
  return part
})
