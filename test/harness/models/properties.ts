// Models as properties: random asks, one after the other or several at the same time, over any stores. A failure shrinks
// to the asks that it needs and says how to repeat it.

import { type Context, Effect } from "effect"
import * as fc from "fast-check"
import type { Ask } from "./asks.ts"
import { aWalk, type Model } from "./models.ts"
import { type Run, type RuleBroken, startRun } from "./Run.ts"
import type { ModelPorts } from "./Seen.ts"

/** How a model is tried. */
export interface Trial {
  /** Provides the stores of a run. */
  readonly ports: Effect.Effect<Context.Context<ModelPorts>>
  readonly maxCommands: number
  /** How many are asked at the same time, at most. */
  readonly width: number
}

/** How to come to a failure again: the seed of all, and the way to the counterexample. */
export interface Repetition {
  readonly seed: number
  readonly path: string
}

/** A model that was tried and failed. */
export interface Failure {
  /** What is to be asked for the rule to break, shrunk. */
  readonly asks: ReadonlyArray<string>
  readonly reason: string
  readonly repetition: Repetition
}

type Perform = (effect: Effect.Effect<void, RuleBroken>) => Promise<void>

const perform: Perform = (effect) => Effect.runPromise(effect)

type Command = fc.AsyncCommand<Run, Perform>

const isPossible = (asks: ReadonlyArray<Ask>) => (run: Run) => asks.some(({ call }) => call(run.known()) !== undefined)

/** Asks several things at the same time. */
const group = (asks: ReadonlyArray<Ask>): Command => ({
  check: isPossible(asks),
  run: (run, perform) => perform(run.ask(asks)),
  toString: () => asks.map(({ label }) => label).join(" with ")
})

/** Asks several things one after the other. */
const walk = (asks: ReadonlyArray<Ask>): Command => ({
  check: isPossible(asks),
  run: (run, perform) => perform(Effect.forEach(asks, (ask) => run.ask([ask]), { discard: true })),
  toString: () => asks.map(({ label }) => label).join(", then ")
})

/** A property whose first value are commands. */
type Property = fc.IAsyncProperty<[Iterable<unknown>, ...ReadonlyArray<unknown>]>

/** What the commands of a property are made with. */
type Constraints = Pick<fc.CommandsContraints, "replayPath" | "size">

/** Checks a property, from the start or at a repetition, and answers its failure if there is one. */
export const failureOf = async (
  make: (constraints: Constraints) => Property,
  runs: number,
  repetition?: Repetition
): Promise<Failure | undefined> => {
  const [path, replayPath] = repetition?.path.split("@") ?? []
  const property = make({ size: "max", ...(replayPath === undefined ? {} : { replayPath }) })
  const from = repetition === undefined ? {} : { seed: repetition.seed, ...(path === undefined ? {} : { path }) }
  const details = await fc.check(property, { numRuns: runs, ...from })
  if (!details.failed) return undefined
  const [commands = []] = details.counterexample ?? []
  const ran = /replayPath="([^"]*)"/.exec(String(commands))?.[1] ?? ""
  return {
    asks: [...commands].map(String),
    reason: details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance),
    repetition: { seed: details.seed, path: `${details.counterexamplePath ?? ""}@${ran}` }
  }
}

/** Fails when a property does. FC_RUNS says how often it is tried, FC_SEED and FC_PATH repeat a failure. */
export const expectProperty = async (make: (constraints: Constraints) => Property, runs: number): Promise<void> => {
  const [chosen, seed, path = ""] = [setting("FC_RUNS"), setting("FC_SEED"), setting("FC_PATH")]
  const repetition = seed === undefined ? undefined : { seed: Number(seed), path }
  const failure = await failureOf(make, chosen === undefined ? runs : Number(chosen), repetition)
  if (failure !== undefined) throw new Error(told(failure))
}

/** The property that a model holds for the stores of a trial. */
export const holds =
  (model: Model, { maxCommands, ports, width }: Trial) =>
  (constraints: Constraints): Property => {
    const groups = fc.array(fc.oneof(...model.asks), { minLength: 1, maxLength: width }).map(group)
    const commands = fc.commands([groups, groups, groups, aWalk.map(walk)], { maxCommands, ...constraints })
    return fc.asyncProperty(commands, async (commands) => {
      const run = await Effect.runPromise(Effect.flatMap(ports, (context) => startRun(context, model.rules)))
      await fc.asyncModelRun(() => ({ model: run, real: perform }), commands)
      await perform(run.settle)
    })
  }

const setting = (name: string): string | undefined => {
  const value = process.env[name]
  return value === "" ? undefined : value
}

const told = ({ asks, reason, repetition }: Failure): string =>
  [
    reason,
    `after ${asks.length} commands:`,
    ...asks.map((ask) => `  ${ask}`),
    `To repeat it, run this test with FC_SEED=${repetition.seed} FC_PATH='${repetition.path}'.`
  ].join("\n")
