// What a Subnet costs: taken and given back beside the same statements through the bare driver, and taken where many are held
// beside where few are. One JSON line for each goal, a table in the end; 1 when a goal was missed.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Layer } from "effect"
import { allReached, asked, runBench, saysWhere } from "./common/runBench.ts"
import { description, layer } from "./env/cluster.ts"
import { compare, type Measured, type Verdict } from "./env/compare.ts"
import { goalsTable, measuredTable } from "./env/tables.ts"
import { full } from "./subnets/cases/full.ts"
import { pairs } from "./subnets/cases/pairs.ts"
import { type Options, readOptions } from "./subnets/options.ts"

const cases = (options: Options) => ({ pairs, full: full(options) })

const bench = Effect.fnUntraced(function* (options: Options) {
  yield* saysWhere(description)
  const verdicts: Array<Verdict> = []
  const measured: Array<Measured> = []
  for (const name of options.only) {
    const course = { bench: "subnets", ...options }
    const found = yield* Effect.scoped(Effect.flatMap(cases(options)[name], (part) => compare(part, course)))
    verdicts.push(...found.verdicts)
    measured.push(...found.measured)
  }
  yield* Console.log(`\n${goalsTable(verdicts)}\n\n${measuredTable(measured)}`)
  yield* allReached(verdicts)
})

runBench(
  Effect.flatMap(asked(readOptions), (options) =>
    Effect.provide(bench(options), Layer.provide(layer(options), NodeServices.layer))
  )
)
