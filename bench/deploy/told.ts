// What a goal came to, as a JSON line: the median of what was measured in each round, with the smallest and the largest.

import { Console, Effect } from "effect"

/** What is measured and what is asked of it; without a limit it is only told. */
export interface Goal {
  readonly name: string
  readonly unit: "ratio" | "seconds" | "ms" | "MB"
  readonly atLeast?: number
  readonly atMost?: number
}

/** What came of a goal. */
export interface Verdict {
  readonly name: string
  readonly reached: boolean
}

const short = (value: number): number => Number(value.toPrecision(4))

/** The value below which this share of the values lies. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const ascending = [...values].sort((a, b) => a - b)
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN
}

/** Prints the line of a goal. `share` is the quantile that counts. */
export const told = Effect.fnUntraced(function* (
  goal: Goal,
  values: ReadonlyArray<number>,
  facts: Readonly<Record<string, unknown>> = {},
  share = 0.5
): Effect.fn.Return<Verdict> {
  const value = quantile(values, share)
  const { atLeast, atMost } = goal
  const reached = (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost)
  const spread = [short(quantile(values, 0)), short(quantile(values, 1))]
  yield* Console.log(
    JSON.stringify({ bench: "deploy", ...goal, value: short(value), spread, samples: values.length, reached, ...facts })
  )
  return { name: goal.name, reached }
})

/** The medians of several measurements. */
export const medians = (values: Readonly<Record<string, ReadonlyArray<number>>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(values).map(([name, all]) => [name, short(quantile(all, 0.5))]))

/** How many seconds something took, and its answer. */
export const timed = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const begun = performance.now()
    const answer = yield* self
    return [(performance.now() - begun) / 1_000, answer] as const
  })
