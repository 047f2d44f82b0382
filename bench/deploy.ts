// What Lockkeeper adds to deploys and to logs, as ratios to the same work without it in the same run, and how soon replicas
// notice each other. One JSON line for each goal; 1 when a goal was missed.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { allReached, asked, runBench, saysWhere } from "./common/runBench.ts"
import { logs } from "./deploy/cases/logs.ts"
import { supersede } from "./deploy/cases/supersede.ts"
import { takeover } from "./deploy/cases/takeover.ts"
import { transitions } from "./deploy/cases/transitions.ts"
import { wall } from "./deploy/cases/wall.ts"
import { layer } from "./deploy/ground.ts"
import { type Options, readOptions } from "./deploy/options.ts"
import type { Verdict } from "./deploy/told.ts"

const cases = { wall, transitions, logs, takeover, supersede }

const bench = Effect.fnUntraced(function* (options: Options) {
  yield* saysWhere()
  const verdicts: Array<Verdict> = []
  for (const name of options.only) verdicts.push(...(yield* cases[name](options)))
  yield* allReached(verdicts)
})

const main = Effect.gen(function* () {
  const options = yield* asked(readOptions)
  yield* Effect.provide(bench(options), Layer.provide(layer, NodeServices.layer))
})

runBench(main)
