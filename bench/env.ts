// What merges of Envs reach, as ratios to the limits measured in the same run on the same server: Postgres without us, the
// bare driver, the transaction of the textbook. One JSON line for each goal, a table in the end; 1 when a goal was missed.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Layer } from "effect"
import { allReached, asked, runBench, saysWhere } from "./common/runBench.ts"
import { hot } from "./env/cases/hot.ts"
import { http } from "./env/cases/http.ts"
import { idle } from "./env/cases/idle.ts"
import { spread } from "./env/cases/spread.ts"
import { textbook } from "./env/cases/textbook.ts"
import { description, layer } from "./env/cluster.ts"
import { compare, type Measured, type Verdict } from "./env/compare.ts"
import { type Options, readOptions } from "./env/options.ts"
import { findPgbench } from "./env/pgbench.ts"
import { goalsTable, measuredTable } from "./env/tables.ts"

const cases = { hot, spread, idle, textbook, http }

const bench = Effect.fnUntraced(function* (options: Options) {
  yield* saysWhere(description)
  const verdicts: Array<Verdict> = []
  const measured: Array<Measured> = []
  for (const name of options.only) {
    const part = Effect.flatMap(cases[name](options), (part) => compare(part, { bench: "env", ...options }))
    const found = yield* Effect.scoped(part)
    verdicts.push(...found.verdicts)
    measured.push(...found.measured)
  }
  yield* Console.log(`\n${goalsTable(verdicts)}\n\n${measuredTable(measured)}`)
  yield* allReached(verdicts)
})

const main = Effect.gen(function* () {
  const options = yield* asked(readOptions)
  yield* findPgbench
  yield* Effect.provide(bench(options), Layer.provide(layer(options), NodeServices.layer))
})

runBench(main)
