// What Lockkeeper adds to deploys and to logs, as ratios to the same work without it in the same run, and how soon replicas
// notice each other. One JSON line for each goal; 1 when a goal was missed.

import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Data, Effect, Layer } from "effect"
import { cpus, loadavg } from "node:os"
import { logs } from "./deploy/cases/logs.ts"
import { supersede } from "./deploy/cases/supersede.ts"
import { takeover } from "./deploy/cases/takeover.ts"
import { transitions } from "./deploy/cases/transitions.ts"
import { wall } from "./deploy/cases/wall.ts"
import { layer } from "./deploy/ground.ts"
import { type Options, readOptions } from "./deploy/options.ts"
import type { Verdict } from "./deploy/told.ts"

class GoalsMissed extends Data.TaggedError("GoalsMissed")<{ readonly message: string }> {}

class NotAsked extends Data.TaggedError("NotAsked")<{ readonly message: string }> {}

const cases = { wall, transitions, logs, takeover, supersede }

const bench = Effect.fnUntraced(function* (options: Options) {
  yield* Console.error(`${cpus().length} processors, load ${loadavg()[0]?.toFixed(1)}`)
  const verdicts: Array<Verdict> = []
  for (const name of options.only) verdicts.push(...(yield* cases[name](options)))
  const missed = verdicts.filter(({ reached }) => !reached)
  if (missed.length > 0) return yield* new GoalsMissed({ message: `${missed.length} goals were missed` })
})

const main = Effect.gen(function* () {
  const options = yield* Effect.try({
    try: () => readOptions(process.argv.slice(2)),
    catch: (cause) => new NotAsked({ message: cause instanceof Error ? cause.message : String(cause) })
  })
  yield* Effect.provide(bench(options), Layer.provide(layer, NodeServices.layer))
})

main.pipe(
  Effect.tapCause((cause) =>
    Console.error(
      Cause.prettyErrors(cause)
        .map(({ message }) => message)
        .join("\n")
    )
  ),
  (self) => NodeRuntime.runMain(self, { disableErrorReporting: true })
)
