// What Jobs cost beside the same work without us: admission beside the driver and pgbench, the cap beside none, a queue of
// Jobs beside other queues, many Jobs beside few, Checkpoints. One JSON line for each goal, a table in the end; 1 when a goal
// was missed.

import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Data, Effect, Layer } from "effect"
import { cpus, loadavg } from "node:os"
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

class GoalsMissed extends Data.TaggedError("GoalsMissed")<{ readonly message: string }> {}

class NotAsked extends Data.TaggedError("NotAsked")<{ readonly message: string }> {}

const cases = (options: Options) => ({
  admission,
  cap,
  queues: queues(options),
  backlog: backlog(options),
  checkpoints
})

const bench = Effect.fnUntraced(function* (options: Options) {
  yield* Console.error(`${cpus().length} processors, load ${loadavg()[0]?.toFixed(1)}; ${description}`)
  const verdicts: Array<Verdict> = []
  const measured: Array<Measured> = []
  for (const name of options.only) {
    const course = { bench: "jobs", ...options }
    const found = yield* Effect.scoped(Effect.flatMap(cases(options)[name], (part) => compare(part, course)))
    verdicts.push(...found.verdicts)
    measured.push(...found.measured)
  }
  yield* Console.log(`\n${goalsTable(verdicts)}\n\n${measuredTable(measured)}`)
  const missed = verdicts.filter(({ reached }) => !reached)
  if (missed.length > 0) return yield* new GoalsMissed({ message: `${missed.length} goals were missed` })
})

const main = Effect.gen(function* () {
  const options = yield* Effect.try({
    try: () => readOptions(process.argv.slice(2)),
    catch: (cause) => new NotAsked({ message: cause instanceof Error ? cause.message : String(cause) })
  })
  yield* findPgbench
  yield* Effect.provide(bench(options), Layer.provide(layer(options), NodeServices.layer))
})

main.pipe(
  Effect.tapCause((cause) =>
    Console.error(
      Cause.prettyErrors(cause)
        .map(({ cause, message }) => (cause === undefined ? message : `${message}: ${String(cause)}`))
        .join("\n")
    )
  ),
  (self) => NodeRuntime.runMain(self, { disableErrorReporting: true })
)
