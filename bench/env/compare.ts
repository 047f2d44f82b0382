// Rounds in which those that are compared take turns, and what comes of them: the median of the ratios of each round, with
// the smallest and the largest, beside the goal. One JSON line for each.

import type { MigrationError } from "@lockkeeper/adapter-postgres/MigrationError"
import type { AppGone } from "@lockkeeper/core/port/AppStore"
import type { SecretError } from "@lockkeeper/core/port/SecretCipher"
import type { StoreError } from "@lockkeeper/core/port/StoreError"
import { Console, Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { Cluster } from "./cluster.ts"
import type { PgbenchFailed } from "./pgbench.ts"

/** What one turn came to. Latencies are milliseconds, ascending; facts are whatever else is worth knowing. */
export interface Sample {
  readonly perSecond: number
  readonly latencies: Float64Array
  readonly facts: Readonly<Record<string, number>>
}

/** Somebody who is measured, and the connections they have. */
interface Contender<E, R> {
  readonly name: string
  readonly connections: number
  readonly run: (seconds: number) => Effect.Effect<Sample, E, R>
}

/** A part with everything that it may need from its surroundings. */
export type Case = Part<Fault, Cluster | SqlClient.SqlClient>

/** What may go wrong while measuring. */
type Fault = PgbenchFailed | SqlError.SqlError | AppGone | StoreError | SecretError | MigrationError

type Quantity = "perSecond" | "p50" | "p99"

/** What is asked of a contender: a ratio to a peer, or a quantity itself. Without a limit it is only told. */
interface Goal {
  readonly name: string
  readonly of: Quantity
  readonly ours: string
  readonly peer?: string
  readonly atLeast?: number
  readonly atMost?: number
}

/** Whose bench it is, and how long and how often it measures. */
interface Course {
  readonly bench: string
  readonly seconds: number
  readonly warmUp: number
  readonly rounds: number
}

/** Contenders and goals. `check` answers what is wrong in the end, so that nobody wins by doing something else. */
export interface Part<E, R> {
  readonly name: string
  readonly contenders: ReadonlyArray<Contender<E, R>>
  readonly goals: ReadonlyArray<Goal>
  readonly check: Effect.Effect<ReadonlyArray<string>, E, R>
}

/** What came of one goal. */
export interface Verdict {
  readonly name: string
  readonly of: Quantity
  readonly ours: number
  readonly peer: number | null
  readonly ratio: number | null
  readonly spread: readonly [number, number]
  readonly goal: string
  readonly reached: boolean
}

type Check = Effect.Effect<ReadonlyArray<string>, Fault, Cluster | SqlClient.SqlClient>

/** What all checks found wrong. */
export const all = (checks: ReadonlyArray<Check>): Check => Effect.map(Effect.all(checks), (wrong) => wrong.flat())

/** A contender in all rounds: the median of each number. */
export interface Measured {
  readonly name: string
  readonly connections: number
  readonly facts: Readonly<Record<string, number>>
}

/** The middle one; of an even number, the mean of the two. */
const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const [lower, upper] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]]
  return ((lower ?? Number.NaN) + (upper ?? Number.NaN)) / 2
}

/** The value below which this share of ascending values lies. */
const quantile = (ascending: Float64Array, share: number): number =>
  ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN

const quantityOf = ({ latencies, perSecond }: Sample, of: Quantity): number =>
  of === "perSecond" ? perSecond : quantile(latencies, of === "p50" ? 0.5 : 0.99)

const short = (value: number): number => Number(value.toPrecision(4))

const goalText = ({ atLeast, atMost }: Goal): string =>
  atLeast !== undefined ? `≥ ${atLeast}` : atMost !== undefined ? `≤ ${atMost}` : "none"

type Rounds = ReadonlyArray<ReadonlyMap<string, Sample>>

const verdictOf = (goal: Goal, rounds: Rounds, isRight: boolean): Verdict => {
  const values = (name: string): ReadonlyArray<number> =>
    rounds.map((round) => {
      const sample = round.get(name)
      return sample === undefined ? Number.NaN : quantityOf(sample, goal.of)
    })
  const ours = values(goal.ours)
  const peer = goal.peer === undefined ? undefined : values(goal.peer)
  const judged = peer === undefined ? ours : ours.map((value, round) => value / (peer[round] ?? Number.NaN))
  const value = median(judged)
  const isReached =
    (goal.atLeast === undefined || value >= goal.atLeast) && (goal.atMost === undefined || value <= goal.atMost)
  return {
    name: goal.name,
    of: goal.of,
    ours: short(median(ours)),
    peer: peer === undefined ? null : short(median(peer)),
    ratio: peer === undefined ? null : short(value),
    spread: [short(Math.min(...judged)), short(Math.max(...judged))],
    goal: goalText(goal),
    reached: isReached && isRight
  }
}

const factsOf = (name: string, rounds: Rounds): Readonly<Record<string, number>> => {
  const all = rounds.flatMap((round) => round.get(name) ?? [])
  const names = new Set(all.flatMap(({ facts }) => Object.keys(facts)))
  const latency = (share: number) => short(median(all.map(({ latencies }) => quantile(latencies, share))))
  return {
    perSecond: short(median(all.map(({ perSecond }) => perSecond))),
    ...(all.every(({ latencies }) => latencies.length > 0) ? { p50: latency(0.5), p99: latency(0.99) } : {}),
    ...Object.fromEntries([...names].map((fact) => [fact, short(median(all.map(({ facts }) => facts[fact] ?? 0)))]))
  }
}

/** Warms everybody up, lets them take turns, checks what they left, and prints a line for each goal. */
export const compare = Effect.fnUntraced(function* <E, R>(
  part: Part<E, R>,
  course: Course
): Effect.fn.Return<{ readonly verdicts: ReadonlyArray<Verdict>; readonly measured: ReadonlyArray<Measured> }, E, R> {
  for (const { name, run } of part.contenders) {
    yield* Console.error(`${part.name}: warming up ${name}`)
    yield* run(course.warmUp)
  }
  const rounds: Array<ReadonlyMap<string, Sample>> = []
  for (let round = 1; round <= course.rounds; round++) {
    const samples = new Map<string, Sample>()
    // Who comes after whom can matter: every other round goes the other way.
    const order = round % 2 === 1 ? part.contenders : part.contenders.toReversed()
    for (const { name, run } of order) samples.set(name, yield* run(course.seconds))
    rounds.push(samples)
    const rates = [...samples].map(([name, { perSecond }]) => `${name} ${Math.round(perSecond)}/s`)
    yield* Console.error(`${part.name}: round ${round} of ${course.rounds}: ${rates.join(", ")}`)
  }
  const wrong = yield* part.check
  for (const what of wrong) yield* Console.error(`${part.name}: WRONG: ${what}`)

  const measured = part.contenders.map(({ connections, name }): Measured => ({
    name,
    connections,
    facts: factsOf(name, rounds)
  }))
  const verdicts = part.goals.map((goal) => verdictOf(goal, rounds, wrong.length === 0))
  for (const [index, { ours, peer }] of part.goals.entries()) {
    const told = (name: string | undefined) => measured.find((one) => one.name === name)
    yield* Console.log(
      JSON.stringify({
        bench: `${course.bench} ${part.name}`,
        ...verdicts[index],
        rounds: rounds.length,
        seconds: course.seconds,
        measured: { ours: told(ours), peer: told(peer) },
        wrong
      })
    )
  }
  return { verdicts, measured }
})
