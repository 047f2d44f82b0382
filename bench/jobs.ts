// What Jobs cost beside the same work without us: admission beside the driver and pgbench, the cap beside none, a queue of
// Jobs beside other queues, many Jobs beside few, Checkpoints. One JSON line for each goal, a table in the end; 1 when a goal
// was missed.

import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Layer } from "effect"
import { allReached, asked, runBench, saysWhere } from "./common/runBench.ts"
import { description, layer } from "./env/cluster.ts"
import { compare, type Measured, type Verdict } from "./env/compare.ts"
import { findPgbench } from "./env/pgbench.ts"
import { goalsTable, measuredTable } from "./env/tables.ts"
import { admission } from "./jobs/cases/admission.ts"
import { backlog } from "./jobs/cases/backlog.ts"
import { cap } from "./jobs/cases/cap.ts"
import { checkpoints } from "./jobs/cases/checkpoints.ts"
import { queues } from "./jobs/cases/queues.ts"
import { type Options, readOptions } from "./jobs/options.ts"

const cases = (options: Options) => ({
  admission,
  cap,
  queues: queues(options),
  backlog: backlog(options),
  checkpoints
})

const bench = Effect.fnUntraced(function* (options: Options) {
  yield* saysWhere(description)
  const verdicts: Array<Verdict> = []
  const measured: Array<Measured> = []
  for (const name of options.only) {
    const course = { bench: "jobs", ...options }
    const found = yield* Effect.scoped(Effect.flatMap(cases(options)[name], (part) => compare(part, course)))
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
