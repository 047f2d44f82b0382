// What steps in the nodes of a Run keep: how they end, what they leave, what they are given, and that they do end. A part of
// the contract of Providers.
import { Effect, Exit, Fiber, Redacted, type Scope } from "effect"
import { maxResultBytes } from "../domain/StepResult.ts"
import type { Command } from "../domain/Workload.ts"
import type { NodeSpec } from "../port/Provider.ts"
import type { Providers } from "../port/Providers.ts"
import { type Contract, equal, eventually, holds, law, refused } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import {
  type FreshRun,
  freshCredentials,
  listener,
  names,
  type ProviderFixture,
  runningOf,
  stepOf
} from "./ProviderFixture.ts"

/** The laws of steps. */
export const makeProviderStepContract = <R = never>(fixture: ProviderFixture<R>): Contract<Providers | R> => {
  const { command, runs, shown } = fixture
  const running = runningOf(fixture)

  /** Takes a step in a node, and answers how it ended and what it said. */
  const took = Effect.fnUntraced(function* (run: FreshRun, spec: NodeSpec, argv: Command, hasResult = true) {
    const { lines, say } = listener()
    const name = `step-${(yield* Given.freshLetters).slice(0, 8)}`
    return { lines, ...(yield* run.provider.perform(stepOf(spec, name, argv, hasResult), say)) }
  })

  const scoped = <A, E, R2>(check: Effect.Effect<A, E, R2 | Scope.Scope>) => Effect.scoped(check)

  return [
    law(
      "B13",
      "a step answers with the code of its command, and what it said was said by then",
      scoped(
        Effect.gen(function* () {
          const run = yield* running()
          yield* equal("the code", (yield* took(run, run.spec, command.exits(0))).exitCode, 0)
          yield* equal("the code of a failure", (yield* took(run, run.spec, command.exits(3))).exitCode, 3)
          const { lines } = yield* took(run, run.spec, command.environment)
          yield* holds("what it said", lines.length > 0)
        })
      )
    ),

    law(
      "H39",
      "a step's result file is read, at most a byte more than may be; where there is none there is none",
      scoped(
        Effect.gen(function* () {
          const run = yield* running()
          const sizes = []
          for (const bytes of [0, 10, maxResultBytes, maxResultBytes + 100_000]) {
            sizes.push((yield* took(run, run.spec, command.fills(bytes))).file?.length)
          }
          yield* equal("the sizes", sizes, [0, 10, maxResultBytes, maxResultBytes + 1])
          yield* equal("without one", (yield* took(run, run.spec, command.exits(0))).file, undefined)
          yield* equal("not declared", (yield* took(run, run.spec, command.fills(10), false)).file, undefined)
        })
      )
    ),

    law(
      "B13",
      "a step in a node that does not run is refused",
      scoped(
        Effect.gen(function* () {
          const run = yield* running()
          yield* run.provider.remove(run.owner.run)
          const { reason } = yield* refused("ProviderError", took(run, run.spec, command.exits(0)))
          yield* equal("the reason", reason, "step_failed")
        })
      )
    ),

    law(
      "H17",
      "a node is given the Credentials that its Plan names and no others, as files: in none of its variables, and in nothing that others can read",
      scoped(
        Effect.gen(function* () {
          const credentials = yield* freshCredentials
          const [web, worker] = [names.web, names.worker]
          const run = yield* running({ credentials })
          const both = { ...run.spec, node: { ...run.spec.node, credentials: [web, worker] } }
          const lineOf = (name: typeof web) => `${name}=${Redacted.value(credentials.get(name) ?? Redacted.make(""))}`
          yield* equal("its own", (yield* took(run, run.spec, command.credentials)).lines, [lineOf(web)])
          const given = (yield* took(run, both, command.credentials)).lines
          yield* equal("both", [...given].sort(), [lineOf(web), lineOf(worker)])
          const seen = [...(yield* took(run, run.spec, command.environment)).lines, yield* shown(run.owner.run)].join()
          const secrets = [...credentials.values()].map(Redacted.value)
          yield* holds("no secret", !secrets.some((secret) => seen.includes(secret)))
        })
      )
    ),

    law(
      "H37",
      "a step that is interrupted is ended with all of its processes, and its node goes on",
      scoped(
        Effect.gen(function* () {
          const run = yield* running()
          const mark = yield* Given.freshLetters
          const step = yield* Effect.forkChild(took(run, run.spec, command.holds(mark)))
          yield* eventually("the step", runs(mark), (isThere) => isThere)
          yield* Fiber.interrupt(step)
          yield* equal("whether it runs", yield* runs(mark), false)
          yield* equal("the node", (yield* run.inspect).state, "running")
        })
      )
    ),

    law(
      "H37",
      "the removal of a Run ends the steps that are taken in it",
      scoped(
        Effect.gen(function* () {
          const run = yield* running()
          const mark = yield* Given.freshLetters
          const step = yield* Effect.forkChild(Effect.exit(took(run, run.spec, command.holds(mark))))
          yield* eventually("the step", runs(mark), (isThere) => isThere)
          yield* run.provider.remove(run.owner.run)
          yield* eventually("its end", runs(mark), (isThere) => !isThere)
          const exit = yield* Fiber.join(step)
          yield* holds("no success", !Exit.isSuccess(exit) || exit.value.exitCode !== 0, exit)
        })
      )
    )
  ]
}
