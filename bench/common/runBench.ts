// What every bench is as a program: it reads its options, says where it runs, and ends with 1 when a goal was missed.

import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Console, Data, Effect } from "effect"
import { cpus, loadavg } from "node:os"

class GoalsMissed extends Data.TaggedError("GoalsMissed")<{ readonly message: string }> {}

class NotAsked extends Data.TaggedError("NotAsked")<{ readonly message: string }> {}

/** The options of the command line; an option that there is not is said, and nothing is measured. */
export const asked = <Options>(read: (args: Array<string>) => Options) =>
  Effect.try({
    try: () => read(process.argv.slice(2)),
    catch: (cause) => new NotAsked({ message: cause instanceof Error ? cause.message : String(cause) })
  })

/** Says how much of a machine this is. */
export const saysWhere = (server = ""): Effect.Effect<void> =>
  Console.error([`${cpus().length} processors, load ${loadavg()[0]?.toFixed(1)}`, server].filter(Boolean).join("; "))

/** Fails when a goal was missed. */
export const allReached = Effect.fnUntraced(function* (verdicts: ReadonlyArray<{ readonly reached: boolean }>) {
  const missed = verdicts.filter(({ reached }) => !reached)
  if (missed.length > 0) return yield* new GoalsMissed({ message: `${missed.length} goals were missed` })
})

/** Runs it to its end; what fails is said in a line each, with its cause. */
export const runBench = <A, E>(main: Effect.Effect<A, E>): void =>
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
